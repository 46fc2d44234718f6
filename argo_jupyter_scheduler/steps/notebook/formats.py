"""The output formats that this installation can make."""

from __future__ import annotations

import functools
import glob
import os
import shutil
from collections.abc import Sequence

from argo_jupyter_scheduler.domain import messages

LABELS = {
    "ipynb": "Notebook",
    "html": "HTML",
    "markdown": "Markdown",
    "script": "Script",
    "pdf": "PDF",
    "webpdf": "PDF (by a browser)",
    "qtpdf": "PDF (by Qt)",
    "qtpng": "PNG (by Qt)",
    "latex": "LaTeX",
    "rst": "reStructuredText",
    "asciidoc": "AsciiDoc",
    "slides": "Slides",
    "log": "Log",
}
"""Labels of the formats, in the dialog's order. Other exporters are offered by their own name."""

_INSTALL = {
    "xelatex": "apt-get install texlive-xetex texlive-fonts-recommended texlive-plain-generic",
    "pandoc": "apt-get install pandoc",
    "playwright": "pip install 'nbconvert[webpdf]'",
    "playwright's chromium": "playwright install chromium",
    "PyQt5": "pip install 'nbconvert[qtpdf]'",
}
"""How to install what is missing, see https://nbconvert.readthedocs.io/en/latest/install.html."""

_ALIASES = frozenset({"notebook", "python", "custom"})
"""nbconvert's names for what is offered under another name (ipynb, script), or is not a format (custom)."""

_PROGRAMS = {
    "pdf": ("xelatex", "pandoc"),
    "latex": ("pandoc",),
    "rst": ("pandoc",),
    "asciidoc": ("pandoc",),
}
"""Programs without which nbconvert cannot make a format, see its documentation's *Installing nbconvert*."""

_MODULES = {"webpdf": "playwright", "qtpdf": "PyQt5", "qtpng": "PyQt5"}
"""Modules without which nbconvert cannot make a format."""


@functools.cache
def list_output_formats() -> dict[str, str]:
    """Return the formats that this installation can make, with their labels."""
    made = {name for name, missing in find_missing_requirements().items() if not missing}
    ordered = [name for name in LABELS if name in made] + sorted(made - set(LABELS))
    return {name: LABELS.get(name, name) for name in ordered}


def find_missing_requirements() -> dict[str, tuple[str, ...]]:
    """Return, for each format, which programs and packages it needs that are not installed.

    A format that lacks one is not offered: the dialog ticks all that are offered, so one that fails would spoil each run.
    """
    from importlib.metadata import entry_points

    names = {"ipynb", "log"} | {point.name for point in entry_points(group="nbconvert.exporters")}
    return {name: _missing(name) for name in sorted(names - _ALIASES) if "." not in name}


def explain_missing(name: str, missing: Sequence[str]) -> str:
    """Return why a format cannot be made, and what to do about it."""
    return messages.outputs.format_not_available(name, missing, [_INSTALL[one] for one in missing])


def _missing(name: str) -> tuple[str, ...]:
    from importlib.util import find_spec

    missing = [program for program in _PROGRAMS.get(name, ()) if not shutil.which(program)]
    if name in _MODULES and find_spec(_MODULES[name]) is None:
        missing.append(_MODULES[name])
    elif name == "webpdf" and not _has_playwright_a_browser():
        missing.append("playwright's chromium")
    return tuple(missing)


def _has_playwright_a_browser() -> bool:
    """Return whether ``playwright install chromium`` was run; nbconvert uses that browser only."""
    folder = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or os.path.expanduser("~/.cache/ms-playwright")
    return bool(glob.glob(os.path.join(glob.escape(folder), "chromium*")))

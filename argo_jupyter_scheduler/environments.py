"""What the dialog offers: environments, and the output formats that this installation can make."""

from __future__ import annotations

import functools
import glob
import json
import os
import shutil
import subprocess
import sys
import threading
import time

from jupyter_scheduler.environments import EnvironmentManager
from jupyter_scheduler.models import RuntimeEnvironment

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

_ALIASES = frozenset({"notebook", "python", "custom"})
"""nbconvert's names for what is offered under another (ipynb, script), or is no format (custom)."""

_PROGRAMS = {
    "pdf": ("xelatex", "pandoc"),
    "latex": ("pandoc",),
    "rst": ("pandoc",),
    "asciidoc": ("pandoc",),
}
"""Programs without which nbconvert cannot make a format, see its documentation's *Installing nbconvert*."""

_MODULES = {"webpdf": "playwright", "qtpdf": "PyQt5", "qtpng": "PyQt5"}

CONDA_SECONDS = 10
"""How long `conda env list` may take."""

CACHE_SECONDS = 60


@functools.cache
def output_formats() -> dict[str, str]:
    """Return the formats that this installation can make, with their labels."""
    from importlib.metadata import entry_points

    names = {"ipynb", "log"} | {point.name for point in entry_points(group="nbconvert.exporters")}
    made = {name for name in names - _ALIASES if "." not in name and _can_make(name)}
    ordered = [name for name in LABELS if name in made] + sorted(made - set(LABELS))
    return {name: LABELS.get(name, name) for name in ordered}


def _can_make(name: str) -> bool:
    """Return whether a format works here; the dialog ticks all that are offered, so one that fails spoils each run."""
    from importlib.util import find_spec

    programs = all(shutil.which(program) for program in _PROGRAMS.get(name, ()))
    module = name not in _MODULES or find_spec(_MODULES[name]) is not None
    return programs and module and (name != "webpdf" or _playwright_has_a_browser())


def _playwright_has_a_browser() -> bool:
    """Return whether ``playwright install chromium`` was run; nbconvert uses that browser only."""
    folder = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or os.path.expanduser("~/.cache/ms-playwright")
    return bool(glob.glob(os.path.join(glob.escape(folder), "chromium*")))


class ArgoEnvironmentManager(EnvironmentManager):
    """Offers the environments where a notebook can run; names and labels are equal, as the frontend needs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cached: list[RuntimeEnvironment] = []
        self._cached_at = -float("inf")

    def list_environments(self) -> list[RuntimeEnvironment]:
        """Return the server's own environment, and conda's where there is a conda."""
        with self._lock:
            if time.monotonic() - self._cached_at > CACHE_SECONDS:
                self._cached = [_environment(prefix) for prefix in _prefixes()]
                self._cached_at = time.monotonic()
            return self._cached

    def manage_environments_command(self) -> str:
        """Return no command: environments are not managed from the dialog."""
        return ""

    def output_formats_mapping(self) -> dict[str, str]:
        """Return all formats with their labels."""
        return output_formats()


def _environment(prefix: str) -> RuntimeEnvironment:
    name = os.path.basename(prefix.rstrip(os.sep)) or prefix
    return RuntimeEnvironment(
        name=name,
        label=name,
        description=f"Environment: {name}",
        file_extensions=["ipynb"],
        output_formats=list(output_formats()),
        metadata={"path": prefix},
    )


def _prefixes() -> list[str]:
    try:
        answer = subprocess.run(
            ["conda", "env", "list", "--json"], capture_output=True, check=True, timeout=CONDA_SECONDS
        )
        found = list(json.loads(answer.stdout).get("envs", []))
    except (OSError, subprocess.SubprocessError, ValueError):
        found = []
    return [sys.prefix, *(prefix for prefix in found if prefix != sys.prefix)]

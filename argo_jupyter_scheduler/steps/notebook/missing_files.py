"""Finds out whether a notebook failed since something that lies beside it did not come along."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

MODULE = re.compile(r"No module named '([^']{1,255})'")
"""Python's error for a module that it does not find."""

READ_CHARACTERS = 10_000
"""How much of an exception's text is read."""

RUN = "File `'"
"""How the text of ``%run`` begins for a file that it does not find."""

QUOTED = re.compile(r"'([^']{1,4096})'")


def find_missing(name: str, value: str, beside: Collection[str], folder: Path) -> str:
    """Return what lies beside the notebook and is missed by an exception; empty for nothing.

    Parameters
    ----------
    name, value
        Type and text of the exception.
    beside
        The entries of that folder; names of folders end with a slash.
    folder
        The run's working folder.
    """
    value = value[:READ_CHARACTERS]
    if name == "ModuleNotFoundError" and (match := MODULE.search(value)):
        top = match[1].partition(".")[0]
        return next((found for found in (f"{top}.py", f"{top}/") if found in beside), "")
    for path in _read_paths(name, value):
        first = _first_part(path, folder)
        # `%run` takes the name of a module, too.
        if found := next((one for one in (first, f"{first}/", f"{first}.py") if first and one in beside), ""):
            return found
    return ""


def find_outside(name: str, value: str) -> str:
    """Return the relative path, missed by an exception, that leads out of the run's folder; empty for none."""
    paths = _read_paths(name, value[:READ_CHARACTERS])
    return next((path for path in paths if os.path.normpath(path).startswith(f"..{os.sep}")), "")


def _read_paths(name: str, value: str) -> list[str]:
    """Return the paths that an exception misses."""
    if name != "FileNotFoundError" and not value.startswith(RUN):
        return []
    # Texts without quotes: polars writes the path last, numpy first.
    paths = QUOTED.findall(value) or value.rsplit(": ", 1)[1:] or [value.removesuffix(" not found.")]
    return [path.strip(" '\"") for path in paths]


def _first_part(path: str, folder: Path) -> str:
    """Return the first part of a path within a folder; empty for a path that leads elsewhere."""
    relative = os.path.relpath(os.path.join(os.path.realpath(folder), path), os.path.realpath(folder))
    first = relative.split(os.sep, 1)[0]
    return "" if first in (os.curdir, os.pardir) else first

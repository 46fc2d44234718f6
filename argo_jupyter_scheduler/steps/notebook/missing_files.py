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
    if name == "FileNotFoundError":
        # The last word, where the text has no quotes, as polars writes it.
        paths = QUOTED.findall(value) or value.rsplit(": ", 1)[1:]
        for path in paths:
            first = _first_part(path.strip(" '\""), folder)
            if found := next((one for one in (first, f"{first}/") if first and one in beside), ""):
                return found
    return ""


def _first_part(path: str, folder: Path) -> str:
    """Return the first part of a path within a folder; empty for a path that leads elsewhere."""
    relative = os.path.relpath(os.path.join(os.path.realpath(folder), path), os.path.realpath(folder))
    first = relative.split(os.sep, 1)[0]
    return "" if first in (os.curdir, os.pardir) else first

"""Copies of input folders, and the files in a folder of the staging area."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

PRIVATE = ".argo-jupyter-scheduler"
"""The folder of what only this package reads."""


def copy_folder(source: Path, destination: Path, leave_out: Path) -> list[str]:
    """Copy the content of an input folder; return the relative paths of the copied files.

    Links to files are copied as files, links to folders as folders unless they lead to a folder above. Left out are
    whatever is not a regular file, dangling links, and `leave_out` (the staging area may lie within the folder, as in a home).
    """

    def ignored(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if not _copyable(Path(folder, name), leave_out)}

    shutil.copytree(source, destination, ignore=ignored, dirs_exist_ok=True)
    return sorted(os.path.relpath(path, destination) for path in walk(destination))


def _copyable(path: Path, leave_out: Path) -> bool:
    if path.name == PRIVATE:
        return False
    try:
        mode = path.stat().st_mode
        real = path.resolve()
    except OSError:
        return False
    if stat.S_ISREG(mode):
        return True
    if not stat.S_ISDIR(mode) or real == leave_out.resolve():
        return False
    return not (path.is_symlink() and path.parent.resolve().is_relative_to(real))


def walk(folder: Path) -> Iterator[Path]:
    """Yield all files of a folder but the private ones."""
    for base, folders, names in os.walk(folder):
        if PRIVATE in folders:
            folders.remove(PRIVATE)
        yield from (Path(base, name) for name in names)

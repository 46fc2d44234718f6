"""Copies of input folders, and the files in a folder of the staging area."""

from __future__ import annotations

import fnmatch
import itertools
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob

PRIVATE = ".argo-jupyter-scheduler"
"""The folder of what only this package reads."""

IGNORE_FILE = ".jupyterscheduleignore"
"""A file in an input folder with more patterns, one a line; lines that begin with ``#`` are comments."""


MAX_BESIDE, MAX_LOOKED_AT = 200, 5_000
"""How many names `list_beside` returns, and among how many it chooses: a folder may have millions of files."""


@dataclass(frozen=True)
class FolderRules:
    """What of an input folder is copied.

    Attributes
    ----------
    excluded
        Patterns of files and folders that are left out, by their name or their path within the folder, such as ``*.tmp`` or
        ``data/raw``.
    left_out
        Folders that are left out wherever they are, such as the staging area.
    max_files
        How many files may be copied; 0 for any number.
    max_bytes
        How many bytes may be copied; 0 for any number.
    """

    excluded: Sequence[str] = ()
    left_out: Sequence[Path] = ()
    max_files: int = 0
    max_bytes: int = 0

    def with_ignore_file(self, folder: Path) -> FolderRules:
        """Return the rules with the patterns that a folder itself has."""
        try:
            lines = (folder / IGNORE_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return self
        patterns = [line.strip() for line in lines]
        own = [pattern for pattern in patterns if pattern and not pattern.startswith("#")]
        return replace(self, excluded=[*self.excluded, *own])

    def is_excluded(self, path: Path, folder: Path) -> bool:
        """Return whether a pattern matches a file or folder."""
        relative = path.relative_to(folder).as_posix()
        return any(
            fnmatch.fnmatch(candidate, pattern.rstrip("/"))
            for pattern in self.excluded
            for candidate in (path.name, relative)
        )


def list_beside(notebook: Path) -> tuple[str, ...]:
    """Return names of what lies beside a notebook, at most `MAX_BESIDE`, modules first; those of folders end with a slash."""
    try:
        with os.scandir(notebook.parent) as entries:
            found = [
                f"{entry.name}/" if entry.is_dir() else entry.name
                for entry in itertools.islice(entries, MAX_LOOKED_AT)
                if not entry.name.startswith(".") and entry.name != notebook.name
            ]
    except OSError:
        return ()
    return tuple(sorted(found, key=lambda name: (not name.endswith((".py", "/")), name))[:MAX_BESIDE])


def copy_folder(source: Path, destination: Path, rules: FolderRules) -> list[str]:
    """Copy the content of an input folder; return the relative paths of the copied files.

    Links to files are copied as files, links to folders as folders unless they lead to a folder above. Left out are
    whatever is not a regular file, dangling links, and what the rules exclude.

    Raises
    ------
    InvalidJob
        There are more files, or more bytes, than the rules allow. Nothing is copied.
    """
    rules = rules.with_ignore_file(source)
    left_out = {path.resolve() for path in rules.left_out}

    def ignored(folder: str, names: list[str]) -> set[str]:
        paths = [Path(folder, name) for name in names]
        return {
            path.name for path in paths if rules.is_excluded(path, source) or not _is_copyable(path, left_out)
        }

    _check_size(source, ignored, rules)
    shutil.copytree(source, destination, ignore=ignored, dirs_exist_ok=True)
    return sorted(os.path.relpath(path, destination) for path in walk(destination))


def _check_size(source: Path, ignored: Callable[[str, list[str]], set[str]], rules: FolderRules) -> None:
    """Refuse a folder that is too large, before anything is copied."""
    if not rules.max_files and not rules.max_bytes:
        return
    count = size = 0
    for folder, folders, names in os.walk(source, followlinks=True):
        skipped = ignored(folder, [*folders, *names])
        folders[:] = [name for name in folders if name not in skipped]
        for name in names:
            if name not in skipped:
                count, size = count + 1, size + os.path.getsize(os.path.join(folder, name))
        if rules.max_files and count > rules.max_files:
            raise InvalidJob(messages.input_folder_has_files(source.name, rules.max_files, IGNORE_FILE))
        if rules.max_bytes and size > rules.max_bytes:
            raise InvalidJob(
                messages.input_folder_is_large(source.name, rules.max_bytes / 1000000.0, IGNORE_FILE)
            )


def _is_copyable(path: Path, left_out: set[Path]) -> bool:
    if path.name == PRIVATE:
        return False
    try:
        mode = path.stat().st_mode
        real = path.resolve()
    except OSError:
        return False
    if stat.S_ISREG(mode):
        return True
    if not stat.S_ISDIR(mode) or real in left_out:
        return False
    return not (path.is_symlink() and path.parent.resolve().is_relative_to(real))


def walk(folder: Path) -> Iterator[Path]:
    """Yield all files of a folder but the private ones."""
    for base, folders, names in os.walk(folder):
        if PRIVATE in folders:
            folders.remove(PRIVATE)
        yield from (Path(base, name) for name in names)

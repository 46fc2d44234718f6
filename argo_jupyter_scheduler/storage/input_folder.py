"""Copies of input folders, and the files in a folder of the staging area."""

from __future__ import annotations

import fnmatch
import itertools
import logging
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.storage.copying import copy_content

PRIVATE = ".argo-jupyter-scheduler"
"""The folder of what only this package reads."""

IGNORE_FILE = ".jupyterscheduleignore"
"""A file in an input folder with more patterns, one a line; lines that begin with ``#`` are comments."""


PROGRESS_PERIOD_SECONDS = 5.0
"""Time between two reports on a copy that takes long."""

MAX_BESIDE, MAX_LOOKED_AT = 200, 5_000
"""How many names `list_beside` returns, and among how many it chooses: a folder may have millions of files."""

log = logging.getLogger("argo_jupyter_scheduler")


@dataclass(frozen=True)
class FolderRules:
    """The part of an input folder that is copied.

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
        path = folder / IGNORE_FILE
        try:
            text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        except OSError:
            return self
        lines = text.splitlines()
        patterns = [line.strip() for line in lines]
        own = [pattern for pattern in patterns if pattern and not pattern.startswith("#")]
        return replace(self, excluded=[*self.excluded, *own])

    def is_excluded(self, relative: str) -> bool:
        """Return whether a pattern matches a file or folder, by its path within the input folder."""
        candidates = {relative, os.path.basename(relative)}
        return any(
            fnmatch.fnmatch(candidate, pattern.rstrip("/"))
            for pattern in self.excluded
            for candidate in candidates
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


def list_files(source: Path, rules: FolderRules) -> list[str]:
    """Return the relative paths of the files that `copy_folder` would copy.

    Raises
    ------
    InvalidJob
        There are more files, or more bytes, than the rules allow.
    """
    return sorted(_find_content(source, rules.with_ignore_file(source))[1])


class CopyProgress:
    """Says every few seconds how much of a folder has been copied.

    Parameters
    ----------
    report
        Called with a sentence.
    period
        Seconds between two reports.
    """

    def __init__(
        self, report: Callable[[str], None] = log.info, period: float = PROGRESS_PERIOD_SECONDS
    ) -> None:
        self._report, self._period = report, period
        self._files = self._size = self._copied_files = self._copied = 0
        self._reported_at = time.monotonic()

    def begin(self, files: int, size: int) -> None:
        """Note how many files and bytes there are."""
        self._files, self._size, self._copied_files, self._copied = files, size, 0, 0
        self._reported_at = time.monotonic()

    def add_bytes(self, portion: int) -> None:
        """Count bytes that have been copied."""
        self._copied += portion
        if time.monotonic() - self._reported_at >= self._period:
            self._reported_at = time.monotonic()
            megabytes = (self._copied / 1e6, self._size / 1e6)
            self._report(messages.inputs.copying_input_folder(self._copied_files, self._files, *megabytes))

    def add_file(self) -> None:
        """Count a file that has been copied."""
        self._copied_files += 1


FileCopy = Callable[[str, str, Callable[[int], None]], None]
"""Copies one file; called with its path, that of the copy, and what counts bytes."""


def copy_folder(
    source: Path,
    destination: Path,
    rules: FolderRules,
    progress: CopyProgress | None = None,
    copy: FileCopy = copy_content,
) -> list[str]:
    """Copy the content of an input folder; return the relative paths of the copied files.

    Links to files are copied as files, links to folders as folders unless they lead to a folder above. Left out are
    whatever is not a regular file, dangling links, and what the rules exclude.

    Parameters
    ----------
    progress
        A function that reports the progress; by default to the log.
    copy
        Copies one file.

    Raises
    ------
    InvalidJob
        There are more files, or more bytes, than the rules allow. Nothing is copied.
    OSError
        A file cannot be read or written.
    """
    folders, sizes = _find_content(source, rules.with_ignore_file(source))
    progress = progress or CopyProgress()
    progress.begin(len(sizes), sum(sizes.values()))
    for folder in folders:
        (destination / folder).mkdir(parents=True, exist_ok=True)
    for path in sizes:
        here, there = os.path.join(source, path), os.path.join(destination, path)
        copy(here, there, progress.add_bytes)
        shutil.copystat(here, there)
        progress.add_file()
    return sorted(sizes)


def _find_content(source: Path, rules: FolderRules) -> tuple[list[str], dict[str, int]]:
    """Return the relative paths of the folders that are copied, outer ones first, and those of the files with their sizes.

    Raises
    ------
    InvalidJob
        There are more files, or more bytes, than the rules allow.
    """
    left_out = {path.resolve() for path in rules.left_out}
    found_folders: list[str] = []
    sizes: dict[str, int] = {}
    total = 0
    for base, folders, names in os.walk(source, followlinks=True):
        within = "" if Path(base) == source else os.path.relpath(base, source)
        found_folders.append(within)
        kept: dict[str, int] = {}
        for name in (*folders, *names):
            if rules.is_excluded(os.path.join(within, name)):
                continue
            size = _measure(os.path.join(base, name), left_out)
            if size is not None:
                kept[name] = size
        folders[:] = [name for name in folders if name in kept]
        new = {os.path.join(within, name): kept[name] for name in names if name in kept}
        sizes.update(new)
        total += sum(new.values())
        if rules.max_files and len(sizes) > rules.max_files:
            raise InvalidJob(
                messages.inputs.input_folder_has_files(source.name, rules.max_files, IGNORE_FILE)
            )
        if rules.max_bytes and total > rules.max_bytes:
            raise InvalidJob(
                messages.inputs.input_folder_is_large(source.name, rules.max_bytes / 1e6, IGNORE_FILE)
            )
    return found_folders, sizes


def _measure(path: str, left_out: set[Path]) -> int | None:
    """Return the size of a file or folder; None for one that cannot be copied."""
    if os.path.basename(path) == PRIVATE:
        return None
    try:
        found = os.stat(path)
        if stat.S_ISREG(found.st_mode):
            return found.st_size
        real = Path(path).resolve()
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode) or real in left_out:
        return None
    leads_up = os.path.islink(path) and Path(path).parent.resolve().is_relative_to(real)
    return None if leads_up else found.st_size


def scan(folder: Path, left_out: str = "") -> Iterator[os.DirEntry[str]]:
    """Yield all that is in a folder, at any depth, without following links; `os.walk` fails at 1,000 levels before Python 3.12.

    Parameters
    ----------
    left_out
        The name of folders that are not entered, nor yielded.
    """
    folders = [str(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as found:
                entries = list(found)
        except OSError:  # deleted just now
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name == left_out:
                    continue
                folders.append(entry.path)
            yield entry


def walk(folder: Path) -> Iterator[Path]:
    """Yield all files of a folder but the private ones."""
    # Not `DirEntry.is_dir`, which raises for a link that leads to itself, or to where nobody may look.
    found = (entry.path for entry in scan(folder, left_out=PRIVATE))
    return (Path(path) for path in found if not os.path.isdir(path))

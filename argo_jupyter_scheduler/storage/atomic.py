"""Files that appear whole: they are written beside, then moved into place."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from argo_jupyter_scheduler.storage.copying import copy_content
from argo_jupyter_scheduler.storage.locks import is_locked

UNFINISHED = f".{'[0-9a-f]' * 12}.part"
"""The names of files that are not yet moved into place, as a pattern of `glob`."""

OWNER_CHARACTERS = 8
"""How many characters of a run's id begin the names of its unfinished files."""


@contextlib.contextmanager
def beside(path: Path, owner: str = "") -> Iterator[Path]:
    """Yield where a file is written before it is moved into place; what is left there is deleted.

    Parameters
    ----------
    owner
        The id of the run that writes it, for `remove_unfinished`.
    """
    part = _beside(path, owner)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _beside(path: Path, owner: str = "") -> Path:
    """Return where a file is written before it is moved into place: a name of its own, and short, since the file's may be long."""
    return path.with_name(f".{(owner[:OWNER_CHARACTERS] + uuid.uuid4().hex)[:12]}.part")


def remove_unfinished(folder: Path, owner: str) -> None:
    """Delete what killed processes of a run left in a folder before they moved it into place."""
    for part in folder.glob(UNFINISHED):
        if part.name.startswith(f".{owner[:OWNER_CHARACTERS]}") and is_locked(part) is False:
            part.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes, private: bool = False, owner: str = "") -> None:
    """Write a file so that no reader ever sees half of it; a private one is at no time readable by other users."""
    beside = _beside(path, owner)
    try:
        beside.touch(0o600 if private else 0o666)
        if isinstance(content, str):
            beside.write_text(content, encoding="utf-8")
        else:
            beside.write_bytes(content)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def copy_whole(source: Path, destination: Path) -> None:
    """Copy a file so that no reader ever sees half of it."""
    beside = _beside(destination)
    try:
        copy_content(source, beside)
        os.replace(beside, destination)
    finally:
        beside.unlink(missing_ok=True)


def link_or_copy(source: Path, destination: Path) -> None:
    """Give a file a second name, or a copy where the file system has no hard links. Neither is ever changed in place."""
    beside = _beside(destination)
    try:
        os.link(source, beside)
        os.replace(beside, destination)
    except OSError:
        copy_whole(source, destination)
    finally:
        beside.unlink(
            missing_ok=True
        )  # also after `os.replace`, which leaves it where both are one file already


def sync(*paths: Path) -> None:
    """Wait until files and folders are on the disk, so that a power failure cannot take what a row says is there."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError:  # some file systems cannot; a full disk has failed before
            pass
        finally:
            os.close(descriptor)

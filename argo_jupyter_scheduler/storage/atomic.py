"""Files that appear whole: they are written beside, then moved into place."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from argo_jupyter_scheduler.storage.copying import copy_content

UNFINISHED = f".{'[0-9a-f]' * 12}.part"
"""The names of files that are not yet moved into place, as a pattern of `glob`."""


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Yield where a file is written before it is moved into place; what is left there is deleted."""
    part = _beside(path)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """Return where a file is written before it is moved into place: a name of its own, and short, since the file's may be long."""
    return path.with_name(f".{uuid.uuid4().hex[:12]}.part")


def write_whole(path: Path, content: str | bytes, private: bool = False) -> None:
    """Write a file so that no reader ever sees half of it; a private one is at no time readable by other users."""
    beside = _beside(path)
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

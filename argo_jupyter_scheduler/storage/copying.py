"""Copies of a file's content, with as little reading and writing as the file system allows."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

_FICLONE = 0x40049409
"""Linux' request to let two files share their blocks until one of them is written (``ioctl_ficlonerange(2)``)."""

_PORTION_BYTES = 64 * 2**20
"""How much the kernel copies in one call: a few seconds' worth on a slow network."""


def copy_content(
    source: str | Path, destination: str | Path, advance: Callable[[int], None] = lambda portion: None
) -> None:
    """Copy a file's content.

    btrfs and XFS share the blocks of both files (a reflink), NFS and SMB copy on their server. Hard links would be as quick, but
    whoever writes into one name changes the other: a run may write into its inputs, and must never change a user's own.

    Parameters
    ----------
    advance
        Called with each number of bytes that has been copied.

    Raises
    ------
    OSError
        The source cannot be read, or the destination cannot be written.
    """
    with open(source, "rb") as reading, open(destination, "wb") as writing:
        size = os.fstat(reading.fileno()).st_size
        if _clone(reading, writing):
            advance(size)
            return
        copied = 0
        for portion in _copy_in_kernel(reading, writing):
            copied += portion
            advance(portion)
    if not copied or copied < size:  # the kernel cannot, or has failed: this says why, with the file's name
        shutil.copyfile(source, destination)
        advance(size - copied)


def _clone(reading: IO[bytes], writing: IO[bytes]) -> bool:
    """Let two files share their blocks; return whether their file system can."""
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(writing.fileno(), _FICLONE, reading.fileno())
    except OSError:
        return False
    return True


def _copy_in_kernel(reading: IO[bytes], writing: IO[bytes]) -> Iterator[int]:
    """Copy between two files without reading them here, in portions; yield their lengths, and stop at the first error."""
    if sys.platform != "linux":
        return
    try:
        while portion := os.copy_file_range(reading.fileno(), writing.fileno(), _PORTION_BYTES):
            yield portion
    except OSError:
        return

"""The disk use of folders."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from argo_jupyter_scheduler.storage.input_folder import scan

BLOCK_BYTES = 512
"""The unit of ``st_blocks``, on every file system."""


def measure_folder(folder: Path) -> int:
    """Return the bytes that a folder takes on the disk, all within included; 0 where it is gone.

    A file with two names in it, such as an output that was published, counts once.
    """
    sizes: dict[tuple[int, int], int] = {}
    for path in (str(folder), *(entry.path for entry in scan(folder))):
        with contextlib.suppress(OSError):  # deleted just now
            found = os.lstat(path)
            sizes[found.st_dev, found.st_ino] = found.st_blocks * BLOCK_BYTES
    return sum(sizes.values())

"""Keeps rows and run folders from other users of the machine or of a shared volume."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from argo_jupyter_scheduler.domain.identity import is_job_id

OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""The rights of the file's group and of everybody."""


def make_private(path: Path | str) -> None:
    """Take the rights of group and others from a file or a folder.

    Nothing happens where it is gone, belongs to another user, or is on a file system without such rights.
    """
    with contextlib.suppress(OSError):
        found = os.stat(path, follow_symlinks=False)
        if found.st_mode & OTHERS and found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode):
            os.chmod(path, stat.S_IMODE(found.st_mode) & ~OTHERS)


def make_run_folders_private(staging_path: Path) -> None:
    """Make the run folders of a staging area private, also those that earlier versions have made.

    The staging area itself is left alone: an administrator may have put it where other things are.
    """
    with contextlib.suppress(OSError), os.scandir(staging_path) as entries:
        for entry in entries:
            if is_job_id(entry.name) and entry.is_dir(follow_symlinks=False):
                make_private(entry.path)

"""Copies of files that somebody may be editing: of each, the copy is one that was there at one moment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.storage.copying import copy_content

ATTEMPTS = 8
"""How often a file is copied that changes meanwhile."""

ATTEMPTS_WHILE_UNCHANGED = 4
"""How often a file is read that is not whole and that nobody changes meanwhile, in 1.5 s."""

PAUSE_SECONDS = 0.25
"""Before the second attempt; each further pause is longer by as much, so that all together take 7 s."""

Result = TypeVar("Result")


def read_stable(
    path: Path, is_whole: Callable[[bytes], bool] = lambda content: True, attempts: int = ATTEMPTS
) -> bytes:
    """Return the content of a file as it was at one moment.

    Parameters
    ----------
    is_whole
        Whether a content can be all of the file. A writer may pause in the middle, so another one is waited for, and the last one
        is returned in any case.
    attempts
        How often it is read.

    Raises
    ------
    RunError
        It kept changing.
    OSError
        It cannot be read.
    """
    content = b""

    def read() -> bool:
        nonlocal content
        content = path.read_bytes()
        return is_whole(content)

    _try_until_stable(path, read, attempts)
    return content


def copy_stable(
    source: str | Path, destination: str | Path, advance: Callable[[int], None] = lambda portion: None
) -> None:
    """Copy a file's content as it was at one moment; see `copy_content`.

    Raises
    ------
    RunError
        It kept changing.
    OSError
        It cannot be read, or the destination cannot be written.
    """

    def copy() -> bool:
        copy_content(source, destination)
        return True

    _try_until_stable(Path(source), copy)
    advance(os.path.getsize(destination))


def _try_until_stable(path: Path, read: Callable[[], bool], attempts: int = ATTEMPTS) -> None:
    first = _version(path)
    for attempt in range(1, attempts + 1):
        before = _version(path)
        is_whole = read()
        is_stable = before == _version(path)
        is_left_so = attempt >= ATTEMPTS_WHILE_UNCHANGED and before == first
        if is_stable and (is_whole or is_left_so or attempt == attempts):
            return
        if attempt < attempts:
            time.sleep(PAUSE_SECONDS * attempt)
    raise RunError(messages.inputs.linked_file_changing(str(path)))


def _version(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns

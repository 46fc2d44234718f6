"""Locks that end with the process that holds them, whichever machine it is on.

``flock`` is used as it is: filelock truncates the file that it locks, and a run's process locks the file that identifies it.
Runs that earlier versions started hold the same lock, and are recognised by it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a file for as long as this lasts, or this process lives; where the file system supports locks."""
    with open(path, "r+b") as file:  # NFS gives an exclusive lock only on a file that is open for writing
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_locked(path: Path) -> bool | None:
    """Return whether a process, on any machine, holds a file locked; None where the file system does not tell."""
    try:
        import fcntl

        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except (ImportError, OSError):
        return None
    return False

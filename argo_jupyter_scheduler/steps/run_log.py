"""What the steps and the kernel print: to the pod's log, and to a file that can be downloaded."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_terminal = [2]
"""Where this process's own output goes, last: to standard error, or past the `tee` that is on."""


@contextlib.contextmanager
def tee(path: Path) -> Iterator[None]:
    """Copy all that this process and its children print to `path` as well.

    Works on file descriptors, since a kernel that crashes prints from C. Each attempt of a retried run is appended.
    Where the folder is gone (the job was deleted), nothing is copied.
    """
    try:
        file = open(path, "ab", buffering=0)  # noqa: SIM115 (closed below, after the thread)
    except OSError:
        yield
        return
    reader, writer = os.pipe()
    before = [os.dup(1), os.dup(2)]

    def copy() -> None:
        while chunk := os.read(reader, 65536):
            for write in (lambda data: os.write(before[0], data), file.write):
                with contextlib.suppress(OSError):  # a closed terminal or a full disk must not end the run
                    write(chunk)

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(writer, 1)
    os.dup2(writer, 2)
    os.close(writer)
    _terminal.append(before[1])
    try:
        yield
    finally:
        _terminal.pop()
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(before[0], 1)
        os.dup2(before[1], 2)
        thread.join(timeout=1)  # a process that the notebook left behind may hold the pipe open
        if not thread.is_alive():
            file.close()


def note(path: Path, text: str) -> None:
    """Write a line to the log at `path` and to this process's own output, at once: what is printed takes its time to get there."""
    line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} WARNING {text}\n".encode(errors="replace")
    with contextlib.suppress(OSError):
        os.write(_terminal[-1], line)
    with contextlib.suppress(OSError), open(path, "ab", buffering=0) as file:
        file.write(line)

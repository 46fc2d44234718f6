"""Copies what the steps and the kernel print to the pod's log and to a file that can be downloaded."""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

DRAIN_SECONDS = 1.0
"""How long `drain` waits at most: a process that the notebook left behind may print for ever."""

_terminal = [2]
"""Where this process's own output goes, last: to standard error, or past the active `tee`."""

_NOISE = re.compile(
    rb"^[^\n]*Kernel is running over TCP without encryption[^\n]*\n"
    rb"|0\.00s - (?:Debugger warning|make the debugger|to python to disable|Note: Debugging)[^\n]*\n",
    re.MULTILINE,  # tried at the begin of a line alone: at each character, a long line takes the square of its length
)
"""Lines of ipykernel that alarm people and mean nothing here: a run's kernel listens to this machine only, and nobody debugs it."""

_CONTROL_BYTES = bytes(code for code in (*range(32), 127) if code not in b"\t\n")
"""What steers a terminal, or writes over a line. A kernel that crashes, or a program that it starts, prints past the log."""

_drains: list[Callable[[], None]] = []
"""Of the active `tee`, last."""


@contextlib.contextmanager
def tee(path: Path) -> Iterator[None]:
    """Copy everything that this process and its children print to `path` as well.

    It works on file descriptors, since a kernel that crashes prints from C. Each attempt of a retried run is appended.
    Where the folder is gone (the job was deleted), nothing is copied.
    """
    try:
        file = open(path, "ab", buffering=0)  # noqa: SIM115 (closed below, after the thread)
    except OSError:
        yield
        return
    reader, writer = os.pipe()
    before = [os.dup(1), os.dup(2)]
    is_copied = threading.Event()
    is_copied.set()

    def copy() -> None:
        while chunk := os.read(reader, 65536):
            is_copied.clear()
            chunk = _NOISE.sub(b"", chunk).translate(None, _CONTROL_BYTES)
            for write in (lambda data: os.write(before[0], data), file.write):
                with contextlib.suppress(OSError):  # a closed terminal or a full disk must not end the run
                    write(chunk)
            is_copied.set()

    def drain() -> None:
        end = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < end and select.select([reader], [], [], 0)[0]:
            time.sleep(0.001)
        is_copied.wait(DRAIN_SECONDS)

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(writer, 1)
    os.dup2(writer, 2)
    os.close(writer)
    _terminal.append(before[1])
    _drains.append(drain)
    try:
        yield
    finally:
        _terminal.pop()
        _drains.pop()
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(before[0], 1)
        os.dup2(before[1], 2)
        thread.join(timeout=1)  # a process that the notebook left behind may hold the pipe open
        if not thread.is_alive():
            file.close()


def drain() -> None:
    """Wait until everything that was printed is in the file."""
    sys.stdout.flush()
    sys.stderr.flush()
    if _drains:
        _drains[-1]()


def note(path: Path, text: str) -> None:
    """Write a line to the log at `path` and to this process's own output, at once: printed text takes its time to get there."""
    line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} WARNING {text}\n".encode(errors="replace")
    with contextlib.suppress(OSError):
        os.write(_terminal[-1], line)
    with contextlib.suppress(OSError), open(path, "ab", buffering=0) as file:
        file.write(line)

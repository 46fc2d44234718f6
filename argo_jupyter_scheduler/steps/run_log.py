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
from io import FileIO
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
"""Characters that steer a terminal, or write over a line. A crashing kernel, or a program that it starts, prints past the log."""

_drains: list[Callable[[], None]] = []
"""Of the active `tee`, last."""


class _Copier:
    """Copies what is printed into a pipe to a terminal and to a file, in a thread of its own.

    Parameters
    ----------
    terminal
        The file descriptor of where the output would have gone.
    file
        The log, unbuffered.
    """

    def __init__(self, terminal: int, file: FileIO) -> None:
        self._reader, self.writer = os.pipe()
        self._terminal = terminal
        self._file = file
        self._is_copied = threading.Event()
        self._is_copied.set()
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def _copy(self) -> None:
        while chunk := os.read(self._reader, 65536):
            self._is_copied.clear()
            chunk = _NOISE.sub(b"", chunk).translate(None, _CONTROL_BYTES)
            for write in (lambda data: os.write(self._terminal, data), self._file.write):
                with contextlib.suppress(OSError):  # a closed terminal or a full disk must not end the run
                    write(chunk)
            self._is_copied.set()

    def drain(self) -> None:
        """Wait until the pipe is empty and its content is in the file, at most `DRAIN_SECONDS` for each."""
        end = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < end and select.select([self._reader], [], [], 0)[0]:
            time.sleep(0.001)
        self._is_copied.wait(DRAIN_SECONDS)

    def close(self) -> None:
        """Close the file once everybody has closed the pipe."""
        self._thread.join(timeout=1)  # a process that the notebook left behind may hold the pipe open
        if not self._thread.is_alive():
            self._file.close()


def _open_log(path: str, flags: int) -> int:
    """Open a log, which a notebook may have replaced: never a file elsewhere, and never a pipe, which would keep this waiting."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


@contextlib.contextmanager
def tee(path: Path) -> Iterator[None]:
    """Copy everything that this process and its children print to `path` as well.

    It works on file descriptors, since a kernel that crashes prints from C. Each attempt of a retried run is appended.
    Where the folder is gone (the job was deleted), nothing is copied.
    """
    try:
        file = open(path, "ab", buffering=0, opener=_open_log)  # noqa: SIM115 (the copier closes it)
    except OSError:
        yield
        return
    before = [os.dup(1), os.dup(2)]
    copier = _Copier(before[0], file)
    _flush()
    os.dup2(copier.writer, 1)
    os.dup2(copier.writer, 2)
    os.close(copier.writer)
    _terminal.append(before[1])
    _drains.append(copier.drain)
    try:
        yield
    finally:
        _terminal.pop()
        _drains.pop()
        _flush()
        os.dup2(before[0], 1)
        os.dup2(before[1], 2)
        copier.close()


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def drain() -> None:
    """Wait until everything that was printed is in the file."""
    _flush()
    if _drains:
        _drains[-1]()


def note(path: Path, text: str) -> None:
    """Write a line to the log at `path` and to this process's own output, at once: printed text takes its time to get there."""
    line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} WARNING {text}\n".encode(errors="replace")
    with contextlib.suppress(OSError):
        os.write(_terminal[-1], line)
    with contextlib.suppress(OSError), open(path, "ab", buffering=0, opener=_open_log) as file:
        file.write(line)

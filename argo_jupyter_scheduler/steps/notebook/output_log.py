"""Writes the printed output of cells as lines of the run's log."""

from __future__ import annotations

import re
from collections.abc import Callable

TERMINAL_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
"""Control sequences of terminals (ECMA-48): colours, and the errors of R and Julia."""

MAX_LINE_CHARACTERS = 10_000


def remove_terminal_sequences(text: str) -> str:
    """Return a text without colours and other control sequences."""
    return TERMINAL_SEQUENCES.sub("", text)


class OutputLog:
    """Turns a stream of text into lines. A progress bar, which overwrites its line, is the line that it ends with.

    Parameters
    ----------
    write
        Takes a line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._rest: dict[str, str] = {}

    def feed(self, stream: str, text: str) -> None:
        """Take more text of a stream, such as ``stdout``."""
        *lines, rest = (self._rest.get(stream, "") + text).split("\n")
        for line in lines:
            self._write_line(line)
        shown = rest.rstrip("\r")
        self._rest[stream] = shown.rpartition("\r")[2][-MAX_LINE_CHARACTERS:] + rest[len(shown) :]

    def flush(self) -> None:
        """Write what has no end of line yet."""
        for rest in self._rest.values():
            if rest.strip():
                self._write_line(rest)
        self._rest.clear()

    def _write_line(self, line: str) -> None:
        shown = line.rstrip("\r").rpartition("\r")[2]
        self._write(remove_terminal_sequences(shown)[:MAX_LINE_CHARACTERS])

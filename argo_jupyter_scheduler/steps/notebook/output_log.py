"""The printed output of cells, as JupyterLab shows it and as lines of the run's log."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

TERMINAL_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
"""Control sequences of terminals (ECMA-48): colours, and the errors of R and Julia."""

MAX_LINE_CHARACTERS = 10_000


def remove_terminal_sequences(text: str) -> str:
    """Return a text without colours and other control sequences."""
    return TERMINAL_SEQUENCES.sub("", text)


_ERASE = re.compile(r"\x1b\[[02]?K")
"""The sequence that pip and others print to erase the line."""

_CURSOR = re.compile("([\b\r])")


def join_streams(notebook: Any) -> None:
    """Join what each cell of a notebook printed, in place, as JupyterLab does: a progress bar is one line, not one a step."""
    for cell in notebook.cells:
        joined: list[Any] = []
        texts: list[list[str]] = []
        for output in cell.get("outputs") or ():
            is_stream = output.output_type == "stream"
            if is_stream and joined and joined[-1].output_type == "stream" and joined[-1].name == output.name:
                texts[-1].append(output.text)
                continue
            joined.append(output)
            texts.append([output.text] if is_stream else [])
        for output, parts in zip(joined, texts, strict=True):
            if parts:
                output.text = apply_overwriting("".join(parts))
        if joined:
            cell.outputs = joined


def apply_overwriting(text: str) -> str:
    """Return a text as JupyterLab shows it: in a line, backspaces erase, and what follows a carriage return overwrites."""
    if "\b" not in text and "\r" not in text:
        return text
    return "\n".join(map(_overwrite, text.split("\n")))


def _overwrite(line: str) -> str:
    shown: list[str] = []
    cursor = 0
    for part in _CURSOR.split(line):
        if part == "\r":
            cursor = 0
        elif part == "\b":
            del shown[max(cursor - 1, 0) : cursor + 1 if cursor else 0]
            cursor = max(cursor - 1, 0)
        else:
            end = len(shown) if _ERASE.search(part) else cursor + len(part)
            shown[cursor:end] = part
            cursor += len(part)
    return "".join(shown)


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

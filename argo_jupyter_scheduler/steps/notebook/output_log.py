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


_BACKSPACE = re.compile(r"[^\n]\x08")
_ERASE = re.compile(r"\x1b\[[02]?K")
"""The sequence that pip and others print to erase the line."""

_END_OF_LINE = re.compile(r"\r+\n")


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
    """Return a text as a terminal shows it whose backspaces and carriage returns overwrite what is before."""
    while "\b" in text and (shorter := _BACKSPACE.sub("", text)) != text:
        text = shorter
    if "\r" not in text:
        return text
    return "\n".join(map(_overwrite, _END_OF_LINE.sub("\n", text).split("\n")))


def _overwrite(line: str) -> str:
    shown = ""
    for part in line.split("\r"):
        shown = part if _ERASE.search(part) else part + shown[len(part) :]
    return shown


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

"""The progress of a job by its cells: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from tqdm import tqdm

from argo_jupyter_scheduler.domain.status import COMPLETED
from argo_jupyter_scheduler.storage.folders import whole_number

LINE_INTERVAL_SECONDS = 1.0
"""How long after a plain line the next one may come, unless the status has changed, and how often a bar shows the time."""

BAR_FORMAT = "{desc} |{bar:20}| {elapsed}{postfix}"


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    status
        The job's.
    cell
        The number of the cell that is being executed, from 1; 0 before the first.
    cells
        How many cells the notebook has; 0 where that is unknown.
    """

    status: str
    cell: int
    cells: int

    @property
    def text(self) -> str:
        """The progress in words, such as ``cell 3 of 7``."""
        return f"cell {self.cell} of {self.cells}"

    @property
    def done(self) -> int:
        """How many cells have been executed."""
        return self.cells if self.status == COMPLETED else max(self.cell - 1, 0)


def progress_of(status: str, reported: dict[str, Any], cells: int) -> Progress:
    """Return the progress of a run, in cells of the user's notebook.

    Parameters
    ----------
    status
        The job's.
    reported
        The content of ``progress.json``.
    cells
        How many cells the input has; 0 where that is unknown.
    """
    cells = cells or whole_number(reported, "cells")
    cell = min(whole_number(reported, "cell"), cells)
    return Progress(status, cell, cells)


def count_cells(notebook: Path) -> int:
    """Return how many cells a notebook has; 0 if it cannot be read, which the run reports."""
    try:
        return len(json.loads(notebook.read_text(encoding="utf-8"))["cells"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


class ProgressBar:
    """Shows the progress of one run on a stream.

    On a terminal it is a bar, from the beginning. Elsewhere it is a line for each status, and for each cell that is seen.

    Parameters
    ----------
    title
        The name of the notebook or job definition.
    cells
        How many cells the notebook has.
    leave
        Whether something of it stays. Where it does not, nothing is written if `stream` is not a terminal.
    stream
        Where it is written; by default standard error.
    clock
        Returns the time in seconds.
    """

    def __init__(
        self,
        title: str,
        cells: int,
        leave: bool = True,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._title = title
        self._leave = leave
        self._stream = stream or sys.stderr
        self._shown: Progress | None = None
        self._shown_at = -float("inf")
        self._clock = clock
        self.cells = cells
        self._bar: tqdm[Any] | None = None
        if self._stream.isatty():
            start = Progress("", 0, cells)
            self._bar = tqdm(
                desc=f"{title}: {start.text}",
                total=cells or None,
                file=self._stream,
                bar_format=BAR_FORMAT,
                # 80 columns where a terminal does not know its size; tqdm would write nothing there.
                ncols=shutil.get_terminal_size().columns - 1,
                nrows=20,
                mininterval=0,
                leave=leave,
            )

    def show(self, progress: Progress) -> None:
        """Show a progress, if it is another than before."""
        if progress == self._shown:
            if self._bar is not None and self._clock() - self._shown_at > LINE_INTERVAL_SECONDS:
                self._bar.refresh()  # the time goes on
                self._shown_at = self._clock()
            return
        if self._bar is not None:
            self._bar.total, self._bar.n = progress.cells or None, progress.done
            self._bar.set_description_str(f"{self._title}: {progress.text}", refresh=False)
            self._bar.set_postfix_str(progress.status)
            self._shown, self._shown_at = progress, self._clock()
        elif self._leave:
            self._write_line(progress)

    def _write_line(self, progress: Progress) -> None:
        has_new_status = self._shown is None or progress.status != self._shown.status
        if has_new_status or self._clock() - self._shown_at > LINE_INTERVAL_SECONDS:
            print(f"{self._title}: {progress.status}, {progress.text}", file=self._stream, flush=True)
            self._shown, self._shown_at = progress, self._clock()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.leave = (
                self._leave and self._shown is not None
            )  # a job that was refused had no progress
            self._bar.close()

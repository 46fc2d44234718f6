"""Follows a notebook's execution: the progress that the command line shows, the run's log, and whether the job is still wanted."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import RunEnded
from argo_jupyter_scheduler.domain.text import format_elapsed, shorten
from argo_jupyter_scheduler.steps.context import PROGRESS, Context, log
from argo_jupyter_scheduler.steps.notebook.cells import Cell, CellFailure, tags_of
from argo_jupyter_scheduler.steps.notebook.output_log import OutputLog, remove_terminal_sequences

if TYPE_CHECKING:
    import nbformat

INJECTED_TAG = "injected-parameters"
"""papermill's tag of the cell that sets the parameters."""

CHECK_SECONDS = 1.0
"""How often the job's row is read. By the clock: a notebook may have thousands of short cells."""

WRITE_SECONDS = 0.2
"""How often the progress is written."""

SOURCE_LENGTH = 200
"""Characters of a cell's first line that are shown beside the progress."""

MAX_PRINTED_CHARACTERS = 500
"""Of what a cell printed last, for the message of a kernel that stopped without a reply."""


class Progress:
    """Follows one run.

    Parameters
    ----------
    context
        The run.

    Attributes
    ----------
    number
        The current cell's number in the input notebook, from 1; 0 before the first, and for the cell that sets the parameters.
    printed
        The last output of the current cell.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self.number = 0
        self.printed = ""
        self._cells = 0
        self._adds_cell = False
        self._added_at: int | None = None
        self._output = OutputLog(lambda line: log.info("%s", line))
        self._begun = 0.0
        self._checked_at = self._written_at = 0.0
        self._unwritten: dict[str, int | str] | None = None

    def follow(self, notebook: nbformat.NotebookNode) -> None:
        """Follow the execution of this input."""
        self._cells = len(notebook.cells)
        # papermill replaces the cell that an earlier run of it injected, else it adds one.
        self._adds_cell = not any(is_injected(cell) for cell in notebook.cells)

    def number_in_input(self, index: int) -> int:
        """Return which cell of the input, from 1, is at an index of the executed notebook; 0 for the added one."""
        if self._added_at is None or index < self._added_at:
            return index + 1
        return index if index > self._added_at else 0

    def begin_cell(self, cell: Cell, index: int) -> None:
        """Report that a cell begins.

        Raises
        ------
        RunEnded
            The job was stopped or deleted; a stop that the engine could not carry out ends the run here at the latest.
        """
        if self._adds_cell and is_injected(cell):
            self._added_at = index
        self.number = self._context.cell = self.number_in_input(index)
        self.printed = ""
        self._begun = time.monotonic()
        self._unwritten = {
            "cell": self.number,
            "cells": self._cells,
            "attempt": self._context.attempt,
            "source": shorten(
                next(filter(None, map(str.strip, cell.source.splitlines())), ""), SOURCE_LENGTH
            ),
        }
        self._write_if_due()
        if self._begun - self._checked_at >= CHECK_SECONDS:
            self._checked_at = self._begun
            if not self._is_live():
                raise RunEnded(messages.runs.STOPPED_WHILE_RUNNING)

    def end_cell(self, cell: Cell, index: int, failure: CellFailure | None) -> None:
        """Log how long a cell took, and its traceback if it failed."""
        self._output.flush()
        if cell.cell_type != "code" or not cell.source.strip() or not self.number:
            return
        took = format_elapsed(time.monotonic() - self._begun)
        log.info("Cell %d of %d: %s", self.number, self._cells, took)
        if failure and failure.traceback:
            log.info("Traceback of cell %d:\n%s", self.number, remove_terminal_sequences(failure.traceback))

    def read_output(self, output: Cell) -> None:
        """Log what a cell printed or displayed."""
        if output.output_type == "stream":
            text = _joined(output.text)
            self._output.feed(output.name, text)
        elif output.output_type == "error":
            return  # logged at the cell's end
        else:
            text = _joined(output.data.get("text/plain", ""))
            if text:
                self._output.feed("display", f"{text}\n")
        self.printed = (self.printed + text)[-MAX_PRINTED_CHARACTERS:]

    def tick(self) -> None:
        """Write the progress of a cell that takes long."""
        self._write_if_due()

    def finish(self) -> None:
        """Write the progress of the last cell."""
        self._written_at = 0.0
        self._write_if_due()

    def _write_if_due(self) -> None:
        now = time.monotonic()
        if self._unwritten and now - self._written_at >= WRITE_SECONDS:
            with contextlib.suppress(OSError):  # a full disk: the command line's bar is not worth a run
                self._context.folder.write(PROGRESS, self._unwritten)
            self._written_at, self._unwritten = now, None

    def _is_live(self) -> bool:
        try:
            return self._context.database.is_live(self._context.job_id)
        except SQLAlchemyError as error:  # a database that is away for a moment ends no run
            log.warning("The job's row could not be read: %s", error)
            return True


def is_injected(cell: Any) -> bool:
    """Return whether papermill made a cell, to set the parameters."""
    return INJECTED_TAG in tags_of(cell)


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)

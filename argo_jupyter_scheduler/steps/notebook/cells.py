"""Facts about the execution of a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Cell: TypeAlias = Any
"""A cell or an output, an ``nbformat.NotebookNode``, which has no types."""


def tags_of(cell: Cell) -> list[str]:
    """Return a cell's tags."""
    return list(cell.metadata.get("tags") or [])


@dataclass(frozen=True)
class CellFailure:
    """Why a cell ended the run.

    Attributes
    ----------
    index
        The cell's index in the executed notebook.
    name, value
        Type and text of its exception; either may be empty.
    traceback
        Its traceback, with the control sequences of terminals; may be empty.
    """

    index: int
    name: str
    value: str
    traceback: str = ""

    @property
    def is_clean_exit(self) -> bool:
        """Whether the cell ended the run on purpose and successfully, such as with ``sys.exit()``."""
        return self.name == "SystemExit" and self.value in ("", "0", "None")


class CellObserver(Protocol):
    """An observer of the execution."""

    def begin_cell(self, cell: Cell, index: int) -> None:
        """Note that a cell begins; raises `RunEnded` to end the run."""

    def end_cell(self, cell: Cell, index: int, failure: CellFailure | None) -> None:
        """Note that a cell has ended."""

    def read_output(self, output: Cell) -> None:
        """Note what a cell printed or displayed."""

    def tick(self) -> None:
        """Do what is due by the clock; called every second while a cell runs."""

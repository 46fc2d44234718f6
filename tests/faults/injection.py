"""Chooses where a process breaks; see `tests.faults.injected`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

INJECTED = Path(__file__).parent / "injected"

STEPS, SERVER = "argo_jupyter_scheduler.steps", "jupyter_server"
"""Words of the command lines of processes that can be broken."""


@dataclass
class Injection:
    """A fault of one process of a trial.

    Attributes
    ----------
    target
        Which process: a word of its command line.
    watched
        Folders: a change of a file in them is a point.
    state
        A folder of the trial, for what processes say of it.
    kind
        ``kill``: SIGKILL at that point. ``full`` and ``read-only``: from that point on, each write fails so.
    at
        The number of the point, from 1; 0 for none.
    """

    target: str
    watched: tuple[Path, ...]
    state: Path
    kind: str = "kill"
    at: int = 0

    def environment(self) -> dict[str, str]:
        """Return the variables that the process needs."""
        self.state.mkdir(exist_ok=True)
        fault = {
            "target": self.target,
            "kind": self.kind,
            "at": self.at,
            "state": str(self.state),
            "watched": [str(path) for path in self.watched],
        }
        path = os.pathsep.join([str(INJECTED), *filter(None, [os.environ.get("PYTHONPATH")])])
        return {"FAULT_INJECTION": json.dumps(fault), "PYTHONPATH": path}

    def arm(self) -> None:
        """Let points count from now on."""
        self.state.mkdir(exist_ok=True)
        (self.state / "armed").touch()

    def disarm(self) -> None:
        """End the fault: the cause is gone."""
        (self.state / "armed").unlink(missing_ok=True)

    @property
    def points(self) -> list[str]:
        """The points that were reached, in words."""
        try:
            return (self.state / "points").read_text().splitlines()
        except FileNotFoundError:
            return []

    @property
    def happened(self) -> bool:
        """Whether the process reached the chosen point."""
        return (self.state / "broken").exists()

"""The seam between the scheduler and the place where notebooks run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Observation:
    """What an engine knows of a run that its row does not say.

    Attributes
    ----------
    ended
        Whether the run is over: its row must get an end. Which one, its files say: an engine's word is no proof that a run
        did its work (Argo calls a workflow whose pod was lost Succeeded).
    message
        Why it ended, or why it still waits, in the engine's own words.
    """

    ended: bool
    message: str


class Engine(ABC):
    """A place where notebooks run.

    All methods block; the scheduler calls them off the event loop. They know runs by their id only: what a run is, its row and
    its folder say. Every method may be called twice.
    """

    @abstractmethod
    def run_settings(self) -> dict[str, Any]:
        """Return what this engine's steps need beside what every step needs; it becomes part of ``run.json``."""

    @abstractmethod
    def new_row(self) -> dict[str, Any]:
        """Return the columns that mark a new job as this engine's."""

    @abstractmethod
    def submit(self, job_id: str) -> None:
        """Start a run whose row and folder are ready, or line it up.

        Raises
        ------
        EngineUnavailable, EngineRefused
            It was not started, and will not be.
        """

    @abstractmethod
    def stop(self, job_id: str) -> None:
        """End a run whose row already says STOPPED; one that has ended or never was is no error."""

    @abstractmethod
    def delete(self, job_id: str) -> None:
        """End a run and forget it; one that never was is no error."""

    @abstractmethod
    def observe(self, jobs: Sequence[dict[str, Any]]) -> dict[str, Observation]:
        """Return what is known of the given live jobs (rows); a job about which there is nothing to say is left out."""

"""The seam between the scheduler and the place where notebooks run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
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
    stopped
        Whether somebody, or the next run, ended it.
    """

    ended: bool
    message: str
    stopped: bool = False


@dataclass(frozen=True)
class ScheduledRun:
    """A definition's run that an engine has started by itself.

    Attributes
    ----------
    job_id, job_definition_id
        Whose run it is.
    create_time
        When it was made, in milliseconds since 1970.
    token
        What names it in its engine.
    """

    job_id: str
    job_definition_id: str
    create_time: int
    token: str


@dataclass(frozen=True)
class Sight:
    """What an engine sees at one moment.

    Attributes
    ----------
    jobs
        What is known of live jobs, by their id; one about which there is nothing to say is left out.
    runs
        Runs of definitions that should have written their row by now.
    others
        Ids of runs that are under way and were not asked about: their rows should not say otherwise.
    """

    jobs: dict[str, Observation] = field(default_factory=dict)
    runs: list[ScheduledRun] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


class Engine(ABC):
    """A place where notebooks run.

    All methods block; the scheduler calls them off the event loop. They know runs and definitions by their id: what a run is, its
    row and its folder say. Every method may be called twice.
    """

    keeps_schedules: bool
    """Whether the engine starts the runs of definitions by itself, also while JupyterLab is off."""

    longest_run = 0
    """How many seconds a run may take at most; 0 for as long as it wants."""

    shares_machine = False
    """Whether runs are on the server's own machine, with the kernels that are there."""

    no_images = ""
    """Why a job cannot ask for an image here; empty where it can."""

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
        """End a run and forget it, while its row is still there; one that never was is no error."""

    @abstractmethod
    def observe(
        self, jobs: Sequence[dict[str, Any]], definitions: Sequence[str], anyway: bool = False
    ) -> Sight:
        """Return what is known of the given live jobs (rows), and the runs of the given definitions (ids).

        Parameters
        ----------
        anyway
            Whether to look for other runs too where both are empty.
        """

    def exists(self, job_id: str) -> bool:
        """Return whether the engine knows the run of a row."""
        return True

    def schedule(self, definition: dict[str, Any]) -> None:  # noqa: B027 (an engine need not keep schedules)
        """Make the engine's schedule of a definition what its row says, whatever there is: made, changed, paused or resumed.

        Raises
        ------
        EngineUnavailable, EngineRefused
            It is not so, or not yet.
        """

    def unschedule(self, job_definition_id: str) -> None:  # noqa: B027
        """Forget a definition's schedule; one that is gone is no error."""

    def end_runs(self, job_definition_id: str) -> None:  # noqa: B027
        """End the scheduled runs of a definition that has no schedule any more, also those that have no row yet."""

    def outdated(self, definitions: Sequence[tuple[str, str | None]]) -> list[str]:
        """Return those of the definitions, given with their compute types, whose schedule was made of another configuration."""
        return []

    def unscheduled(self, definitions: Sequence[str]) -> list[str]:
        """Return those of the definitions (ids) that the engine does not know."""
        return []

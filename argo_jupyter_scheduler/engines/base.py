"""The contract between jobs and the place where notebooks run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow, ScheduleRow


@dataclass(frozen=True)
class Observation:
    """The state of a run as its engine knows it, beyond its row.

    Attributes
    ----------
    ended
        Whether the run is over, so its row must get an end status. The run's files decide which one: an engine's word does not
        prove that a run did its work (Argo calls a workflow whose pod was lost Succeeded).
    message
        Why it ended, or why it still waits, in the engine's own words.
    stopped
        Whether a person, or the next run, ended it.
    attempts
        How many attempts there were, as far as the engine knows.
    """

    ended: bool
    message: str
    stopped: bool = False
    attempts: int = 1


@dataclass(frozen=True)
class ScheduledRun:
    """A definition's run that an engine has started by itself.

    Attributes
    ----------
    job_id, job_definition_id
        Whose run it is.
    create_time
        When it was created, in milliseconds since 1970.
    token
        Its name in the engine; becomes ``idempotency_token``.
    """

    job_id: str
    job_definition_id: str
    create_time: int
    token: str


@dataclass(frozen=True)
class Snapshot:
    """The observations of an engine at one moment.

    Attributes
    ----------
    jobs
        The observations of live jobs, by their id. A job about which nothing is known is missing.
    runs
        Runs of definitions that should have written their row by now.
    others
        Ids of runs in progress that were not asked about: their rows should not be in an end status.
    """

    jobs: dict[str, Observation] = field(default_factory=dict)
    runs: list[ScheduledRun] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


ObjectKind = Literal["workflow", "cron workflow"]

WORKFLOW: ObjectKind = "workflow"
CRON_WORKFLOW: ObjectKind = "cron workflow"


@dataclass(frozen=True, kw_only=True)
class EngineObject:
    """An object that an engine has made for a job or a definition of this server's database.

    Attributes
    ----------
    job_id
        Whose run it is; None for a schedule.
    job_definition_id
        Whose schedule, or scheduled run, it is; None for a job that a person has created.
    create_time
        When it was created, in milliseconds since 1970.
    database_id
        The database that has the rows; empty where it is unknown.
    """

    kind: ObjectKind
    name: str
    job_id: str | None
    job_definition_id: str | None
    create_time: int
    database_id: str


class Engine(ABC):
    """A place where notebooks run.

    All methods block; they are called off the event loop. Every method may be called twice with the same effect as once.
    """

    name: Literal["local", "argo"]
    """Its name in ``run.json``."""

    keeps_schedules: bool
    """Whether the engine starts the runs of definitions itself, even while JupyterLab is off."""

    longest_run_seconds = 0
    """How long a run may take at most; 0 for no limit."""

    shares_machine = False
    """Whether runs are on the server's own machine, with the kernels that are installed there."""

    no_images = ""
    """Why a job cannot ask for an image here; empty where it can."""

    description = ""
    """Where notebooks run, in words, for the server's log."""

    new_job_pid: int | None = None
    """The ``pid`` of a new job's row, by which `owns` recognises it."""

    @property
    def has_slack_token(self) -> bool:
        """Whether runs get a token for Slack from the server's configuration."""
        return False

    def find_url(self, job: JobRow) -> str | None:
        """Return the address of a job's page in the engine; None if the engine has no such page."""
        return None

    @property
    def notification_targets(self) -> tuple[str, ...]:
        """Names of the targets whose addresses runs get from the server's configuration."""
        return ()

    def count_errors(self) -> Mapping[str, int]:
        """Return how many calls of the engine's API have failed, by kind, since this process began."""
        return {}

    @abstractmethod
    def owns(self, job: JobRow) -> bool:
        """Return whether this engine executes a job."""

    @abstractmethod
    def complete_settings(self, settings: RunSettings) -> RunSettings:
        """Return a run's settings with what this engine's steps need."""

    def start(self) -> None:  # noqa: B027 (an engine need not prepare anything)
        """Do what takes time before the first run, such as reading this server's own pod.

        Other methods do it when they need it, so this call may be left out.
        """

    def close(self) -> None:  # noqa: B027
        """Release connections."""

    @abstractmethod
    def submit(self, job: JobRow) -> None:
        """Start a run whose row and folder are ready, or enqueue it.

        Raises
        ------
        EngineUnavailable, EngineRefused
            It was not started, and will not be.
        """

    @abstractmethod
    def stop(self, job: JobRow) -> None:
        """End a run whose row already is STOPPED. A run that has ended, or never existed, is not an error."""

    @abstractmethod
    def delete(self, job: JobRow) -> None:
        """End a run and forget it, while its row still exists. A run that never existed is not an error."""

    @abstractmethod
    def observe(
        self, jobs: Sequence[JobRow], definition_ids: Sequence[str], look_for_others: bool = False
    ) -> Snapshot:
        """Return what is known of live jobs, and the runs of definitions.

        Parameters
        ----------
        look_for_others
            Whether to look for other runs even where both sequences are empty.

        Raises
        ------
        EngineUnavailable, EngineRefused
            The engine does not answer.
        """

    def exists(self, job: JobRow) -> bool:
        """Return whether the engine knows a run."""
        return True

    def is_executing(self, job: JobRow) -> bool:
        """Return whether a run whose row has ended still does something, such as writing its outputs.

        Raises
        ------
        EngineUnavailable, EngineRefused
            The engine does not answer.
        """
        return False

    def schedule(self, definition: DefinitionRow) -> None:  # noqa: B027 (an engine need not keep schedules)
        """Make the engine's schedule what a definition's row says: created, changed, paused or resumed.

        Raises
        ------
        EngineUnavailable, EngineRefused
            The condition is false, or not yet true.
        """

    def unschedule(self, job_definition_id: str) -> None:  # noqa: B027
        """Forget a definition's schedule. One that does not exist is not an error."""

    def end_runs(self, job_definition_id: str) -> None:  # noqa: B027
        """End the scheduled runs of a definition whose schedule is gone, also those without a row."""

    def find_outdated(self, schedules: Sequence[ScheduleRow]) -> list[str]:
        """Return the ids of definitions whose schedule was made with another configuration."""
        return []

    def find_unscheduled(self, definition_ids: Sequence[str]) -> list[str]:
        """Return the ids of definitions that the engine does not know."""
        return []

    def list_objects(self) -> list[EngineObject]:
        """Return the objects that are provably of this server's database.

        Raises
        ------
        EngineUnavailable, EngineRefused
            The engine does not answer.
        """
        return []

    def delete_object(self, found: EngineObject) -> None:  # noqa: B027
        """Delete an object of `list_objects`; a run in it ends. One that does not exist is not an error.

        Raises
        ------
        EngineUnavailable, EngineRefused
            It still exists.
        """

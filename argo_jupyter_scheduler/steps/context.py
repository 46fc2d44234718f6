"""What every step is given."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from argo_jupyter_scheduler.database import Database
from argo_jupyter_scheduler.files import RunFolder

log = logging.getLogger("argo_jupyter_scheduler")


@dataclass(frozen=True)
class Scheduled:
    """What Argo tells a scheduled run of itself.

    Attributes
    ----------
    job_definition_id
        The definition whose run this is.
    workflow
        The workflow's name.
    created
        Its ``creationTimestamp``, in RFC 3339.
    """

    job_definition_id: str
    workflow: str
    created: str


@dataclass
class Context:
    """One run, as its steps see it.

    Attributes
    ----------
    job_id
        The run's id.
    database
        Where its row is.
    folder
        Where its files are.
    failures
        Argo's ``{{workflow.failures}}``, for the exit handler; else empty.
    scheduled
        For a scheduled run on Argo, whose row and folder `create-job-id` makes.
    attempt, retries
        Which attempt this is, from 0, and how many there may be after the first.
    deadline
        When the run's time is over (``time.monotonic``); None where nothing or Argo limits it.
    """

    job_id: str
    database: Database
    folder: RunFolder
    failures: str = ""
    scheduled: Scheduled | None = None
    attempt: int = 0
    retries: int = 0
    deadline: float | None = None
    error: str | None = field(default=None, init=False)
    """What an earlier step of this process failed with; the message for the user."""
    ended: bool = field(default=False, init=False)
    """Whether that was because this process was told to end, or its time was over."""
    over: bool = field(default=False, init=False)
    """Whether the run has ended before this process came to it: no step is left to run."""

    @property
    def is_tried_again(self) -> bool:
        """Whether another attempt follows this failed one."""
        return bool(self.error) and not self.over and self.attempt < self.retries

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
    """

    job_id: str
    database: Database
    folder: RunFolder
    failures: str = ""
    scheduled: Scheduled | None = None
    error: str | None = field(default=None, init=False)
    """What an earlier step of this process failed with; the message for the user."""
    ended: bool = field(default=False, init=False)
    """Whether that was because this process was told to end."""
    over: bool = field(default=False, init=False)
    """Whether the run has ended before this process came to it: no step is left to run."""

"""The context that every step gets."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.argo_failures import is_time_over
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError
from argo_jupyter_scheduler.domain.options import Options, read_options
from argo_jupyter_scheduler.domain.status import COMPLETED, FAILED, STOPPED, WAITING
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder, whole_number
from argo_jupyter_scheduler.storage.schema import JobRow

log = logging.getLogger("argo_jupyter_scheduler")

RESULT = "result.json"
"""The private file in which `main` leaves its result for the steps after it, which may run in other pods."""

PROGRESS = "progress.json"
"""The private file that says which cell is being executed, as the user counts cells."""


@dataclass(frozen=True)
class Scheduled:
    """The values that Argo passes to a scheduled run about itself.

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


@dataclass(frozen=True)
class Result:
    """How `main` ended.

    Attributes
    ----------
    succeeded
        Whether the notebook was executed and every format was made; False as long as `main` has not ended.
    error
        The reason if not, for the user; None where `main` does not know it.
    attempts
        How many attempts there were.
    """

    succeeded: bool = False
    error: str | None = None
    attempts: int = 1


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
    reason
        Why the run ended, where the run itself could not say it: Argo's exit handler and the reconciler know it; else empty.
    stopped
        Whether a person, or the next run, ended it.
    scheduled
        For a scheduled run on Argo, whose row and folder `create-job-id` makes.
    attempt, retries
        Which attempt this is, from 0, and how many there may be after the first.
    deadline
        When the run's time is over (``time.monotonic``); None where nothing, or Argo, limits it.
    timeout
        How many seconds the run may take by its option; None where that is unknown here.
    slack_token
        The token of the server's configuration, for runs that have none of their own.
    addresses
        The addresses of notification targets by their names.
    """

    job_id: str
    database: Database
    folder: RunFolder
    reason: str = ""
    stopped: bool = False
    scheduled: Scheduled | None = None
    attempt: int = 0
    retries: int = 0
    deadline: float | None = None
    timeout: int | None = None
    slack_token: str = field(default="", repr=False)
    addresses: Mapping[str, str] = field(default_factory=dict, repr=False)
    error: str | None = field(default=None, init=False)
    """The failure of an earlier step of this process; the message for the user."""
    ended: bool = field(default=False, init=False)
    """Whether that was because this process was asked to end, or its time was over."""
    cell: int = field(default=0, init=False)
    """Which cell of the notebook is being executed, from 1; 0 for none."""
    kernel_program: str = field(default="", init=False)
    """The command that started the notebook's kernel; empty before that."""
    over: bool = field(default=False, init=False)
    """Whether the run was over before this process came to it, or its row is gone: no step is left to run."""
    _result: Result | None = field(default=None, init=False)
    """The result of `main` in this process, even if its file is gone."""

    @property
    def is_tried_again(self) -> bool:
        """Whether another attempt follows this failed one."""
        return bool(self.error) and not self.over and self.attempt < self.retries

    def read_result(self) -> Result:
        """Return how `main` ended, in whichever process."""
        if self._result:
            return self._result
        content = self.folder.read(RESULT)
        error, attempts = content.get("error"), whole_number(content, "attempts", 1)
        return Result(bool(content.get("succeeded")), str(error) if error else None, attempts)

    def write_result(self, result: Result) -> None:
        """Leave how `main` ended for later steps."""
        self._result = result
        self.folder.write(RESULT, asdict(result))

    def has_begun(self) -> bool:
        """Return whether a process has begun to execute the notebook in this attempt, or in a later one."""
        return whole_number(self.folder.read(PROGRESS), "attempt", -1) >= self.attempt

    def outcome(self) -> tuple[str, str]:
        """Return the run's end status and why, judged by its files first: what `main` says it did, it did.

        Returns
        -------
        status : str
            COMPLETED, FAILED or STOPPED.
        message : str
            The reason, with the number of attempts; empty for COMPLETED, and for FAILED where a later step will know it.
        """
        result = self.read_result()
        attempts = max(result.attempts, self.attempt + 1)
        error = self.error or result.error
        if error:
            return FAILED, messages.runs.after_attempts(error, attempts)
        if result.succeeded:
            return COMPLETED, ""
        if self.stopped:
            return STOPPED, self.reason
        job = self.database.get_job(self.job_id)
        reason = self._explain_deadline(job) if is_time_over(self.reason) else self.reason
        waited_for = job.status_message if job and job.status in WAITING else None
        if reason and waited_for and waited_for not in reason:  # such as an image that could not be pulled
            return FAILED, f"{reason.removesuffix('.')}.{messages.runs.STILL_WAITING}{waited_for}"
        return FAILED, messages.runs.after_attempts(reason, attempts)

    def _explain_deadline(self, job: JobRow | None) -> str:
        """Return the message for a run that Kubernetes ended at its deadline."""
        asked = Options()
        if job:
            with contextlib.suppress(ArgoSchedulerError):  # a row that another backend wrote
                asked = read_options(job.tags, job.runtime_environment_parameters, of_run=True)
        cell = whole_number(self.folder.read(PROGRESS), "cell")
        return messages.runs.timed_out(asked.timeout or None, cell)

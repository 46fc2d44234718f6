"""Shared by the steps that send messages: the report of a run's end, and the handling of a message that fails."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import MessageNotSent, RunEnded
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.domain.status import COMPLETED, FAILED, STOPPED
from argo_jupyter_scheduler.domain.text import one_line, shorten
from argo_jupyter_scheduler.notify.summary import RunSummary, summarize
from argo_jupyter_scheduler.steps import rename_files, run_log
from argo_jupyter_scheduler.steps.context import Context
from argo_jupyter_scheduler.storage.folders import FAILURES, RunFolder
from argo_jupyter_scheduler.storage.reports import FAILING, claim_report
from argo_jupyter_scheduler.storage.schema import JobRow
from argo_jupyter_scheduler.storage.statistics import count_failures, find_last_result

REPORTED_FAILURES = 3
"""How many runs of a job definition must fail in a row to be reported."""

MAX_REASON_CHARACTERS = 300
"""Of the reason why a message was not sent. It shares a column with the run's own message."""

ENDED_MEANWHILE = "the run was ended in the meantime."


@dataclass(frozen=True)
class Ending:
    """How a run ended, as its messages report it.

    Attributes
    ----------
    status, reason
        COMPLETED or FAILED, and why.
    has_changed
        Whether the definition's last run ended otherwise. Before a first run, and for a job of its own, there was no failure.
    failures
        How many runs of its definition have failed in a row, where this run is to report it; else 0.
    """

    status: str
    reason: str
    has_changed: bool
    failures: int

    @property
    def succeeded(self) -> bool:
        """Whether the run completed."""
        return self.status == COMPLETED

    @property
    def has_recovered(self) -> bool:
        """Whether the run completed after one that failed."""
        return self.succeeded and self.has_changed


def read_settings(folder: RunFolder, job: JobRow) -> RunSettings:
    """Return the run's settings, or those of its definition where the run's folder could not be made."""
    if job.job_definition_id and not folder.has_settings():
        return RunFolder(folder.path.parent, job.job_definition_id).read_settings()
    return folder.read_settings()


def find_ending(context: Context, job: JobRow) -> Ending | None:
    """Return how the run ended; None where that is nothing to report, or Argo's exit handler will know more."""
    status, reason = context.outcome()
    if status == STOPPED or (status == FAILED and not reason):
        return None
    failed_before = False
    if job.job_definition_id:
        failed_before = find_last_result(context.database, job.job_definition_id) == FAILED
    has_failed = status == FAILED
    failures = _report_failures(context, job) if has_failed else 0
    return Ending(status, reason, has_changed=has_failed != failed_before, failures=failures)


def summarize_ending(context: Context, job: JobRow, settings: RunSettings, ending: Ending) -> RunSummary:
    """Return what messages say of a run's end."""
    return summarize(
        job,
        settings,
        context.folder,
        ending.status,
        ending.reason,
        ending.failures,
        ending.has_recovered,
    )


def _report_failures(context: Context, job: JobRow) -> int:
    """Return how many runs of a definition have failed in a row, this one included, if this run is to report it; else 0.

    One run reports a streak of failures, the third or, where that could not, a later one. Its other messages, and a process that
    sends them after another one has died, find that in the run's folder.
    """
    if not job.job_definition_id:
        return 0
    reported = context.folder.read(FAILURES).get("failures")
    if reported:
        return int(reported)
    before, success = count_failures(context.database, job.job_definition_id)
    definition = RunFolder(context.folder.path.parent, job.job_definition_id)
    if before + 1 < REPORTED_FAILURES or not claim_report(definition, FAILING, success):
        return 0
    with contextlib.suppress(OSError):  # a full disk, or a folder that is gone
        context.folder.write(FAILURES, {"failures": before + 1})
    return before + 1


def explain(error: Exception) -> str:
    """Return why no message was sent, on one line."""
    if isinstance(error, RunEnded):  # the rest of the run continues, and soon
        return ENDED_MEANWHILE
    reason = str(error) if isinstance(error, MessageNotSent) else messages.server.unexpected_error(error)
    return shorten(one_line(reason), MAX_REASON_CHARACTERS)


def note(folder: RunFolder, job: JobRow | None, text: str) -> None:
    """Write a line to the run's log, and publish the log again."""
    run_log.note(folder.log, text)
    if job and "log" in (job.output_formats or ()):
        with contextlib.suppress(OSError):
            rename_files.publish(folder, job, ["log"])

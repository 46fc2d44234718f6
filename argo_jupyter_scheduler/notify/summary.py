"""A summary of a run for the person who waits for it: facts without a service's markup."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.domain.status import COMPLETED
from argo_jupyter_scheduler.domain.text import format_limit
from argo_jupyter_scheduler.storage.folders import RunFolder, is_plain_file
from argo_jupyter_scheduler.storage.output_names import output_filename
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow


@dataclass(frozen=True)
class RunSummary:
    """A run that has ended.

    Attributes
    ----------
    name
        The job's name, else that of its input; on one line.
    input_filename
        The input's name.
    duration
        How long it took; empty where that is unknown.
    place
        Where it ran.
    reason
        Why it failed; empty if it completed.
    attachment
        The file that goes with the message; None for none.
    attachment_name
        The name that the panel gives it.
    failures
        How many runs of its definition have failed in a row, where this is to be reported; else 0.
    has_recovered
        Whether it completed and the last run of its definition failed.
    link
        Where a person reaches the result; empty where that is unknown.
    """

    name: str
    input_filename: str
    duration: str
    place: str
    reason: str
    attachment: Path | None = None
    attachment_name: str = ""
    failures: int = 0
    has_recovered: bool = False
    link: str = ""

    @property
    def facts(self) -> list[str]:
        """The facts about it, in short."""
        return [fact for fact in (self.input_filename, self.duration, self.place) if fact]

    @property
    def event(self) -> str:
        """The event, in words that follow the name."""
        if self.reason:
            return "has failed"
        return "has recovered" if self.has_recovered else "has completed"


@dataclass(frozen=True)
class LateSummary:
    """A scheduled run that did not begin in time.

    Attributes
    ----------
    name
        The definition's name, else that of its input; on one line.
    input_filename
        The input's name.
    due
        When it should have begun.
    grace
        How late it may begin.
    reason
        The facts about it.
    """

    name: str
    input_filename: str
    due: str
    grace: str
    reason: str
    event = "did not start in time"
    """The event, in words that follow the name."""

    @property
    def facts(self) -> list[str]:
        """The facts about it, in short."""
        return [self.input_filename, f"due {self.due}", f"grace {self.grace}"]


def summarize_late(definition: DefinitionRow, due: datetime, grace: int, reason: str) -> LateSummary:
    """Return what is known of a scheduled run that did not begin in time.

    Parameters
    ----------
    definition
        The row of its definition.
    due
        When it should have begun, in the schedule's time zone.
    grace
        How many seconds late it may begin.
    reason
        The facts about it.
    """
    return LateSummary(
        name=_name(definition),
        input_filename=definition.input_filename,
        due=due.strftime("%Y-%m-%d %H:%M %Z"),
        grace=format_limit(grace),
        reason=reason,
    )


def summarize(
    job: JobRow,
    settings: RunSettings,
    folder: RunFolder,
    status: str,
    reason: str,
    failures: int = 0,
    has_recovered: bool = False,
) -> RunSummary:
    """Return what happened in a run.

    Parameters
    ----------
    job
        The run's row.
    settings
        The run's settings.
    folder
        The run's folder.
    status
        COMPLETED or FAILED. The row does not say it yet.
    reason
        Why it failed; empty if it completed.
    failures
        How many runs of its definition have failed in a row, where this is to be reported; else 0.
    has_recovered
        Whether it completed and the last run of its definition failed.
    """
    attachment, attachment_name = _choose_attachment(job, folder, status)
    return RunSummary(
        name=_name(job),
        input_filename=job.input_filename,
        duration=format_duration(now_ms() - job.start_time) if job.start_time else "",
        place=_describe_place(job, settings),
        reason=reason,
        attachment=attachment,
        attachment_name=attachment_name,
        failures=failures,
        has_recovered=has_recovered,
        link=_make_link(job, settings.notifications.public_url),
    )


def format_duration(milliseconds: int) -> str:
    """Return a duration as a person says it, such as ``3 min 20 s``."""
    minutes, seconds = divmod(max(milliseconds, 0) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _name(row: JobRow | DefinitionRow) -> str:
    return " ".join((row.name or row.input_filename).split())


def _make_link(job: JobRow, public_url: str) -> str:
    return f"{public_url.rstrip('/')}/argo-scheduler/jobs/{job.job_id}/result" if public_url else ""


def _describe_place(job: JobRow, settings: RunSettings) -> str:
    if settings.namespace:
        return f"on Argo, {settings.namespace}/{job.workflow_name}"
    return f"on {socket.gethostname()}"


def _choose_attachment(job: JobRow, folder: RunFolder, status: str) -> tuple[Path | None, str]:
    """Return the file to send and its name: after a success what a reader opens, after a failure the notebook so far."""
    by_preference = sorted(job.output_formats or (), key=lambda output_format: output_format != "html")
    suffixes = folder.suffixes(by_preference if status == COMPLETED else ["ipynb"])
    for output_format, suffix in suffixes.items():
        path = folder.output(output_format)
        if is_plain_file(path) and path.stat().st_size:  # Slack refuses an empty one
            return path, output_filename(job.input_filename, job.create_time, suffix)
    return None, ""

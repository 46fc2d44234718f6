"""What happened in a run, for the person who waits for it: facts without a service's markup."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.domain.status import COMPLETED
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.output_names import output_filename
from argo_jupyter_scheduler.storage.schema import JobRow


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
    """

    name: str
    input_filename: str
    duration: str
    place: str
    reason: str
    attachment: Path | None = None
    attachment_name: str = ""


def summarize(job: JobRow, settings: RunSettings, folder: RunFolder, status: str, reason: str) -> RunSummary:
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
    """
    attachment, attachment_name = _choose_attachment(job, folder, status)
    return RunSummary(
        name=" ".join((job.name or job.input_filename).split()),
        input_filename=job.input_filename,
        duration=format_duration(now_ms() - job.start_time) if job.start_time else "",
        place=_describe_place(job, settings),
        reason=reason,
        attachment=attachment,
        attachment_name=attachment_name,
    )


def format_duration(milliseconds: int) -> str:
    """Return a duration as a person says it, such as ``3 min 20 s``."""
    minutes, seconds = divmod(max(milliseconds, 0) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _describe_place(job: JobRow, settings: RunSettings) -> str:
    if settings.namespace:
        return f"on Argo, {settings.namespace}/{job.workflow_name}"
    return f"on {socket.gethostname()}"


def _choose_attachment(job: JobRow, folder: RunFolder, status: str) -> tuple[Path | None, str]:
    """Return the file to send and its name: after a success what a reader opens, after a failure the notebook so far."""
    by_preference = sorted(job.output_formats or (), key=lambda output_format: output_format != "html")
    for output_format in by_preference if status == COMPLETED else ["ipynb"]:
        path = folder.output(output_format)
        if path.is_file() and path.stat().st_size:  # Slack refuses an empty one
            suffix = folder.suffix_of(output_format)
            return path, output_filename(job.input_filename, job.create_time, suffix)
    return None, ""

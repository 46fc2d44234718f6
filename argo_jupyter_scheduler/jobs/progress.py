"""The progress of a run, read from the file that its process writes."""

from __future__ import annotations

from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.options import read_attempts
from argo_jupyter_scheduler.jobs.answers import Progress
from argo_jupyter_scheduler.steps.context import PROGRESS
from argo_jupyter_scheduler.storage.folders import RunFolder, whole_number
from argo_jupyter_scheduler.storage.schema import JobRow, ShownJob


def read_progress(folder: RunFolder, job: JobRow | ShownJob, estimated_seconds: float | None) -> Progress:
    """Return the progress of a job; what is unknown is 0 or empty.

    Parameters
    ----------
    folder
        The job's staging folder.
    job
        Its row.
    estimated_seconds
        How long the run is likely to take; None where that is unknown.
    """
    written = folder.read(PROGRESS)
    return Progress(
        cell=whole_number(written, "cell"),
        cells=whole_number(written, "cells"),
        source=str(written.get("source", "")),
        elapsed_seconds=elapsed_seconds(job.start_time, job.end_time),
        estimated_seconds=estimated_seconds,
        attempt=whole_number(written, "attempt", -1) + 1,
        attempts=read_attempts(job.tags, job.runtime_environment_parameters),
    )


def elapsed_seconds(start_time: int | None, end_time: int | None = None) -> float:
    """Return how long a job has been running, or ran; 0 before it starts, or where the clock of its pod is ahead."""
    return 0.0 if start_time is None else max((end_time or now_ms()) - start_time, 0) / 1000

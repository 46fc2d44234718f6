"""Waits for a job that somebody started from a terminal, and reports how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

from argo_jupyter_scheduler.cli.output_files import OutputFile, copy_files, find_output_files
from argo_jupyter_scheduler.cli.progress import ProgressBar, progress_of
from argo_jupyter_scheduler.cli.tables import describe_outcome, render_json
from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, InvalidJob, JobNotFound
from argo_jupyter_scheduler.domain.status import COMPLETED, LIVE
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.steps.context import PROGRESS
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.schema import JobRow

POLL_SECONDS = 0.1
RECONCILE_SECONDS = 5.0


def wait_for_job(
    scheduler: ArgoScheduler, job_id: str, bar: ProgressBar, timeout_seconds: float = float("inf")
) -> bool:
    """Show the progress of a job until it has ended, or the time is over; return whether it has ended."""
    folder = RunFolder(scheduler.staging_path, job_id)
    begun = reconciled = time.monotonic()
    while True:
        row = scheduler.jobs.database.get_job(job_id)
        status = row.status if row else "deleted"
        bar.show(progress_of(status, folder.read(PROGRESS), bar.cells))
        if status not in LIVE:
            return True
        if time.monotonic() - begun > timeout_seconds:
            return False
        if time.monotonic() - reconciled > RECONCILE_SECONDS:
            with contextlib.suppress(ArgoSchedulerError):  # Argo is away for the moment
                scheduler.reconciler.reconcile()
            reconciled = time.monotonic()
        time.sleep(POLL_SECONDS)


def run_and_report(
    scheduler: ArgoScheduler,
    create: Callable[[], str],
    bar: ProgressBar,
    output_dir: Path | None,
    as_json: bool,
    default_dir: Path | None = None,
) -> int:
    """Create a job, wait for it, and print the files that it made and how it ended.

    Parameters
    ----------
    create
        Creates the job; returns its id.
    output_dir
        Where its files are copied; None to leave them where they are.
    default_dir
        Where they are copied without an `output_dir`, unless its run has put its outputs where the option ``output`` says.

    Returns
    -------
    int
        The exit code: 0 if it completed, else 1.

    Raises
    ------
    InvalidJob
        It was refused, with the reason that the dialog would show.
    """
    job_id = _run_and_wait(scheduler, create, bar)
    row = scheduler.jobs.database.get_job(job_id)
    if row is None:
        raise JobNotFound(messages.requests.job_not_found(job_id))
    files = _publish(find_output_files(scheduler.jobs.settings.staging_path, row), output_dir, default_dir)
    if as_json:
        print(render_json(outcome_as_json(row, files)))
    else:
        for file in files:
            print(file.place, flush=True)
    print(describe_outcome(row), file=sys.stderr)
    return int(row.status != COMPLETED)


def _run_and_wait(scheduler: ArgoScheduler, create: Callable[[], str], bar: ProgressBar) -> str:
    """Create a job and wait for its end; return its id. Ctrl+C stops it."""
    with bar:
        try:
            job_id = create()
        except Exception as error:  # whatever the dialog would show
            raise InvalidJob(str(error)) from error
        try:
            wait_for_job(scheduler, job_id, bar)
        except KeyboardInterrupt:
            asyncio.run(scheduler.stop_job(job_id))
            raise
    return job_id


def _publish(files: list[OutputFile], output_dir: Path | None, default_dir: Path | None) -> list[OutputFile]:
    """Copy the files where they belong, if anywhere; return the copies."""
    is_delivered = any(file.delivered for file in files)
    folder = output_dir or (None if is_delivered else default_dir)
    if folder is None:
        return files
    try:
        return copy_files(files, folder)
    except OSError as error:
        print(f"{folder} cannot be written: {error}. The files are in the staging area.", file=sys.stderr)
        return files


def outcome_as_json(row: JobRow, files: list[OutputFile]) -> dict[str, object]:
    """Return how a job ended, for programs."""
    return {
        "job_id": row.job_id,
        "status": row.status,
        "status_message": row.status_message,
        "files": [file.as_json() for file in files],
    }

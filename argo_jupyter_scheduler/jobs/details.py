"""Details of one job: its settings, its progress and its log."""

from __future__ import annotations

from collections.abc import Sequence

from argo_jupyter_scheduler.domain.status import COMPLETED, IN_PROGRESS, LIVE
from argo_jupyter_scheduler.jobs.answers import JobDetail, JobProgress, LogPart, Output, Progress, make_job
from argo_jupyter_scheduler.jobs.progress import read_progress
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.steps.context import RESULT
from argo_jupyter_scheduler.steps.scheduled_time import find_scheduled_time
from argo_jupyter_scheduler.storage.folders import whole_number
from argo_jupyter_scheduler.storage.log_parts import read_part
from argo_jupyter_scheduler.storage.output_names import find_output
from argo_jupyter_scheduler.storage.recent import estimate_seconds
from argo_jupyter_scheduler.storage.schema import JobRow


def describe_job(jobs: JobService, job_id: str, outputs: Sequence[Output]) -> JobDetail:
    """Return all that is shown of a job.

    Parameters
    ----------
    outputs
        Its outputs, as far as they have been fetched.

    Raises
    ------
    JobNotFound
        It does not exist.
    """
    row, folder = jobs.get_job(job_id), jobs.folder(job_id)
    engine = jobs.engine_of(row)
    progress = _read_progress(jobs, row)
    settings = folder.read_settings()
    origin = settings.origin
    has_outputs = any(
        find_output(folder.path, row.input_filename, row.create_time, suffix).is_file()
        for suffix in folder.suffixes(row.output_formats or ()).values()
    )
    return JobDetail(
        **make_job(row, progress if row.status == IN_PROGRESS else None),
        parameters=row.parameters or {},
        tags=list(row.tags or ()),
        runtime_environment_name=row.runtime_environment_name,
        input_path=origin if origin and (jobs.settings.root_dir / origin).is_file() else None,
        attempts=max(progress["attempt"], whole_number(folder.read(RESULT), "attempts")),
        engine=engine.name,
        engine_url=engine.find_url(row),
        outputs=list(outputs),
        partial=has_outputs and row.status not in (*LIVE, COMPLETED),
        scheduled_time=find_scheduled_time(jobs.database, row, settings) or None,
    )


def describe_progress(jobs: JobService, job_id: str) -> JobProgress:
    """Return how far a job is.

    Raises
    ------
    JobNotFound
        It does not exist.
    """
    row = jobs.get_job(job_id)
    return JobProgress(**_read_progress(jobs, row), status=row.status)


def read_log(jobs: JobService, job_id: str, offset: int, limit: int) -> LogPart:
    """Return a part of what a job has printed, see `read_part`.

    Raises
    ------
    JobNotFound
        It does not exist.
    """
    is_growing = jobs.get_job(job_id).status in LIVE  # asked before the file is read, so nothing is missed
    part = read_part(jobs.folder(job_id).log, offset, limit, is_growing)
    return LogPart(
        text=part.text,
        offset=part.offset,
        next_offset=part.next_offset,
        size=part.size,
        ended=not is_growing and part.next_offset == part.size,
    )


def _read_progress(jobs: JobService, row: JobRow) -> Progress:
    estimate = estimate_seconds(jobs.database, row.job_definition_id, row.input_filename)
    return read_progress(jobs.folder(row.job_id), row, estimate)

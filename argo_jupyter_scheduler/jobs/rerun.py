"""Runs a job again, with the input that it had."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import fields

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.options import remove_option
from argo_jupyter_scheduler.jobs.requests import JobRequest, RunRequest
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.steps.scheduled_time import find_scheduled_time
from argo_jupyter_scheduler.storage.atomic import copy_whole
from argo_jupyter_scheduler.storage.folders import NEW_SUFFIX, STAGED, TAKEN, RunFolder
from argo_jupyter_scheduler.storage.schema import JobRow


def rerun(jobs: JobService, job_id: str, parameters: Mapping[str, str] | None = None) -> str:
    """Run a job again, about the same moment; return the new job's id.

    Parameters
    ----------
    parameters
        Those that differ from the job's.

    Raises
    ------
    ArgoSchedulerError
        It does not exist, or cannot be run; nothing is left behind.
    """
    row = jobs.get_job(job_id)
    with _copied_input(jobs.folder(job_id), row) as folder:
        shared = {field.name for field in fields(RunRequest)} - {"input_uri"}
        given = {name: getattr(row, name) for name in shared}
        given["output_formats"] = given["output_formats"] or None
        if jobs.folder(job_id).read(TAKEN):  # what it executed is executed again, not what has become of it
            kept = remove_option("input", row.tags, row.runtime_environment_parameters)
            given["tags"], given["runtime_environment_parameters"] = kept
        given["parameters"] = {**(row.parameters or {}), **(parameters or {})} or None
        moment = find_scheduled_time(jobs.database, row, jobs.folder(job_id).read_settings())
        request = JobRequest(
            **given,
            input_uri=row.input_filename,
            job_definition_id=row.job_definition_id,
            scheduled_time=moment or None,
        )
        return jobs.create_job(request, folder.path / row.input_filename)


@contextlib.contextmanager
def _copied_input(source: RunFolder, row: JobRow) -> Iterator[RunFolder]:
    """Copy what a job was made from, without its outputs, to a folder of the staging area while this lasts.

    Raises
    ------
    InvalidJob
        The notebook is gone.
    """
    if not (source.path / row.input_filename).is_file():
        raise InvalidJob(messages.inputs.notebook_of_job_gone(row.job_id))
    copy = source.beside(NEW_SUFFIX)
    copy.create()
    try:
        copy.copy_settings(source)  # they say where the notebook came from
        # A job of an earlier version does not know which files it was made from.
        staged = source.read(STAGED) or dict.fromkeys(row.packaged_files or ())
        for name in (row.input_filename, *(name for name in staged if name != row.input_filename)):
            if (source.path / name).is_file():
                (copy.path / name).parent.mkdir(parents=True, exist_ok=True)
                copy_whole(source.path / name, copy.path / name)
        yield copy
    finally:
        copy.delete()

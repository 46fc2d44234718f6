"""The step `rename-files`: publishes the outputs under the names that the panel downloads."""

from __future__ import annotations

from argo_jupyter_scheduler.steps import run_log
from argo_jupyter_scheduler.steps.context import Context, log
from argo_jupyter_scheduler.storage.atomic import copy_whole, link_or_copy, sync
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.output_names import output_filename
from argo_jupyter_scheduler.storage.schema import JobRow


def run(context: Context) -> None:
    """Publish the outputs, also those of a failed `main`, and list the files that the notebook made."""
    job = context.database.get_job(context.job_id)
    if job is None or not context.folder.path.is_dir():
        log.info("Job %s was deleted: nothing to publish.", context.job_id)
        return
    run_log.drain()
    outputs = {publish(context.folder, job, name) for name in job.output_formats or ()}
    known = outputs | {job.input_filename}
    made = [name for name in context.folder.find_made_files() if name not in known]
    if made or job.packaged_files:
        context.database.update_job(context.job_id, packaged_files=made)


def publish(folder: RunFolder, job: JobRow, output_format: str) -> str:
    """Publish an output, if it was made; return the name that the panel downloads."""
    name = output_filename(job.input_filename, job.create_time, folder.suffix_of(output_format))
    output = folder.output(output_format)
    if output.is_file():
        # The log is still being written. What is complete needs no second copy, nor space on a full disk.
        (copy_whole if output == folder.log else link_or_copy)(output, folder.path / name)
        sync(folder.path / name, folder.path)
    return name

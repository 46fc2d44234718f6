"""The step `rename-files`: publishes what there is under the names that the panel downloads."""

from __future__ import annotations

from typing import Any

from argo_jupyter_scheduler.steps.context import Context, log
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.atomic import copy_whole
from argo_jupyter_scheduler.storage.output_names import output_filename


def run(context: Context) -> None:
    """Publish the outputs, also those of a failed `main`, and name the files that the notebook made."""
    job = context.database.get_job(context.job_id)
    if job is None or not context.folder.path.is_dir():
        log.info("Job %s was deleted: nothing to publish.", context.job_id)
        return
    outputs = {publish(context.folder, job, name) for name in job["output_formats"] or []}
    if job["package_input_folder"]:
        files = [name for name in context.folder.files() if name not in outputs | {job["input_filename"]}]
        context.database.update_job(context.job_id, packaged_files=files)


def publish(folder: RunFolder, job: dict[str, Any], output_format: str) -> str:
    """Publish one output, if it is there; return the name that the panel downloads."""
    name = output_filename(job["input_filename"], job["create_time"], output_format)
    if folder.output(output_format).is_file():
        copy_whole(folder.output(output_format), folder.path / name)
    return name

"""The step `rename-files`: publishes the outputs under the names that the panel downloads, and delivers them."""

from __future__ import annotations

from collections.abc import Iterable

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.steps import deliver_outputs, run_log
from argo_jupyter_scheduler.steps.context import Context, log
from argo_jupyter_scheduler.storage.atomic import copy_whole, link_or_copy, sync
from argo_jupyter_scheduler.storage.folders import RunFolder, is_plain_file
from argo_jupyter_scheduler.storage.output_names import output_filename
from argo_jupyter_scheduler.storage.schema import JobRow


def run(context: Context) -> None:
    """Publish the outputs, also those of a failed `main`, list the files that the notebook made, and deliver all of them.

    Raises
    ------
    RunError
        The run's folder is gone, an output of a notebook that succeeded is missing, or outputs could not be delivered.
    """
    job = context.database.get_job(context.job_id)
    if job is None:
        log.info("Job %s was deleted: nothing to publish.", context.job_id)
        return
    if not context.folder.private.is_dir():
        raise RunError(messages.runs.FOLDER_GONE)
    run_log.drain()
    context.folder.remove_unfinished()
    outputs = publish(context.folder, job, job.output_formats or ())
    known = {job.input_filename, *outputs.values()}
    made = [name for name in context.folder.find_made_files() if name not in known]
    if made or job.packaged_files:
        context.database.update_job(context.job_id, packaged_files=made)
    missing = find_missing(context.folder, job)
    if missing and context.read_result().succeeded:
        raise RunError(messages.outputs.outputs_missing(missing))
    suffixes = context.folder.suffixes(outputs)
    deliver_outputs.deliver(context, job, deliver_outputs.list_outputs(outputs, suffixes, made))


def find_missing(folder: RunFolder, job: JobRow) -> list[str]:
    """Return the formats of a job that are not published."""
    names = _name_outputs(folder, job, job.output_formats or ())
    return [output_format for output_format, name in names.items() if not is_plain_file(folder.path / name)]


def _name_outputs(folder: RunFolder, job: JobRow, output_formats: Iterable[str]) -> dict[str, str]:
    """Return under which name each output is downloaded, by its format."""
    suffixes = folder.suffixes(output_formats).items()
    return {name: output_filename(job.input_filename, job.create_time, suffix) for name, suffix in suffixes}


def publish(folder: RunFolder, job: JobRow, output_formats: Iterable[str]) -> dict[str, str]:
    """Publish outputs, as far as they were made; return the name of each that the panel downloads, by its format."""
    names = _name_outputs(folder, job, output_formats)
    for output_format, name in names.items():
        output = folder.output(output_format)
        if is_plain_file(output):
            # The log is still being written. What is complete needs no second copy, nor space on a full disk.
            (copy_whole if output == folder.log else link_or_copy)(output, folder.path / name)
            sync(folder.path / name)
    sync(folder.path)
    return names

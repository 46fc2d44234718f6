"""The step `create-job-id`: gives a scheduled run its own row and its own staging folder.

The run's id is its workflow's, so a second attempt meets what the first one made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from argo_jupyter_scheduler.domain.clock import milliseconds
from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.domain.messages import PAUSED, input_gone
from argo_jupyter_scheduler.steps.context import Context, log
from argo_jupyter_scheduler.storage.folders import RunFolder


def run(context: Context) -> None:
    """Write the row from the definition's row as it is now, and copy the definition's input.

    Raises
    ------
    RunError
        The definition's input is not there.
    """
    database, scheduled = context.database, context.scheduled
    if scheduled is None or context.folder.read("run.json"):
        return  # an earlier attempt did it
    created = milliseconds(scheduled.created)
    definition_id = scheduled.job_definition_id
    if not database.insert_run(context.job_id, definition_id, created, scheduled.workflow):
        log.info("Job definition %s was deleted, or this run has ended: nothing to do.", definition_id)
        context.over = True
        return
    definition = database.get_definition(definition_id) or {}
    if not definition.get("active") and created > definition.get("update_time", 0):
        database.mark_stopped(context.job_id, PAUSED)
        context.over = True
        return
    settings = RunFolder(context.folder.path.parent, definition_id).read("run.json")
    if settings.get("concurrency_policy") == "Replace":
        # Argo has ended the earlier runs before it made this one; nobody else could say so.
        database.stop_replaced_runs(definition_id, before=created)
    try:
        copy_input(context.folder.path.parent, database.get_job(context.job_id) or {})
    except RunError:  # the input may just have been replaced by one of another name
        database.insert_run(context.job_id, definition_id, created, scheduled.workflow)
        copy_input(context.folder.path.parent, database.get_job(context.job_id) or {})


def copy_input(source: RunFolder, folder: RunFolder, row: JobRow | DefinitionRow) -> None:
    """Copy a definition's staged input, or its folder, to the folder of one of its runs.

    Parameters
    ----------
    source
        The definition's folder.
    folder
        The run's folder.
    row
        The run's row or the definition's: ``input_filename`` and ``package_input_folder`` are read.

    Raises
    ------
    RunError
        The input is missing.
    """
    name = row.input_filename
    if not (source.path / name).is_file():
        raise RunError(input_gone(name))
    folder.create()
    folder.stage(source.path / name, bool(row.package_input_folder), leave_out=folder.path)
    folder.copy_settings(source)  # last: it says that everything is there

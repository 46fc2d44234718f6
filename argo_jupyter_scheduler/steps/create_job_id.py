"""The step `create-job-id`: gives a scheduled run its own row and its own staging folder.

The run's id is its workflow's, so a second attempt finds what the first one made.
"""

from __future__ import annotations

import contextlib

from sqlalchemy.exc import SQLAlchemyError

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.clock import milliseconds
from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.domain.options import read_concurrency
from argo_jupyter_scheduler.steps.context import Context, log
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.input_folder import CopyProgress, FolderRules
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow

REPLACE = "Replace"
"""The concurrency policy under which a run ends its definition's earlier ones."""


def run(context: Context) -> None:
    """Write the row from the definition's row as it is now, and copy the definition's input.

    Raises
    ------
    RunError
        The definition's input is missing.
    """
    database, scheduled = context.database, context.scheduled
    if scheduled is None or context.folder.has_settings():
        return  # an earlier attempt did it
    created = milliseconds(scheduled.created)
    definition_id = scheduled.job_definition_id
    if not database.insert_run(context.job_id, definition_id, created, scheduled.workflow):
        log.info("Job definition %s was deleted, or this run has ended: nothing to do.", definition_id)
        context.over = True
        return
    definition = database.get_definition(definition_id)
    if definition is None or (not definition.active and created > definition.update_time):
        database.mark_stopped(
            context.job_id, messages.runs.PAUSED if definition else messages.runs.DEFINITION_DELETED
        )
        context.over = True
        return
    source = RunFolder(context.folder.path.parent, definition_id)
    configured = source.read_settings().concurrency_policy
    options = (definition.tags, definition.runtime_environment_parameters)
    if read_concurrency(*options, default=configured) == REPLACE:
        # Argo has ended the earlier runs before it made this one; nobody else could write that.
        database.stop_replaced_runs(definition_id, before=created)
    try:
        _copy_input_of_run(context, source)
    except RunError:  # the input may just have been replaced by one of another name
        database.insert_run(context.job_id, definition_id, created, scheduled.workflow)
        _copy_input_of_run(context, source)


def _copy_input_of_run(context: Context, source: RunFolder) -> None:
    job = context.database.get_job(context.job_id)
    if job is None:
        log.info("Job %s was deleted: nothing to do.", context.job_id)
        context.over = True
        return

    copy_input(source, context.folder, job, CopyProgress(lambda text: explain_copy(context, text)))


def explain_copy(context: Context, message: str) -> None:
    """Say in the log, and in the waiting job's row, how far the copy of its input folder is."""
    log.info(message)
    with contextlib.suppress(SQLAlchemyError):  # a database that is away fails the run where that matters
        context.database.explain_waiting(context.job_id, message)


def copy_input(
    source: RunFolder,
    folder: RunFolder,
    row: JobRow | DefinitionRow,
    progress: CopyProgress | None = None,
) -> None:
    """Copy a definition's staged input, or its folder, to the folder of one of its runs.

    Parameters
    ----------
    source
        The definition's folder.
    folder
        The run's folder.
    row
        The run's row or the definition's: ``input_filename`` and ``package_input_folder`` are read.
    progress
        A function that reports the progress of a folder's copy; by default to the log.

    Raises
    ------
    RunError
        The input is missing.
    """
    name = row.input_filename
    if not (source.path / name).is_file():
        raise RunError(messages.runs.input_gone(name))
    folder.create()
    rules = FolderRules(left_out=[folder.path]) if row.package_input_folder else None
    folder.stage(source.path / name, rules, progress=progress)
    folder.copy_settings(source)  # last: it says that everything is there

"""The step `main`: executes the notebook and converts it to the requested formats."""

from __future__ import annotations

import time

from argo_jupyter_scheduler.domain import messages, options
from argo_jupyter_scheduler.domain.errors import RunEnded, RunError
from argo_jupyter_scheduler.domain.status import COMPLETED
from argo_jupyter_scheduler.domain.text import format_elapsed
from argo_jupyter_scheduler.steps.context import RESULT, Context, Result, log
from argo_jupyter_scheduler.steps.notebook import convert, execute
from argo_jupyter_scheduler.steps.take_input import take_linked_input
from argo_jupyter_scheduler.steps.termination import SAVE_SECONDS, ended_by_signals
from argo_jupyter_scheduler.storage.folders import NOT_SENT
from argo_jupyter_scheduler.storage.schema import JobRow

CONVERT_SECONDS, CONVERT_AFTER_END_SECONDS = 60, 15
"""How long the formats may take, at least, of a run whose time is limited, and of a run that was ended."""


def run(context: Context) -> None:
    """Execute the run's notebook and convert it, whether or not it failed.

    Raises
    ------
    NotebookFailed
        A cell raised, or the kernel died or could not be started.
    RunError
        The notebook was executed, but a format could not be made. Or another process executed a part of it and was lost.
    RunEnded
        The process was asked to end, or took too long.
    """
    # Kubernetes may start a pod again that still runs on a node which it has lost.
    with context.folder.locked():
        job = (
            context.database.get_job(context.job_id)
            if context.database.mark_started(context.job_id)
            else None
        )
        if job is None:
            log.info("Job %s was stopped, deleted or has ended: nothing to do.", context.job_id)
            context.over = True
        elif (done := context.read_result()).attempts > context.attempt and (done.succeeded or done.error):
            log.info("Another process executed the notebook in the meantime.")
            if done.error:
                raise RunError(done.error)
        elif context.has_begun():
            # Argo makes a lost pod again if it has not seen it running yet. Cells may have had effects: only a retry repeats them.
            raise RunError(messages.runs.POD_LOST)
        else:
            _execute(context, job)


def _execute(context: Context, job: JobRow) -> None:
    for name in (RESULT, NOT_SENT):  # an earlier attempt's
        (context.folder.private / name).unlink(missing_ok=True)
    for warning in options.near_misses(job.tags):
        log.warning("%s", warning)
    begun = time.monotonic()
    error: RunError | None = None
    try:
        with ended_by_signals(
            context.deadline, SAVE_SECONDS, lambda: messages.runs.timed_out(context.timeout, context.cell)
        ):
            take_linked_input(context, job)
            execute.execute_notebook(context, job)
    except RunError as failure:
        error = failure
    context.folder.restore_rights()
    try:
        _convert(context, job, was_ended=isinstance(error, RunEnded))
    except RunError as failure:
        error = error or failure
    if not isinstance(error, RunEnded):  # others know better why it was ended
        context.write_result(Result(error is None, str(error) if error else None, context.attempt + 1))
    if error:
        raise error
    log.info("%s after %s", COMPLETED, format_elapsed(time.monotonic() - begun))


def _convert(context: Context, job: JobRow, was_ended: bool) -> None:
    """Convert the notebook within what is left of the run's time, but never at once: there is something to show."""
    deadline = context.deadline
    if was_ended:
        deadline = time.monotonic() + CONVERT_AFTER_END_SECONDS
    elif deadline:
        deadline = max(deadline, time.monotonic() + CONVERT_SECONDS)
    with ended_by_signals(deadline, 1, lambda: messages.runs.timed_out(context.timeout)):
        convert.convert(context.folder, job.input_filename, job.output_formats or (), context.kernel_program)

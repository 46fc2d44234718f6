"""The step `success`: writes the end status of a run whose steps all did their work."""

from __future__ import annotations

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.steps import deliver_outputs, rename_files
from argo_jupyter_scheduler.steps.context import Context


def run(context: Context) -> None:
    """Write COMPLETED.

    Raises
    ------
    RunError
        `main` has not succeeded: with a pod a step, this step runs after a failed `main` too, and its own failure makes the
        workflow Failed. Or an output is missing.
    """
    result = context.read_result()
    if not result.succeeded:
        raise RunError(result.error or messages.runs.POD_LOST)
    job = context.database.get_job(context.job_id)
    is_unfinished = job and rename_files.find_missing(context.folder, job)
    if is_unfinished or (job and deliver_outputs.is_owed(context.folder)):  # the pod of that step was killed
        rename_files.run(context)
    context.database.mark_completed(context.job_id)

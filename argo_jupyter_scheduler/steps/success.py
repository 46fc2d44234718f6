"""The step `success`: writes the end status of a run whose steps all did their work."""

from __future__ import annotations

from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.domain.messages import NOT_EXECUTED
from argo_jupyter_scheduler.steps.context import Context


def run(context: Context) -> None:
    """Write COMPLETED.

    Raises
    ------
    RunError
        `main` has not succeeded: with a pod a step, this step runs after a failed `main` too, and its own failure makes the
        workflow Failed.
    """
    result = context.read_result()
    if not result.succeeded:
        raise RunError(result.error or NOT_EXECUTED)
    context.database.mark_completed(context.job_id)

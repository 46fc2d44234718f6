"""The step `success`: writes the end status of a run whose steps all did their work."""

from __future__ import annotations

from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.steps.context import Context


def run(context: Context) -> None:
    """Write COMPLETED.

    Raises
    ------
    RunError
        `main` has not succeeded: with a pod a step, this one runs after a failed `main` too, and its own failure is what
        makes the workflow Failed.
    """
    result = context.folder.read("result.json")
    if not result.get("succeeded"):
        raise RunError(result.get("error") or "The notebook was not executed.")
    context.database.mark_completed(context.job_id)

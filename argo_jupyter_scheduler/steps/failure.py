"""The step `failure`: writes the end status of a run that did not succeed, with the reason.

It runs in the process of a failed run, and as Argo's exit handler for whatever killed that process. The second of the two
finds an end status in the row and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from argo_jupyter_scheduler.domain.messages import NO_REASON
from argo_jupyter_scheduler.domain.status import COMPLETED, LIVE, STOPPED
from argo_jupyter_scheduler.domain.text import MESSAGE_LENGTH, shorten
from argo_jupyter_scheduler.steps.context import Context
from argo_jupyter_scheduler.storage.folders import NOT_SENT


def run(context: Context) -> None:
    """Write FAILED and why: the exception and its cell, else Argo's own words."""
    end(context)


def end(context: Context, only_if: Iterable[str] = LIVE) -> None:
    """Write the end status of a run; see `Context.outcome`.

    Parameters
    ----------
    only_if
        The statuses from which the run may become FAILED.
    """
    status, message = context.outcome()
    if status == COMPLETED:  # what killed the run came after its work was done
        context.database.mark_completed(context.job_id)
    elif status == STOPPED:
        context.database.mark_stopped(context.job_id, message)
    else:
        not_sent = context.folder.read(NOT_SENT).get("reason")
        note = f" (No message was sent to Slack: {not_sent})" if not_sent else ""
        text = shorten(message or NO_REASON, MESSAGE_LENGTH - len(note)) + note
        context.database.mark_failed(context.job_id, text, only_if)

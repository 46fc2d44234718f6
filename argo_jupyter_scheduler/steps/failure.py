"""The step `failure`: writes the end status of a run that did not succeed, with the reason.

It runs in the process of a failed run, and as Argo's exit handler for whatever killed that process. The second of the two
finds an end status in the row and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.status import COMPLETED, LIVE, STOPPED
from argo_jupyter_scheduler.domain.text import MESSAGE_LENGTH, shorten
from argo_jupyter_scheduler.steps.context import Context
from argo_jupyter_scheduler.storage.folders import NOT_NOTIFIED, NOT_SENT

MAX_UNSENT_CHARACTERS = 600
"""Of the reasons why messages were not sent. They share a column with the run's own message."""


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
        note = _find_unsent(context)
        text = shorten(message or messages.runs.NO_REASON, MESSAGE_LENGTH - len(note)) + note
        context.database.mark_failed(context.job_id, text, only_if)


def _find_unsent(context: Context) -> str:
    """Return what to add to the run's message: which messages were not sent, and why; empty if all were."""
    slack = context.folder.read(NOT_SENT).get("reason")
    unsent = {"Slack": slack} if slack else {}
    unsent |= context.folder.read(NOT_NOTIFIED)
    text = " ".join(
        messages.notifications.message_not_sent(receiver, reason) for receiver, reason in unsent.items()
    )
    return f" ({shorten(text, MAX_UNSENT_CHARACTERS)})" if text else ""

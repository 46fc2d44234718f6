"""The step `failure`: writes the end status of a run that did not succeed, with the reason.

It runs in the process of a failed run, and as Argo's exit handler for whatever killed that process. The second of the two
finds the row ended and changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from argo_jupyter_scheduler.domain.plan import SUCCESS
from argo_jupyter_scheduler.steps.context import Context
from argo_jupyter_scheduler.storage.database import COMPLETED, LIVE, MESSAGE_LENGTH, STOPPED, shorten
from argo_jupyter_scheduler.storage.staging import NOT_SENT

UNKNOWN = "The run ended without saying why."
STOPPED_IN_ARGO = "The run was stopped in Argo before it had finished."

NO_MORE = "No more retries left"
"""What Argo says of a step whose attempts have all failed (3.4 and 4.1); each attempt says why."""

SHUTDOWN = "workflow shutdown with strategy"
"""How Argo begins the message of a node that a stop or a terminate ended (3.4 and 4.1)."""


def run(context: Context) -> None:
    """Write FAILED and why: the exception and its cell, else Argo's own words."""
    end(context)


def end(context: Context, only_if: Iterable[str] = LIVE) -> None:
    """Write the end of a run that could not do it itself; see `Context.outcome`.

    Parameters
    ----------
    only_if
        The statuses from which it may become FAILED.
    """
    status, message = context.outcome()
    if status == COMPLETED:  # what killed the run came after its work was done
        context.database.completed(context.job_id)
    elif status == STOPPED:
        context.database.stopped(context.job_id, message)
    else:
        not_sent = context.folder.read(NOT_SENT).get("reason")
        note = f" (No message was sent to Slack: {not_sent})" if not_sent else ""
        text = shorten(message or UNKNOWN, MESSAGE_LENGTH - len(note)) + note
        context.database.failed(context.job_id, text, only_if)


def why(failures: str) -> tuple[str, bool]:
    """Return the reason for the user from ``{{workflow.failures}}``, and whether somebody stopped the run in Argo."""
    reason = reason_of(failures)
    if reason.startswith(SHUTDOWN):
        return STOPPED_IN_ARGO, True
    return reason or UNKNOWN, False


def reason_of(failures: str) -> str:
    """Return Argo's reason from ``{{workflow.failures}}``, empty if there is none.

    Parameters
    ----------
    failures
        A JSON list, JSON-encoded once more as a string (measured on Argo 3.4 and 4.1): ``displayName``, ``message`` and so on
        of each failed node. Nodes that only say which child failed come with it, and the pod of `success`, whose failure says
        that `main` failed.
    """
    decoded: Any = failures
    for _ in range(2):
        if not isinstance(decoded, str):
            break
        try:
            decoded = json.loads(decoded)
        except ValueError:
            return ""
    nodes = [node for node in decoded if isinstance(node, dict)] if isinstance(decoded, list) else []
    told = [(str(node.get("displayName")), str(node.get("message") or "")) for node in nodes]
    return joined([(name, message) for name, message in told if name != SUCCESS]) or joined(told)


def joined(messages: Iterable[tuple[str, str]]) -> str:
    """Return what the messages of failed nodes say together: of a step that was tried again, only its last attempt's.

    Parameters
    ----------
    messages
        Argo's ``displayName`` and ``message`` of each: a step's attempts are ``main(0)``, ``main(1)`` and so on.
    """
    last: dict[str, tuple[int, str]] = {}
    for name, message in messages:
        attempt = re.fullmatch(r"(.+)\((\d+)\)", name)
        step, number = (attempt[1], int(attempt[2])) if attempt else (name, -1)
        says = message and not message.startswith("child '") and message != NO_MORE
        if says and number >= last.get(step, (-1,))[0]:
            last[step] = (number, message.removeprefix("main: "))
    return "; ".join(dict.fromkeys(message for _, message in last.values()))

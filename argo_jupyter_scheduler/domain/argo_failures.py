"""Turns Argo's messages about the nodes of a failed workflow into one reason for the user."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.plan import SUCCESS

NO_MORE_RETRIES = "No more retries left"
"""Argo's message for a step whose attempts have all failed (3.4 and 4.1); each attempt says why."""

FOUND_NOTHING = "Error (exit code 1)"
"""Argo's message for the pod of `success` where the notebook was not executed."""

TIME_OVER = "Pod was active on the node longer than the specified deadline"
"""Kubernetes' message for a pod that was ended by a deadline, the pod's or the workflow's (Argo 3.4 and 4.1)."""

TIME_OVER_IN_ARGO = "Step exceeded its deadline"
"""The same where Argo's controller comes before Kubernetes (4.0)."""

_ATTEMPT = re.compile(r"(.+)\((\d{1,9})\)")

SHUTDOWN = "workflow shutdown with strategy"
"""How Argo begins the message of a node that a stop or a terminate ended (3.4 and 4.1)."""


def explain_failures(failures: str) -> tuple[str, bool]:
    """Return the reason from ``{{workflow.failures}}``, and whether somebody stopped the run in Argo."""
    reason = read_failures(failures)
    if reason.startswith(SHUTDOWN):
        return messages.runs.STOPPED_IN_ARGO, True
    return reason or messages.runs.NO_REASON, False


def is_time_over(reason: str) -> bool:
    """Return whether a run was ended by its deadline."""
    return set(reason.split("; ")) <= {TIME_OVER, TIME_OVER_IN_ARGO}


def read_failures(failures: str) -> str:
    """Return Argo's reason from ``{{workflow.failures}}``, empty if there is none.

    Parameters
    ----------
    failures
        A JSON list, JSON-encoded once more as a string (measured on Argo 3.4 and 4.1): ``displayName``, ``message`` and so on of
        each failed node. It includes nodes that only name the child that failed, and the pod of `success`, whose failure only
        says that `main` failed.
    """
    named = _read_nodes(failures)
    reason = join_messages([(name, message) for name, message in named if name != SUCCESS])
    last = "" if reason else join_messages(named)
    # Argo takes a pod for a success that was deleted by force. Then only `success` finds that nothing was done.
    return messages.runs.POD_LOST if last == FOUND_NOTHING else reason or last


def count_attempts(failures: str) -> int:
    """Return how many attempts ``{{workflow.failures}}`` names; 1 for a step that was not retried."""
    return last_attempt(name for name, _ in _read_nodes(failures)) + 1


def last_attempt(names: Iterable[str]) -> int:
    """Return the highest attempt, from 0, among Argo's ``displayName`` of nodes."""
    return max((int(match[2]) for name in names if (match := _ATTEMPT.fullmatch(name))), default=0)


def _read_nodes(failures: str) -> list[tuple[str, str]]:
    """Return ``displayName`` and ``message`` of each failed node."""
    decoded: Any = failures
    for _ in range(2):
        if not isinstance(decoded, str):
            break
        try:
            decoded = json.loads(decoded)
        except ValueError:
            return []
    nodes = [node for node in decoded if isinstance(node, dict)] if isinstance(decoded, list) else []
    return [(str(node.get("displayName")), str(node.get("message") or "")) for node in nodes]


def join_messages(messages: Iterable[tuple[str, str]]) -> str:
    """Return the messages of failed nodes as one; of a step that was retried, only its last attempt's.

    Parameters
    ----------
    messages
        Argo's ``displayName`` and ``message`` of each node. A step's attempts are called ``main(0)``, ``main(1)`` and so on.
    """
    last: dict[str, tuple[int, str]] = {}
    for name, message in messages:
        attempt = _ATTEMPT.fullmatch(name)
        step, number = (attempt[1], int(attempt[2])) if attempt else (name, -1)
        is_reason = message and not message.startswith("child '") and message != NO_MORE_RETRIES
        if is_reason and number >= last.get(step, (-1,))[0]:
            last[step] = (number, message.removeprefix("main: "))
    return "; ".join(dict.fromkeys(message for _, message in last.values()))

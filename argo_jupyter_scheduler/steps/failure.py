"""The step `failure`: writes the end status of a run that did not succeed, with the reason.

It runs in the process of a failed run, and as Argo's exit handler for whatever killed that process. The second of the two
finds the row ended and changes nothing.
"""

from __future__ import annotations

import json
from typing import Any

from argo_jupyter_scheduler.steps.context import Context

UNKNOWN = "The run ended without saying why."
STOPPED_IN_ARGO = "The run was stopped in Argo before it had finished."

SHUTDOWN = "workflow shutdown with strategy"
"""How Argo begins the message of a node that a stop or a terminate ended (3.4 and 4.1)."""


def run(context: Context) -> None:
    """Write FAILED and why: the exception and its cell, else Argo's own words."""
    reason = reason_of(context.failures)
    error = context.error or context.folder.read("result.json").get("error")
    if reason.startswith(SHUTDOWN) and not error:
        context.database.stopped(context.job_id, STOPPED_IN_ARGO)
    else:
        context.database.failed(context.job_id, error or reason or UNKNOWN)


def reason_of(failures: str) -> str:
    """Return Argo's reason from ``{{workflow.failures}}``, empty if there is none.

    Parameters
    ----------
    failures
        A JSON list, JSON-encoded once more as a string (measured on Argo 3.4 and 4.1): ``displayName``, ``message`` and so on
        of each failed node. Nodes that only say which child failed come with it.
    """
    decoded: Any = failures
    for _ in range(2):
        if not isinstance(decoded, str):
            break
        try:
            decoded = json.loads(decoded)
        except ValueError:
            return ""
    nodes = decoded if isinstance(decoded, list) else []
    messages = [str(node["message"]) for node in nodes if isinstance(node, dict) and node.get("message")]
    reasons = [message for message in messages if not message.startswith("child '")]
    return "; ".join(dict.fromkeys(message.removeprefix("main: ") for message in reasons))

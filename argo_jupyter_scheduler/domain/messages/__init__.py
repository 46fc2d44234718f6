"""The sentences that a job's row, the dialog or a log can show, a module for each subject.

Write what happened, why, and what to do, in that order. Callers write `messages.runs.PAUSED`.
"""

from argo_jupyter_scheduler.domain.messages import (
    argo,
    definition_files,
    environments,
    inputs,
    notebooks,
    notifications,
    options,
    outputs,
    requests,
    runs,
    schedules,
    server,
)

__all__ = [
    "argo",
    "definition_files",
    "environments",
    "inputs",
    "notebooks",
    "notifications",
    "options",
    "outputs",
    "requests",
    "runs",
    "schedules",
    "server",
]

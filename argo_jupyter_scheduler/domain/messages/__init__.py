"""The sentences that a job's row, the dialog or a log can show, a module for each subject.

Contract: constants, and functions that return a sentence. Callers write `messages.runs.PAUSED`, so a call names the subject.

Write what happened, why, and what to do, in that order, and at most 25 words in a sentence. Each name is unique among all
modules: in lower case with hyphens, it is the anchor of the message's entry in docs/troubleshooting.md.

New code goes into the module that a reader would open first; a new subject gets a module of its own.
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

"""The sentences that a job's row, the dialog or a log can show.

Write what happened, why, and what to do, in that order.
"""

from __future__ import annotations

PAUSED = "The job definition was paused before this run began."
REPLACED = "The next run of this schedule began while this one was still in progress, and replaced it."
STILL_WAITING = " It was still waiting: "
"""Joins why a run that had not begun was ended, and why it had not begun."""
WAITED = f"{REPLACED}{STILL_WAITING}"
DEFINITION_DELETED = "The job definition was deleted while this run was in progress."
STOPPED_IN_ARGO = "The run was stopped in Argo before it had finished."
NO_REASON = "The run ended without giving a reason."
OTHER_BACKEND = "The job was started by another backend, which is not there any more. Create the job again."
WORKFLOW_GONE = (
    "The workflow of this run no longer exists in Argo: it was deleted before the notebook had finished."
)
POD_SHAPE_UNKNOWN = (
    "The shape of the pods is unknown, so nothing can run on Argo. Either set c.ArgoScheduler.image to an image that has "
    "argo-jupyter-scheduler, with c.ArgoScheduler.volumes and c.ArgoScheduler.volume_mounts for the home. Or give this "
    "server's pod a service account that may get pods, so that runs inherit from it (c.ArgoScheduler.inherit_pod)."
)
PROCESS_GONE = "The run's process is gone: it was killed, or this machine was restarted, before the notebook had finished."
NOT_EXECUTED = "The notebook was not executed."
FOLDER_GONE = "The run's folder in the staging area is gone."
TERMINATED = "The run was ended from outside before it had finished (SIGTERM)."
TIMED_OUT = "The run took longer than its option timeout allows."
STOPPED_WHILE_RUNNING = "The job was stopped or deleted while it ran."
NO_OUTPUT_FORMAT = "No output format is chosen. Choose at least one, such as Notebook or HTML."
SLACK_NOT_CONFIGURED = (
    "A channel of Slack is configured, but no token: only jobs with a SLACK_TOKEN of their own send messages there. Set "
    "c.ArgoScheduler.slack_token, or on Argo c.ArgoScheduler.slack_token_secret."
)


def input_gone(name: str) -> str:
    """Return the message for a definition whose staged input is missing."""
    return (
        f"The job definition's input '{name}' is no longer in the staging area. "
        "Edit the job definition and update its input file snapshot."
    )


def job_not_found(job_id: str) -> str:
    """Return the message for an unknown job."""
    return f"Job {job_id} not found."


def definition_not_found(job_definition_id: str) -> str:
    """Return the message for an unknown job definition."""
    return f"Job definition {job_definition_id} not found."


def compute_type_gone(name: str, available: str) -> str:
    """Return the message for a run whose compute type was removed from the configuration."""
    return f"Compute type '{name}' no longer exists. Available: {available}."

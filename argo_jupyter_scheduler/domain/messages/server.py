"""The server's configuration, files and database, and unexpected errors."""

from __future__ import annotations

import errno

OTHER_SCHEDULER = (
    "This server does not use argo-jupyter-scheduler. Set c.SchedulerApp.scheduler_class to "
    "'argo_jupyter_scheduler.scheduler.ArgoScheduler'."
)
METRICS_OFF = "Metrics are off: ask your administrator to set c.ArgoScheduler.serve_metrics = True."


def settings_refused(reason: object) -> str:
    """Return the message for a configuration with which the scheduler cannot be made."""
    return f"The scheduler cannot be started: {reason}"


def unexpected_error(error: Exception) -> str:
    """Return the message for an error that no other message explains, such as one of the system."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        written = error.filename2 or error.filename  # of a copy, the first one is what was read
        where = f" while {written} was written" if written else ""
        return f"The disk is full{where}. Delete files that you do not need, such as old jobs, then run the job again."
    return f"{type(error).__name__}: {str(error).strip()}"


def files_unusable(error: OSError) -> str:
    """Return the message for a request whose files cannot be written or read."""
    return f"The job's files could not be written or read. {unexpected_error(error)}"


def database_unusable(reason: object) -> str:
    """Return the message for a database that cannot be used."""
    return f"The scheduler's database cannot be used: {reason}"


def database_waits(reason: object) -> str:
    """Return the log's warning for a database that is locked, away or damaged, while a run or the server waits for it."""
    return f"The database does not answer; retrying: {reason}"


def indices_not_created(reason: object) -> str:
    """Return the log's warning for a database that refuses indices."""
    return f"Indices could not be created, so lists of many jobs are slow: {reason}"


def change_unfinished(job_id: str, action: str, reason: object) -> str:
    """Return the log's warning for the change of a killed server that cannot be finished yet."""
    return f"Job {job_id}: '{action}' could not be finished yet: {reason}"


def workflow_not_deleted(job_id: str) -> str:
    """Return the log's warning for a deleted job whose workflow stays."""
    return f"Job {job_id} is deleted, but its finished workflow could not be deleted."


def definition_not_reconciled(job_definition_id: str, reason: object) -> str:
    """Return the log's warning for a job definition that could not be compared with Argo, or corrected there."""
    return f"Job definition {job_definition_id} could not be reconciled: {reason}"


def definition_paused(job_definition_id: str, reason: object) -> str:
    """Return the log's warning for a job definition whose schedule cannot run, at the server's start."""
    return f"Job definition {job_definition_id} is paused: {reason}"


def schedule_created_again(job_definition_id: str) -> str:
    """Return the log's warning for a cron workflow that somebody deleted."""
    return f"The schedule of job definition {job_definition_id} was deleted; creating it again."

"""The server's configuration, files and database, and unexpected errors."""

from __future__ import annotations

import errno

OTHER_SCHEDULER = (
    "This server does not use argo-jupyter-scheduler. Set c.SchedulerApp.scheduler_class to "
    "'argo_jupyter_scheduler.scheduler.ArgoScheduler'."
)
METRICS_OFF = "Metrics are off: ask your administrator to set c.ArgoScheduler.serve_metrics = True."


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

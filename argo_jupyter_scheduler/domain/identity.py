"""The names of runs. Names are derived from ids, so nothing has to be looked up or remembered, and no two writers race.

A job that somebody creates has a random id. A scheduled run on Argo has its workflow's uid. A scheduled run on this machine has
an id that follows from its definition and its moment.
"""

from __future__ import annotations

import uuid


def workflow_name(job_id: str) -> str:
    """Return the name of a job's workflow on Argo, unless it is a scheduled run: that one is named by its cron workflow."""
    return f"job-{job_id}"


def cron_workflow_name(job_definition_id: str) -> str:
    """Return the name of a definition's cron workflow. Argo names its runs by this, a hyphen and a moment."""
    return f"job-def-{job_definition_id}"


def run_token(job_definition_id: str, moment: object = "") -> str:
    """Return what identifies a definition's scheduled run, in ``idempotency_token``; on Argo it is the workflow's name.

    Parameters
    ----------
    moment
        The moment for which the run was scheduled, in seconds since 1970. Empty: the prefix of all the definition's runs.
    """
    return f"{cron_workflow_name(job_definition_id)}-{moment}"


def is_job_id(text: str) -> bool:
    """Return whether `text` has the form of a job's id."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def is_run_token(token: str | None, job_definition_id: str | None) -> bool:
    """Return whether a token is that of a scheduled run of a definition."""
    return bool(job_definition_id and token and token.startswith(run_token(job_definition_id)))


def scheduled_moment(token: str | None) -> int:
    """Return the moment for which a run was scheduled, in seconds since 1970; 0 if its token has none."""
    moment = (token or "").rpartition("-")[2]
    return int(moment) if moment.isdecimal() else 0


def local_run_id(job_definition_id: str, due_ms: int) -> str:
    """Return the id of a definition's run on this machine.

    All servers of one database derive the same id, so a run is started once.

    Parameters
    ----------
    due_ms
        The moment for which the run is scheduled, in milliseconds since 1970.
    """
    return str(uuid.uuid5(uuid.UUID(job_definition_id), str(due_ms)))

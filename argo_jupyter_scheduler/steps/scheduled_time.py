"""The moment that a run is about: the one for which it was scheduled, not the one when it happened to begin."""

from __future__ import annotations

from argo_jupyter_scheduler.domain.moments import format_moment
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import JobRow


def find_scheduled_time(database: Database, job: JobRow, settings: RunSettings) -> str:
    """Return the moment that a run is about, in ISO 8601 with the offset of its definition's time zone; empty for none.

    A scheduled run's own name has its moment: on Argo the workflow's, which ends with the time that it was scheduled for.

    Parameters
    ----------
    settings
        The run's: they have the moment of one that somebody started.
    """
    if settings.scheduled_time or not job.is_scheduled:
        return settings.scheduled_time
    definition = database.get_definition(str(job.job_definition_id))
    seconds = (
        job.scheduled_moment or job.create_time / 1000
    )  # a workflow that somebody submitted from the cron workflow
    return format_moment(seconds, definition.timezone if definition else None)

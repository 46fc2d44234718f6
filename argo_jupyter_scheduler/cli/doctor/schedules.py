"""Job definitions whose schedule never makes a run, such as those of another backend on the same database."""

from __future__ import annotations

from collections.abc import Iterator

from argo_jupyter_scheduler.cli.doctor.finding import Finding, warning
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.jobs.definitions import check_schedule
from argo_jupyter_scheduler.storage.database import Database

ADVICE = "Edit the job definition's schedule, then resume it; see docs/schedules.md."


def check_schedules(database: Database) -> Iterator[Finding]:
    """Return a finding for each definition whose schedule cannot be run or never comes, with the reason."""
    if not database.has_tables():
        return
    for row in database.list_schedules():
        if row.schedule is None:
            continue
        try:
            check_schedule(row.schedule, row.timezone)
        except InvalidJob as error:
            definition = database.get_definition(row.job_definition_id)
            name = (definition and definition.name) or "without a name"
            yield warning(
                "schedules", f"Job definition '{name}' ({row.job_definition_id}) never runs: {error}", ADVICE
            )

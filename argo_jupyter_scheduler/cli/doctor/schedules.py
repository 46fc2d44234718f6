"""Job definitions whose schedule never makes a run, such as those of another backend on the same database."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from argo_jupyter_scheduler.cli.doctor.finding import Finding, warning
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.jobs.definitions import check_schedule
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import ScheduleRow

ADVICE = "Edit the job definition's schedule, then resume it; see docs/schedules.md."


def check_schedules(database: Database) -> Iterator[Finding]:
    """Return a finding for each definition whose schedule cannot be run or never comes, with the reason."""
    for row in _list_schedules(database):
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


def _list_schedules(database: Database) -> list[ScheduleRow]:
    """Return what there is; nothing where the database cannot be read, which is a finding of its own."""
    url = make_url(database.url)
    if url.get_backend_name() == "sqlite" and not os.path.exists(str(url.database)):
        return []  # to look into it would make it
    try:
        return database.list_schedules() if database.has_tables() else []
    except SQLAlchemyError:
        return []

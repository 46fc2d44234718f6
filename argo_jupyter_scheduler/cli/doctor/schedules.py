"""Job definitions whose schedule never makes a run, such as those of another backend on the same database."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from argo_jupyter_scheduler.cli.doctor.finding import Finding, warning
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.options import read_late, read_notify
from argo_jupyter_scheduler.jobs.definitions import check_schedule
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.notify import slack
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import DefinitionRow, ScheduleRow
from argo_jupyter_scheduler.storage.statistics import list_watched

SHOWN_DEFINITIONS = 10
"""How many job definitions are named."""

REPORTS_ADVICE = (
    "Set c.ArgoScheduler.slack_token, or c.ArgoScheduler.notification_targets, for the JupyterLab server; see "
    "docs/monitoring.md."
)
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


def check_reports(jobs: JobService) -> Iterator[Finding]:
    """Return a finding for the definitions whose late runs this server cannot report: only pods have what that needs."""
    if not _list_schedules(jobs.database):
        return
    mute = []
    for row in list_watched(jobs.database):
        grace = read_late(row.tags, row.runtime_environment_parameters, jobs.settings.late_after_seconds)
        definition = jobs.database.get_definition(row.job_definition_id) if grace else None
        if definition and _find_unreachable(jobs, definition):
            mute.append(f"'{row.name or 'without a name'}' ({row.job_definition_id})")
    if mute:
        others = len(mute) - SHOWN_DEFINITIONS
        names = ", ".join(mute[:SHOWN_DEFINITIONS]) + (f" and {others} more" if others > 0 else "")
        words = "this server cannot report late runs: it has no token for Slack, or no address of a target. Job definitions:"
        yield warning("schedules", f"{words} {names}", REPORTS_ADVICE)


def _find_unreachable(jobs: JobService, definition: DefinitionRow) -> bool:
    """Return whether a definition has a channel or a target of which only pods have the token or the address."""
    configured, settings = jobs.settings, jobs.folder(definition.job_definition_id).read_settings()
    targets, _ = read_notify(definition.tags, definition.runtime_environment_parameters, default="")
    if settings.notifications.targets and set(targets) - configured.notification_targets.keys():
        return True
    has_token = configured.slack_token or slack.read_parameter(definition.parameters, slack.TOKEN)
    return not has_token and slack.is_asked_for(definition.parameters, settings.slack)


def _list_schedules(database: Database) -> list[ScheduleRow]:
    """Return what there is; nothing where the database cannot be read, which is a finding of its own."""
    try:
        return database.list_schedules() if database.has_tables() else []
    except SQLAlchemyError:
        return []

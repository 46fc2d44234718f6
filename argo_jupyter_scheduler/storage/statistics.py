"""Statistics of many jobs, counted by the database, so that few rows are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from sqlalchemy import and_, case, func, literal, not_, or_, select

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.identity import cron_workflow_name, run_token, scheduled_moment
from argo_jupyter_scheduler.domain.status import COMPLETED, FAILED, LIVE
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import JobRow, WatchedRow, decode, definitions, jobs


@dataclass(frozen=True)
class JobGroup:
    """The jobs of one status and one engine.

    Attributes
    ----------
    status, is_on_argo
        The values that they have in common.
    jobs
        How many there are.
    timed
        How many of them have begun and ended.
    milliseconds
        How long those took together.
    within
        How many of those took no longer than each of the given bounds.
    """

    status: str
    is_on_argo: bool
    jobs: int
    timed: int
    milliseconds: int
    within: tuple[int, ...]


@dataclass(frozen=True)
class LastRun:
    """The latest scheduled run of a definition that has begun, or has ended by itself.

    Attributes
    ----------
    moment
        The moment for which it was scheduled, in seconds since 1970.
    start_time, end_time
        In milliseconds since 1970; None where it has not begun, or not ended.
    """

    moment: int
    start_time: int | None
    end_time: int | None


def summarize_jobs(database: Database, bounds_ms: Sequence[int]) -> list[JobGroup]:
    """Return all jobs by status and engine.

    Parameters
    ----------
    bounds_ms
        Durations in milliseconds, for `JobGroup.within`.
    """
    is_on_argo = jobs.c.pid.is_(None)
    took = case((jobs.c.status.not_in(LIVE), jobs.c.end_time - jobs.c.start_time))
    within = [func.sum(case((took <= bound, 1), else_=0)) for bound in bounds_ms]
    query = select(jobs.c.status, is_on_argo, func.count(), func.count(took), func.sum(took), *within)
    return [
        JobGroup(status, bool(on_argo), count, timed, int(total or 0), tuple(map(int, counts)))
        for status, on_argo, count, timed, total, *counts in database.read(
            query.group_by(jobs.c.status, is_on_argo)
        )
    ]


def list_watched(database: Database) -> list[WatchedRow]:
    """Return what says when each definition should run, of those that have a schedule and are not paused."""
    columns = (definitions.c[column.name] for column in fields(WatchedRow))
    query = select(*columns).where(definitions.c.active, definitions.c.schedule.is_not(None))
    return [decode(WatchedRow, row._mapping) for row in database.read(query)]


def list_last_runs(database: Database) -> dict[str, LastRun]:
    """Return the latest scheduled run of each definition, by the definition's id.

    A run that has neither begun nor failed does not count, nor one that the next run replaced before it could begin.
    """
    message = func.coalesce(jobs.c.status_message, "")
    was_skipped = message.startswith(messages.runs.REPLACED, autoescape=True)
    is_handled = or_(jobs.c.start_time.is_not(None), and_(jobs.c.status.not_in(LIVE), not_(was_skipped)))
    prefix = literal(cron_workflow_name("")) + jobs.c.job_definition_id + "-"
    # Tokens of one definition differ in their last digits only, so the greatest text is the latest moment.
    latest = (
        select(jobs.c.job_definition_id.label("id"), func.max(jobs.c.idempotency_token).label("token"))
        .where(jobs.c.idempotency_token.startswith(prefix), is_handled)
        .group_by(jobs.c.job_definition_id)
        .subquery()
    )
    is_latest = and_(jobs.c.idempotency_token == latest.c.token, jobs.c.job_definition_id == latest.c.id)
    query = select(latest.c.id, latest.c.token, jobs.c.start_time, jobs.c.end_time).join(jobs, is_latest)
    return {
        str(id_): LastRun(scheduled_moment(token), start_time, end_time)
        for id_, token, start_time, end_time in database.read(query)
        if scheduled_moment(token)
    }


def count_failures(database: Database, job_definition_id: str) -> tuple[int, int]:
    """Return how many runs of a definition have failed since its last success, and when that ended.

    Returns
    -------
    failures : int
        Runs that were stopped are neither failures nor successes.
    success : int
        The end of the last success, in milliseconds since 1970; 0 for none.
    """
    own = jobs.c.job_definition_id == job_definition_id
    success = (
        select(func.coalesce(func.max(jobs.c.end_time), 0))
        .where(own, jobs.c.status == COMPLETED)
        .scalar_subquery()
    )
    failures = (
        select(func.count()).where(own, jobs.c.status == FAILED, jobs.c.end_time > success).scalar_subquery()
    )
    [found] = database.read(select(failures, success))
    return int(found[0]), int(found[1])


def find_last_result(database: Database, job_definition_id: str) -> str:
    """Return COMPLETED or FAILED, as the last run of a definition ended that was not stopped; empty for none."""
    own = and_(jobs.c.job_definition_id == job_definition_id, jobs.c.status.in_((COMPLETED, FAILED)))
    found = database.read(select(jobs.c.status).where(own).order_by(jobs.c.end_time.desc()).limit(1))
    return str(found[0].status) if found else ""


def find_last_moment(database: Database, job_definition_id: str) -> int:
    """Return the moment of a definition's latest scheduled run, in seconds since 1970; 0 for none."""
    is_own = jobs.c.idempotency_token.startswith(run_token(job_definition_id), autoescape=True)
    query = select(func.max(jobs.c.idempotency_token)).where(
        jobs.c.job_definition_id == job_definition_id, is_own
    )
    [found] = database.read(query)
    return scheduled_moment(found[0])


def find_runs(database: Database, tokens: Iterable[str]) -> dict[str, JobRow]:
    """Return the rows of scheduled runs by their tokens, see `run_token`; those that do not exist are missing."""
    query = select(jobs).where(jobs.c.idempotency_token.in_(tuple(tokens)))
    rows = [decode(JobRow, row._mapping) for row in database.read(query)]
    return {str(row.idempotency_token): row for row in rows if row.is_scheduled}


def was_running(database: Database, job_definition_id: str, moment: int) -> bool:
    """Return whether an earlier scheduled run of a definition had not ended at `moment` (ms since 1970)."""
    query = (
        select(jobs.c.job_id)
        .where(
            jobs.c.job_definition_id == job_definition_id,
            jobs.c.idempotency_token.startswith(run_token(job_definition_id), autoescape=True),
            jobs.c.create_time < moment,
            or_(jobs.c.end_time.is_(None), jobs.c.end_time > moment),
        )
        .limit(1)
    )
    return bool(database.read(query))

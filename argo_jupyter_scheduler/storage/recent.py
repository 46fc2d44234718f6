"""Reads the rows that the panel shows: live jobs, the newest others, job definitions and their last runs. Detects changes."""

from __future__ import annotations

import statistics
from collections.abc import Collection
from dataclasses import fields
from typing import Any, NamedTuple

from sqlalchemy import Row, func, select, text
from sqlalchemy.engine import Connection

from argo_jupyter_scheduler.domain.status import COMPLETED, LIVE
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import ShownDefinition, ShownJob, decode, definitions, jobs

AnyRow = Row[Any]
"""A row that is not decoded yet: most rows have not changed since they were last read."""

MAX_ENDED_JOBS = 1000
"""How many jobs that have ended are shown, the newest ones."""

MAX_IDS = 500
"""How many ids a query names at most."""

MAX_QUERIES = 50
"""Up to how many job definitions are asked for one by one, instead of all."""

ESTIMATED_FROM = 5
"""How many earlier runs an estimate is made from."""


_FIGURES = select(
    *(
        select(figure).select_from(table).scalar_subquery()
        for table in (jobs, definitions)
        for figure in (func.count(), func.sum(table.c.update_time))
    ),
    # Two changes of a row within a millisecond differ at least in this.
    select(func.count()).select_from(jobs).where(jobs.c.status.in_(LIVE)).scalar_subquery(),
)


class ChangeCounter:
    """Says whether another connection has changed the database.

    SQLite counts that in its file, so the answer costs no query, whichever process wrote. Of other databases, figures are asked
    that differ after nearly every change, instead of all rows.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def read(self) -> tuple[object, ...]:
        """Return figures that differ after a change. One thread at a time may ask."""
        if self._database.engine.dialect.name != "sqlite":
            [figures] = self._database.read(_FIGURES)
            return tuple(figures)
        if (
            self._connection is None
        ):  # one for ever: the number counts the changes of all connections but its own
            self._connection = self._database.engine.connect()
        with self._connection.begin():
            return tuple(self._connection.execute(text("PRAGMA data_version")).one())

    def close(self) -> None:
        """Release the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class JobVersion(NamedTuple):
    """The columns of a job that differ after each change of it, and its definition."""

    job_id: str
    status: str
    update_time: int
    job_definition_id: str | None


def read_recent_jobs(database: Database, max_ended: int) -> dict[str, JobVersion]:
    """Return all live jobs and the newest `max_ended` others, by their ids."""
    versions = select(*(jobs.c[name] for name in JobVersion._fields))
    ended = versions.where(jobs.c.status.not_in(LIVE)).order_by(jobs.c.create_time.desc())
    live = versions.where(jobs.c.status.in_(LIVE))  # last: a job that ends between the two queries is in both
    rows = [*database.read(ended.limit(max_ended)), *database.read(live)]
    return {version.job_id: version for version in map(JobVersion._make, rows)}


def read_shown_jobs(database: Database, job_ids: Collection[str]) -> list[ShownJob]:
    """Return what is shown of jobs; those that do not exist are missing."""
    columns = [jobs.c[column.name] for column in fields(ShownJob)]
    ids = list(job_ids)
    parts = [ids[begin : begin + MAX_IDS] for begin in range(0, len(ids), MAX_IDS)]
    queries = (select(*columns).where(jobs.c.job_id.in_(part)) for part in parts)
    return [decode(ShownJob, row._mapping) for query in queries for row in database.read(query)]


def read_definitions(database: Database) -> dict[str, AnyRow]:
    """Return the rows of all job definitions by their ids, see `ShownDefinition`."""
    query = select(*(definitions.c[column.name] for column in fields(ShownDefinition)))
    return {row.job_definition_id: row for row in database.read(query)}


def count_runs(database: Database) -> dict[str, int]:
    """Return how many runs each job definition has."""
    query = select(jobs.c.job_definition_id, func.count()).group_by(jobs.c.job_definition_id)
    return {str(definition_id): count for definition_id, count in database.read(query)}


def read_last_runs(database: Database, definition_ids: Collection[str], limit: int) -> list[AnyRow]:
    """Return the last runs of several job definitions, newest first: id, definition, status, start and end of each."""
    newest_first = jobs.c.create_time.desc()
    runs = select(jobs.c.job_id, jobs.c.job_definition_id, jobs.c.status, jobs.c.start_time, jobs.c.end_time)
    if len(definition_ids) <= MAX_QUERIES:  # each follows an index, and stops after its last run
        of_each = (runs.where(jobs.c.job_definition_id == id_) for id_ in definition_ids)
        return [row for query in of_each for row in database.read(query.order_by(newest_first).limit(limit))]
    place = func.row_number().over(partition_by=jobs.c.job_definition_id, order_by=newest_first)
    found = runs.add_columns(place.label("place")).where(jobs.c.job_definition_id.is_not(None)).subquery()
    return list(database.read(select(found).where(found.c.place <= limit).order_by(found.c.place)))


def estimate_seconds(database: Database, job_definition_id: str | None, input_filename: str) -> float | None:
    """Return how long a run is likely to take, by the last ones that were COMPLETED; None where there is none.

    Parameters
    ----------
    job_definition_id
        The definition whose runs are like it; None: all jobs of `input_filename` are.
    """
    is_like_it = (
        jobs.c.job_definition_id == job_definition_id
        if job_definition_id
        else jobs.c.input_filename == input_filename
    )
    query = select(jobs.c.end_time - jobs.c.start_time).where(
        is_like_it, jobs.c.status == COMPLETED, jobs.c.start_time.is_not(None)
    )
    took = database.read(query.order_by(jobs.c.create_time.desc()).limit(ESTIMATED_FROM))
    return statistics.median(milliseconds for (milliseconds,) in took) / 1000 if took else None

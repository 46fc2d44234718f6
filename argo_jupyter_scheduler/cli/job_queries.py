"""Looks up jobs and job definitions by the beginning of their id."""

from __future__ import annotations

from sqlalchemy import ColumnClause, select

from argo_jupyter_scheduler.domain.errors import InvalidJob, JobNotFound
from argo_jupyter_scheduler.storage import schema
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow

SHOWN_MATCHES = 5
"""How many ids are named that begin alike."""


def list_jobs(database: Database, limit: int, status: str = "", definition_id: str = "") -> list[JobRow]:
    """Return the newest jobs, newest first.

    Parameters
    ----------
    limit
        How many at most; 0 for all.
    status
        Only jobs with this status; empty for all.
    definition_id
        Only runs of the job definition whose id begins so; empty for all.
    """
    columns = schema.jobs.c
    query = select(schema.jobs).order_by(columns.create_time.desc(), columns.job_id)
    if status:
        query = query.where(columns.status == status)
    if definition_id:
        query = query.where(columns.job_definition_id.startswith(definition_id, autoescape=True))
    with database.engine.connect() as connection:
        rows = connection.execute(query.limit(limit or None)).mappings()
        return [schema.decode(JobRow, row) for row in rows]


def list_definitions(database: Database) -> list[DefinitionRow]:
    """Return all job definitions, newest first."""
    columns = schema.definitions.c
    query = select(schema.definitions).order_by(columns.create_time.desc(), columns.job_definition_id)
    with database.engine.connect() as connection:
        return [schema.decode(DefinitionRow, row) for row in connection.execute(query).mappings()]


def find_job(database: Database, beginning: str) -> JobRow:
    """Return the job whose id begins so.

    Raises
    ------
    JobNotFound
        There is none.
    InvalidJob
        There are several; names some.
    """
    found = _find_ids(database, schema.jobs.c.job_id, beginning) if beginning else []
    if len(found) > 1 and beginning not in found:
        raise InvalidJob(
            f"Several job ids begin with '{beginning}'. Give more characters. Available: {_listed(found)}."
        )
    job = database.get_job(beginning if beginning in found else found[0]) if found else None
    if job is None:
        raise JobNotFound(f"Job '{beginning}' not found. List jobs with: jupyter argo-scheduler jobs")
    return job


def _find_ids(database: Database, column: ColumnClause[str], beginning: str) -> list[str]:
    matching = column.startswith(beginning.lower(), autoescape=True)
    with database.engine.connect() as connection:
        return list(connection.execute(select(column).where(matching).order_by(column)).scalars())


def _listed(ids: list[str]) -> str:
    shown = ", ".join(ids[:SHOWN_MATCHES])
    return f"{shown} and {len(ids) - SHOWN_MATCHES} more" if len(ids) > SHOWN_MATCHES else shown

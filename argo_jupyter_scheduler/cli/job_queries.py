"""Looks up jobs and job definitions by the beginning of their id."""

from __future__ import annotations

from sqlalchemy import ColumnClause, ColumnElement, select

from argo_jupyter_scheduler.domain import messages
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


def find_job(database: Database, beginning: str) -> JobRow:
    """Return the job whose id begins so.

    Raises
    ------
    JobNotFound
        There is none.
    InvalidJob
        There are several; names some.
    """
    column = schema.jobs.c.job_id
    found = _find_ids(database, column, _begins(column, beginning)) if beginning else []
    if len(found) > 1 and beginning not in found:
        raise InvalidJob(
            f"Several job ids begin with '{beginning}'. Give more characters. Available: {_listed(found)}."
        )
    job = database.get_job(beginning if beginning in found else found[0]) if found else None
    if job is None:
        raise JobNotFound(f"Job '{beginning}' not found. List jobs with: jupyter argo-scheduler jobs")
    return job


def find_definition(database: Database, text: str) -> DefinitionRow:
    """Return the job definition that has this name, or whose id begins so.

    Raises
    ------
    JobNotFound
        There is none; says the nearest names.
    InvalidJob
        There are several; names some.
    """
    named = _find_ids(database, schema.definitions.c.job_definition_id, schema.definitions.c.name == text)
    columns = schema.definitions.c.job_definition_id
    found = named or (_find_ids(database, columns, _begins(columns, text)) if text else [])
    if len(found) > 1 and text not in found:
        how = "are called" if named else "have an id that begins with"
        raise InvalidJob(f"Several job definitions {how} '{text}'. Give an id. Available: {_listed(found)}.")
    definition = database.get_definition(text if text in found else found[0]) if found else None
    if definition is None:
        names = [row.name for row in database.list_definitions() if row.name]
        raise JobNotFound(messages.requests.not_found("Job definition", text, names))
    return definition


def _begins(column: ColumnClause[str], beginning: str) -> ColumnElement[bool]:
    return column.startswith(beginning.lower(), autoescape=True)


def _find_ids(database: Database, column: ColumnClause[str], matching: ColumnElement[bool]) -> list[str]:
    with database.engine.connect() as connection:
        return list(connection.execute(select(column).where(matching).order_by(column)).scalars())


def _listed(ids: list[str]) -> str:
    shown = ", ".join(ids[:SHOWN_MATCHES])
    return f"{shown} and {len(ids) - SHOWN_MATCHES} more" if len(ids) > SHOWN_MATCHES else shown

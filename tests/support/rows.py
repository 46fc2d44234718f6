"""Rows that a test knows to be there."""

from __future__ import annotations

from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow


def job_row(database: Database, job_id: str) -> JobRow:
    row = database.get_job(job_id)
    assert row is not None, job_id
    return row


def definition_row(database: Database, job_definition_id: str) -> DefinitionRow:
    row = database.get_definition(job_definition_id)
    assert row is not None, job_definition_id
    return row

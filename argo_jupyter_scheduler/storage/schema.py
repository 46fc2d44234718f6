"""The columns of Jupyter-Scheduler's tables, and their rows as typed values.

The schema belongs to ``jupyter_scheduler.orm``. This module names the columns that this package needs and uses SQLAlchemy Core,
since a step's process must not pay for the ORM (2 s of imports, see docs/upstream.md#slow-imports).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from sqlalchemy import column, table

from argo_jupyter_scheduler.domain import identity
from argo_jupyter_scheduler.domain.retention import StoredJob

LOCAL_WAITING = 0
"""``pid`` of a job that waits for its turn on this machine. Jobs on Argo have none (NULL)."""

JSON_COLUMNS = ("runtime_environment_parameters", "output_formats", "tags", "parameters", "packaged_files")

_BOOLEAN_COLUMNS = ("active", "package_input_folder", "retry_on_timeout")

INHERITED_COLUMNS = (
    "runtime_environment_name",
    "runtime_environment_parameters",
    "compute_type",
    "input_filename",
    "output_formats",
    "name",
    "tags",
    "parameters",
    "email_notifications",
    "timeout_seconds",
    "retry_on_timeout",
    "max_retries",
    "min_retry_interval_millis",
    "output_filename_template",
    "package_input_folder",
    "packaged_files",
)
"""Columns that say what is run: a definition's run copies them from its definition."""


@dataclass(frozen=True, kw_only=True)
class _Row:
    """The columns that jobs and definitions share; defaults are those of ``jupyter_scheduler.orm.CommonColumns``."""

    runtime_environment_name: str = ""
    runtime_environment_parameters: Mapping[str, int | float | bool | str] | None = None
    compute_type: str | None = None
    input_filename: str = ""
    output_formats: tuple[str, ...] | None = None
    name: str | None = None
    tags: tuple[str, ...] | None = None
    parameters: Mapping[str, str] | None = None
    email_notifications: str | None = None
    timeout_seconds: int | None = 600
    retry_on_timeout: bool | None = False
    max_retries: int | None = 0
    min_retry_interval_millis: int | None = 0
    output_filename_template: str | None = None
    package_input_folder: bool | None = None
    packaged_files: tuple[str, ...] | None = ()
    create_time: int = 0
    update_time: int = 0


@dataclass(frozen=True, kw_only=True)
class JobRow(_Row):
    """A row of ``jobs``: one execution. Times are in milliseconds since 1970."""

    job_id: str
    job_definition_id: str | None = None
    status: str = ""
    status_message: str | None = None
    start_time: int | None = None
    end_time: int | None = None
    url: str | None = None
    pid: int | None = None
    idempotency_token: str | None = None

    @property
    def is_scheduled(self) -> bool:
        """Whether this is a definition's scheduled run."""
        return identity.is_run_token(self.idempotency_token, self.job_definition_id)

    @property
    def scheduled_moment(self) -> int:
        """The moment for which a scheduled run was made, in seconds since 1970; 0 if its token has none."""
        return identity.scheduled_moment(self.idempotency_token)

    @property
    def workflow_name(self) -> str:
        """The name of the run's workflow on Argo."""
        return str(self.idempotency_token) if self.is_scheduled else identity.workflow_name(self.job_id)


@dataclass(frozen=True, kw_only=True)
class DefinitionRow(_Row):
    """A row of ``job_definitions``: a schedule and what it runs. Times are in milliseconds since 1970."""

    job_definition_id: str
    schedule: str | None = None
    timezone: str | None = None
    url: str | None = None
    active: bool = True


@dataclass(frozen=True, kw_only=True)
class ScheduleRow:
    """The columns of a definition's row that decide when, and in which form, it runs."""

    job_definition_id: str
    schedule: str | None
    timezone: str | None
    active: bool
    compute_type: str | None
    update_time: int


@dataclass(frozen=True, kw_only=True)
class WatchedRow(ScheduleRow):
    """The columns of a definition's row that decide whether it runs too late."""

    name: str | None
    tags: tuple[str, ...] | None
    runtime_environment_parameters: Mapping[str, int | float | bool | str] | None


@dataclass(frozen=True, kw_only=True)
class OptionsRow:
    """The columns of a definition's row that contain its options."""

    job_definition_id: str
    tags: tuple[str, ...] | None
    runtime_environment_parameters: Mapping[str, int | float | bool | str] | None
    update_time: int


@dataclass(frozen=True, kw_only=True)
class ShownJob:
    """The columns of a job that are shown; times are in milliseconds since 1970."""

    job_id: str
    name: str | None
    input_filename: str
    status: str
    status_message: str | None
    create_time: int
    start_time: int | None
    end_time: int | None
    update_time: int
    job_definition_id: str | None
    output_formats: tuple[str, ...] | None
    tags: tuple[str, ...] | None
    runtime_environment_parameters: Mapping[str, int | float | bool | str] | None


@dataclass(frozen=True, kw_only=True)
class ShownDefinition:
    """The columns of a job definition that are shown; times are in milliseconds since 1970."""

    job_definition_id: str
    name: str | None
    input_filename: str
    schedule: str | None
    timezone: str | None
    active: bool
    create_time: int
    update_time: int


Row = TypeVar("Row", JobRow, DefinitionRow)
Decoded = TypeVar(
    "Decoded", JobRow, DefinitionRow, WatchedRow, OptionsRow, ShownJob, ShownDefinition, StoredJob
)

jobs = table("jobs", *(column(field.name) for field in fields(JobRow)))
definitions = table("job_definitions", *(column(field.name) for field in fields(DefinitionRow)))


INDICES = {
    "ix_jobs_status_end_time": "jobs (status, end_time)",
    "ix_jobs_job_definition_id_create_time": "jobs (job_definition_id, create_time)",
    "ix_jobs_input_filename_create_time": "jobs (input_filename, create_time)",
    "ix_jobs_idempotency_token": "jobs (idempotency_token)",
    "ix_jobs_create_time": "jobs (create_time)",
    "ix_job_definitions_create_time": "job_definitions (create_time)",
}
"""Indices that Jupyter-Scheduler's tables lack, by their names. Without them, most queries read every job there ever was.

See docs/upstream.md#indices.
"""


def decode(kind: type[Decoded], values: Mapping[Any, Any]) -> Decoded:
    """Return a row of the database as a typed value, with its JSON columns decoded."""
    return kind(**{name: _decoded(name, value) for name, value in values.items()})


def _decoded(name: str, value: Any) -> Any:
    if name in JSON_COLUMNS and isinstance(value, str):
        value = json.loads(value)
        return tuple(value) if isinstance(value, list) else value
    if name in _BOOLEAN_COLUMNS and value is not None:  # SQLite has numbers
        return bool(value)
    return value


def encode(values: Mapping[str, object]) -> dict[str, object]:
    """Return columns as the database has them."""
    return {
        name: json.dumps(value) if name in JSON_COLUMNS and value is not None else value
        for name, value in values.items()
    }

"""Reads Jupyter-Scheduler's request models as what `jobs` takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from jupyter_scheduler.models import (
    CreateJob,
    CreateJobDefinition,
    CreateJobFromDefinition,
    UpdateJobDefinition,
)

from argo_jupyter_scheduler.domain.options import with_fields
from argo_jupyter_scheduler.jobs.requests import DefinitionChanges, DefinitionRequest, JobRequest

Request = TypeVar("Request", JobRequest, DefinitionRequest)


def read_job(model: CreateJob) -> JobRequest:
    """Return what a request for a job asks for."""
    return _read(JobRequest, model.dict(exclude_none=True))


def read_definition(model: CreateJobDefinition) -> DefinitionRequest:
    """Return what a request for a job definition asks for."""
    return _read(DefinitionRequest, model.dict(exclude_none=True))


def read_overrides(model: CreateJobFromDefinition) -> Mapping[str, object]:
    """Return what differs from the definition in a run that is started by hand."""
    return dict(model.dict(exclude_none=True))


def read_changes(model: UpdateJobDefinition) -> DefinitionChanges:
    """Return what a request changes of a job definition."""
    columns = with_fields(model.dict(exclude_unset=True, exclude_none=True, exclude={"url"}))
    input_uri = columns.pop("input_uri", None)
    return DefinitionChanges(columns, input_uri)


def _read(kind: type[Request], values: Mapping[str, Any]) -> Request:
    given = with_fields(values)
    known = {field.name for field in fields(kind)}
    columns = {name: _immutable(value) for name, value in given.items() if name in known}
    return kind(**columns)


def _immutable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value

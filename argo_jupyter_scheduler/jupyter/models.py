"""Reads Jupyter-Scheduler's request models as what `jobs` takes.

Its database and its API's description have fields that its models drop, such as ``timeout_seconds``. `accept_fields` lets them
through. See docs/upstream.md#dropped-fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from jupyter_scheduler.models import (
    OUTPUT_FILENAME_TEMPLATE,
    CreateJob,
    CreateJobDefinition,
    CreateJobFromDefinition,
    UpdateJob,
    UpdateJobDefinition,
)
from jupyter_scheduler.pydantic_v1 import BaseModel, Extra

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.options import API_FIELDS, add_fields, read_fields
from argo_jupyter_scheduler.jobs.column_checks import check_fields
from argo_jupyter_scheduler.jobs.requests import DefinitionChanges, DefinitionRequest, JobRequest

Request = TypeVar("Request", JobRequest, DefinitionRequest)

PARAMETERS, SCHEDULED_TIME = "runtime_environment_parameters", "scheduled_time"

_CHANGEABLE = frozenset(UpdateJobDefinition.__fields__) - {"url", "input_uri", "output_filename_template"}
"""Columns that a change of a definition may have. The stock backend also changes ``url``, which nothing reads."""


def accept_fields() -> None:
    """Let the models keep fields that they do not declare; call it before the first request."""
    for model in (CreateJob, CreateJobDefinition, CreateJobFromDefinition, UpdateJob, UpdateJobDefinition):
        model.__config__.extra = Extra.allow


def read_job(model: CreateJob) -> JobRequest:
    """Return what a request for a job asks for.

    Raises
    ------
    InvalidJob
        It has a field that cannot be honoured.
    """
    return _read(JobRequest, _given(model))


def read_definition(model: CreateJobDefinition) -> DefinitionRequest:
    """Return what a request for a job definition asks for.

    Raises
    ------
    InvalidJob
        It has a field that cannot be honoured.
    """
    return _read(DefinitionRequest, _given(model))


def read_run(model: CreateJobFromDefinition) -> tuple[Mapping[str, object], Mapping[str, int]]:
    """Return what differs from the definition in a run that is started by hand: columns, and options.

    Raises
    ------
    InvalidJob
        It has a field that cannot be honoured.
    """
    values = _given(model)
    _check(values)
    overrides = {name: values[name] for name in ("parameters", SCHEDULED_TIME) if name in values}
    return overrides, read_fields(values)


def read_changes(model: UpdateJobDefinition) -> DefinitionChanges:
    """Return what a request changes of a job definition.

    Raises
    ------
    InvalidJob
        It has a field that cannot be honoured.
    """
    values = _given(model, only_set=True)
    _check(values)
    columns = {name: value for name, value in values.items() if name in _CHANGEABLE}
    options = read_fields(values)
    if PARAMETERS in columns:
        columns[PARAMETERS], options = add_fields(columns[PARAMETERS], options), {}
    return DefinitionChanges(columns, values.get("input_uri"), options)


def check_change(model: UpdateJob) -> None:
    """Refuse a change of a job that has no effect: its run has begun.

    Raises
    ------
    InvalidJob
        With the field's name.
    """
    values = _given(model, only_set=True)
    _check(values)
    for name in API_FIELDS:
        if name in values:
            raise InvalidJob(messages.requests.job_keeps(name))


def _given(model: BaseModel, only_set: bool = False) -> dict[str, Any]:
    """Return a request's fields that have a value, as they are: `dict` would follow those that nobody knows to any depth.

    Parameters
    ----------
    only_set
        Whether to leave out the fields that the request did not have.
    """
    return {
        name: value
        for name, value in model
        if value is not None and (name in model.__fields_set__ or not only_set)
    }


def _check(values: Mapping[str, Any]) -> None:
    check_fields(values, output_filename_template=OUTPUT_FILENAME_TEMPLATE)
    if not isinstance(values.get(SCHEDULED_TIME, ""), str):  # Jupyter-Scheduler's models do not declare it
        raise InvalidJob(
            messages.requests.field_not_valid(SCHEDULED_TIME, "write ISO 8601, such as 2026-03-02T06:00")
        )


def _read(kind: type[Request], values: Mapping[str, Any]) -> Request:
    _check(values)
    known = {field.name for field in fields(kind)}
    columns = {name: _immutable(value) for name, value in values.items() if name in known}
    columns.setdefault("input_filename", "")  # where the input path is empty, too
    if options := read_fields(values):
        columns[PARAMETERS] = add_fields(columns.get(PARAMETERS), options)
    return kind(**columns)


def _immutable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value

"""The seam to Jupyter-Scheduler's handlers: malformed requests are answered before those handlers see them.

They answer a field of the wrong type with 500 and a traceback, and a body that is not an object with "Unexpected error": see
docs/upstream.md#errors-as-500.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jupyter_scheduler.handlers import (
    JobDefinitionHandler,
    JobFromDefinitionHandler,
    JobHandler,
    JobHandlersMixin,
    compute_sort_model,
)
from jupyter_scheduler.models import (
    CreateJob,
    CreateJobDefinition,
    CreateJobFromDefinition,
    Status,
    UpdateJob,
    UpdateJobDefinition,
)
from jupyter_scheduler.orm import Job, JobDefinition
from jupyter_scheduler.pydantic_v1 import BaseModel, ValidationError
from tornado.web import HTTPError

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.jupyter.errors import refuse

_MODELS: Mapping[tuple[type, str], type[BaseModel]] = {
    (JobHandler, "POST"): CreateJob,
    (JobHandler, "PATCH"): UpdateJob,
    (JobDefinitionHandler, "POST"): CreateJobDefinition,
    (JobDefinitionHandler, "PATCH"): UpdateJobDefinition,
    (JobFromDefinitionHandler, "POST"): CreateJobFromDefinition,
}
"""The model that a request's body describes."""

_NUMBERS = ("start_time", "create_time", "max_items", "next_token")
"""Arguments of lists that are numbers."""

_LARGEST = 2**63 - 1
"""The largest number that a database takes."""


def check_requests() -> None:
    """Let all handlers check their requests; call it before the first request."""
    JobHandlersMixin.prepare = _prepare


async def _prepare(self: Any) -> None:
    """Answer a malformed request of somebody who is logged in. Others are turned away by the handler itself."""
    await super(JobHandlersMixin, self).prepare()
    if not self.current_user or self._finished:
        return
    try:
        _check_query(self)
        if model := _MODELS.get((type(self), self.request.method)):
            _check_body(model, self.request.body)
    except InvalidJob as error:
        refuse(error)
    except HTTPError:  # Tornado's, of an argument that is not UTF-8
        refuse(InvalidJob(messages.requests.not_unicode("query")))


def _check_query(handler: Any) -> None:
    """Refuse arguments of a list that are not what they should be.

    Raises
    ------
    InvalidJob
        With the argument.
    HTTPError
        One is not UTF-8.
    """
    for name in handler.request.query_arguments:
        handler.get_query_arguments(name)  # to see whether it is text
    status = handler.get_query_argument("status", None)
    if status and status.upper() not in Status.__members__:
        raise InvalidJob(
            messages.requests.field_not_valid("status", f"available: {', '.join(Status.__members__)}")
        )
    for name in _NUMBERS:
        text = handler.get_query_argument(name, None)
        is_given = bool(text) or (name == "max_items" and text is not None)  # others may be empty
        if is_given and not (
            text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= _LARGEST
        ):
            raise InvalidJob(messages.requests.field_not_a_number(name, text[:80]))
    table = JobDefinition if isinstance(handler, JobDefinitionHandler) else Job
    for text in handler.get_query_arguments("sort_by"):
        try:
            [field] = compute_sort_model([text[:256]])
        except (AttributeError, ValueError):
            field = None
        if field is None or field.name not in table.__table__.columns:
            raise InvalidJob(
                messages.requests.field_not_valid("sort_by", "write asc(…) or desc(…) with a column")
            )


def _check_body(model: type[BaseModel], body: bytes) -> None:
    """Refuse a body that is not an object with fields of the right types.

    Raises
    ------
    InvalidJob
        With the first field that is wrong.
    """
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise InvalidJob(messages.requests.BODY_NOT_AN_OBJECT)
    for name, field in model.__fields__.items():
        if name not in given:
            if field.required:
                raise InvalidJob(messages.requests.field_not_valid(name, "field required"))
            continue
        _, wrong = field.validate(given[name], {}, loc=name)
        if wrong:
            first = ValidationError([wrong], model).errors()[0]
            place = ".".join(str(part)[:80] for part in first["loc"])
            raise InvalidJob(messages.requests.field_not_valid(place, first["msg"]))
    if model is UpdateJob and given.get("status") not in (None, Status.STOPPED.value):
        raise InvalidJob(messages.requests.field_not_valid("status", "a job can only be STOPPED"))

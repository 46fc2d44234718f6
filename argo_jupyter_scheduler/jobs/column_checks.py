"""Checks that a database can store what a request asks for, and that it has a meaning here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.identity import is_job_id

TEXT_LENGTHS = {
    "name": 256,
    "runtime_environment_name": 256,
    "compute_type": 256,
    "output_filename_template": 256,
    "idempotency_token": 256,
    "job_definition_id": 36,
    "timezone": 256,
}
"""The most characters of each text, mostly its column's (``jupyter_scheduler.orm``). `domain.schedules` has the schedule's."""

COUNTS = {"tags": 100, "parameters": 1000, "output_formats": 100, "runtime_environment_parameters": 100}
"""The most entries of each collection."""

ENTRY_LENGTHS = {
    "tags": 200_000,
    "parameters": 16_000_000,
    "output_formats": 10_000,
    "runtime_environment_parameters": 10_000,
}
"""The most characters of each collection, all entries together."""


def check_values(values: Mapping[str, Any]) -> None:
    """Refuse columns that are too large, or that no database can store.

    Raises
    ------
    InvalidJob
        With the column.
    """
    for column, value in values.items():
        subject = column.replace("_", " ")
        if isinstance(value, str) and len(value) > TEXT_LENGTHS.get(column, len(value)):
            raise InvalidJob(messages.requests.too_long(subject, len(value), TEXT_LENGTHS[column]))
        if isinstance(value, str) and "\0" in value:
            raise InvalidJob(messages.requests.has_nul(subject))
        if column in COUNTS and value:
            if len(value) > COUNTS[column]:
                raise InvalidJob(messages.requests.too_many(len(value), subject, COUNTS[column]))
            entries = [*value.keys(), *value.values()] if isinstance(value, Mapping) else value
            length = sum(len(str(entry)) for entry in entries)
            if length > ENTRY_LENGTHS[column]:
                raise InvalidJob(messages.requests.entries_too_long(subject, length, ENTRY_LENGTHS[column]))
        check_text(value, subject)
        if column == "job_definition_id" and value and not is_job_id(value):  # it names a folder
            raise InvalidJob(messages.requests.definition_not_found(value))


def check_fields(values: Mapping[str, Any], output_filename_template: str) -> None:
    """Refuse fields of Jupyter-Scheduler's API that have no effect here, unless they ask for nothing.

    Parameters
    ----------
    values
        A request's fields.
    output_filename_template
        The one that describes how outputs are named here.

    Raises
    ------
    InvalidJob
        With the field's name.
    """
    emails = values.get("email_notifications")
    addresses = emails.values() if isinstance(emails, Mapping) else [emails]
    if any(one for one in addresses if not isinstance(one, bool)):  # a switch alone sends nothing
        raise InvalidJob(messages.requests.NO_EMAIL)
    if values.get("retry_on_timeout"):
        raise InvalidJob(messages.requests.NO_RETRY_ON_TIMEOUT)
    if values.get("output_filename_template") not in (None, "", output_filename_template):
        raise InvalidJob(messages.requests.no_output_template(output_filename_template))


def check_text(value: object, subject: str) -> None:
    """Refuse text that no database or file system can store, such as half a surrogate pair.

    Parameters
    ----------
    value
        A text, or a collection of such; other values are not checked.

    Raises
    ------
    InvalidJob
        With the subject.
    """
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple)):
        for item in value:
            check_text(item, subject)
    elif isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidJob(messages.requests.not_unicode(subject)) from None

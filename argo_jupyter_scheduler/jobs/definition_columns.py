"""The columns of a job definition as a document has them, and the other way round."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from argo_jupyter_scheduler.domain import options, schedules
from argo_jupyter_scheduler.jobs.definition_documents import DEFAULT_FORMATS, DefinitionDocument
from argo_jupyter_scheduler.notify import slack
from argo_jupyter_scheduler.storage.schema import DefinitionRow

ORIGIN_TAG = "applied-from:"
"""Begins the tag of a definition that comes from files."""

COLUMNS = {
    "schedule": "schedule",
    "timezone": "timezone",
    "active": "paused",
    "runtime_environment_name": "environment",
    "parameters": "parameters",
    "output_formats": "formats",
    "runtime_environment_parameters": "options",
    "tags": "tags",
    "compute_type": "compute_type",
    "package_input_folder": "input_folder",
}
"""The key of a document that decides each column."""


def name_of(row: DefinitionRow) -> str:
    """Return what a document calls a definition."""
    return row.name or Path(row.input_filename).stem


def make_document(row: DefinitionRow, notebook: str) -> DefinitionDocument:
    """Return a definition as a document, without secrets.

    Parameters
    ----------
    notebook
        The path of its notebook, relative to the document's file.

    Raises
    ------
    ValidationError
        Another backend wrote what no document can say.
    """
    parameters: dict[str, JsonValue] = {
        name: value for name, value in (row.parameters or {}).items() if name != slack.TOKEN
    }
    asked = options.name_options(row.runtime_environment_parameters)
    return DefinitionDocument(
        name=name_of(row),
        notebook=notebook,
        schedule=row.schedule,
        timezone=row.timezone or None,
        paused=not row.active,
        environment=row.runtime_environment_name or None,
        parameters=parameters,
        formats=list(row.output_formats or DEFAULT_FORMATS),
        options={name: value if type(value) is int else str(value) for name, value in asked.items()},
        tags=[tag for tag in row.tags or () if not tag.startswith(ORIGIN_TAG)],
        compute_type=row.compute_type,
        input_folder=bool(row.package_input_folder),
    )


def read_parameters(content: DefinitionDocument, row: DefinitionRow | None, channel: str) -> dict[str, str]:
    """Return a document's parameters as users type them, with the token that the definition has.

    Parameters
    ----------
    row
        The definition as it is; None for a new one.
    channel
        The configured channel of Slack. Without it, and without one in the document, a token has no use and is not kept.
    """
    token = (row.parameters or {}).get(slack.TOKEN) if row else None
    is_kept = token and (channel or slack.CHANNEL in content.parameters)
    kept = {slack.TOKEN: str(token)} if is_kept else {}
    return {**kept, **{name: _as_text(value) for name, value in content.parameters.items()}}


def read_options(content: DefinitionDocument) -> dict[str, int | float | bool | str]:
    """Return a document's options as ``runtime_environment_parameters`` have them: lists with commas."""
    return {
        name: ",".join(value) if isinstance(value, list) else value for name, value in content.options.items()
    }


def normalize(column: str, value: Any) -> object:
    """Return a column's value in a form in which equal meanings are equal."""
    if column == "timezone":
        return value or schedules.DEFAULT_TIMEZONE
    if column == "runtime_environment_parameters":
        return {name: str(given) for name, given in options.name_options(value).items()}
    if column in ("tags", "output_formats"):
        return frozenset(value or ())
    return value or None


def show(column: str, value: Any) -> object:
    """Return a column's value as a document has it, without secrets."""
    if column == "active":
        return not value
    if column == "parameters":
        return {name: given for name, given in (value or {}).items() if name != slack.TOKEN}
    if column == "runtime_environment_parameters":
        return options.name_options(value)
    return list(value) if isinstance(value, tuple) else value


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "None" if value is None else json.dumps(value, ensure_ascii=False)

"""Requests of users, as `jobs` takes them: plain values of any sender."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Parameters = Mapping[str, str]
OptionParameters = Mapping[str, int | float | bool | str]


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A request to run a notebook. None: not given.

    Attributes
    ----------
    input_uri
        The notebook within JupyterLab's root folder.
    input_filename
        Its name in the staging area.
    runtime_environment_parameters
        Options, see `domain.options`.
    """

    input_uri: str
    input_filename: str
    runtime_environment_name: str
    runtime_environment_parameters: OptionParameters | None = None
    output_formats: tuple[str, ...] | None = None
    parameters: Parameters | None = None
    tags: tuple[str, ...] | None = None
    name: str | None = None
    compute_type: str | None = None
    output_filename_template: str | None = None
    package_input_folder: bool | None = None


@dataclass(frozen=True, kw_only=True)
class JobRequest(RunRequest):
    """A job that is to be run now.

    Attributes
    ----------
    scheduled_time
        The moment that it is about, in ISO 8601.
    """

    idempotency_token: str | None = None
    job_definition_id: str | None = None
    scheduled_time: str | None = None


@dataclass(frozen=True, kw_only=True)
class DefinitionRequest(RunRequest):
    """A job definition that is to be stored."""

    schedule: str | None = None
    timezone: str | None = None


@dataclass(frozen=True)
class DefinitionChanges:
    """Changes of a job definition.

    Attributes
    ----------
    columns
        The columns that change, with their new values.
    input_uri
        The notebook within the root folder that becomes the new input; None where the request names no input.
    options
        Options that replace earlier ones, as `domain.options.read_fields` returns them.
    """

    columns: Mapping[str, Any] = field(default_factory=dict)
    input_uri: str | None = None
    options: Mapping[str, int] = field(default_factory=dict)

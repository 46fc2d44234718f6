"""Checks a document before anything is changed, each key by itself, so that a refusal names its line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from argo_jupyter_scheduler.domain import messages, options, schedules
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.jobs.definition_columns import ORIGIN_TAG, read_options, read_parameters
from argo_jupyter_scheduler.jobs.definition_documents import Document, find_wrong_option
from argo_jupyter_scheduler.jobs.definitions import check_schedule
from argo_jupyter_scheduler.jobs.requests import DefinitionRequest
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.notify import slack
from argo_jupyter_scheduler.storage.input_folder import list_files
from argo_jupyter_scheduler.storage.schema import DefinitionRow

_CHECKED_TOGETHER = {
    "name": ("name",),
    "environment": ("runtime_environment_name",),
    "parameters": ("parameters",),
    "formats": ("output_formats",),
    "compute_type": ("compute_type",),
    "tags": ("tags",),
    "options": ("tags", "runtime_environment_parameters"),
}
"""The columns that are checked for each key, so that a refusal names its line."""


def check_owner(name: str, rows: Sequence[DefinitionRow], tag: str) -> None:
    """Refuse a name that several definitions have, or one of another origin.

    Raises
    ------
    InvalidJob
        With the reason.
    """
    if len(rows) > 1:
        raise InvalidJob(
            messages.definition_files.name_ambiguous(name, [row.job_definition_id for row in rows])
        )
    for row in rows:
        for given in row.tags or ():
            if given.startswith(ORIGIN_TAG) and given != tag:
                raise InvalidJob(
                    messages.definition_files.applied_from_elsewhere(name, given.removeprefix(ORIGIN_TAG))
                )


def check_document(
    jobs: JobService, document: Document, tag: str, row: DefinitionRow | None
) -> DefinitionRequest:
    """Return what a document asks for.

    Raises
    ------
    InvalidJob
        It would be refused; names the line.
    """
    content = document.content
    _check_content(document)
    with document.at("notebook"):
        path = _find_path(document, jobs.settings.root_dir)
        found = jobs.staging.find_notebook(path)
        notebook = jobs.validation.read_notebook(found)
    with document.at("environment"):
        environment = content.environment or jobs.environments.default_name()
    request = DefinitionRequest(
        input_uri=path,
        input_filename=found.name,
        runtime_environment_name=environment,
        runtime_environment_parameters=read_options(content) or None,
        output_formats=tuple(content.formats),
        parameters=read_parameters(content, row, jobs.staging.slack_settings().channel),
        tags=(*content.tags, tag),
        name=content.name,
        compute_type=content.compute_type,
        package_input_folder=content.input_folder,
        schedule=content.schedule,
        timezone=content.timezone,
    )
    with document.at("notebook"):
        values = jobs.columns_of(request)
    for key, columns in _CHECKED_TOGETHER.items():
        with document.at(key):
            given = {name: values[name] for name in columns if name in values}
            jobs.validation.prepare(notebook, jobs.staging.origin_of(found), given)
    asked = options.read_options(request.tags, request.runtime_environment_parameters)
    with document.at("options"):
        jobs.staging.check_places(asked, notebook, request.parameters)
    with document.at("input_folder"):
        if content.input_folder:
            list_files(found.parent, jobs.staging.folder_rules(asked, jobs.settings.root_dir))
    return request


def _check_content(document: Document) -> None:
    """Refuse what is wrong with a document alone.

    Raises
    ------
    InvalidJob
        Names the line.
    """
    content = document.content
    if wrong := find_wrong_option(read_options(content)):
        with document.at(f"options.{wrong[0]}"):
            raise wrong[1]
    with document.at("tags"):
        for tag in content.tags:
            if tag.startswith(ORIGIN_TAG):
                raise InvalidJob(messages.definition_files.tag_reserved(tag))
    with document.at(f"parameters.{slack.TOKEN}"):
        if slack.TOKEN in content.parameters:
            raise InvalidJob(messages.definition_files.NO_SECRETS_IN_FILES)
    with document.at("timezone"):
        schedules.parse("@daily", content.timezone)
    with document.at("schedule"):
        if content.schedule is not None:
            check_schedule(content.schedule, content.timezone)


def _find_path(document: Document, root: Path) -> str:
    """Return where a document's notebook is below the root folder. It begins with a slash, so that a name alone is a path too.

    Raises
    ------
    InvalidJob
        It is not relative, is elsewhere, or does not exist; says the nearest names.
    """
    notebook = document.content.notebook
    if os.path.isabs(notebook):
        raise InvalidJob(messages.definition_files.NOTEBOOK_NOT_RELATIVE)
    path = os.path.normpath(os.path.join(document.folder, notebook))
    if path.split(os.sep)[0] == os.pardir:
        raise InvalidJob(messages.inputs.input_outside_root(notebook))
    if "\0" not in path and not os.path.isfile(root / path):  # False also for what no path can be
        names: list[str] = []
        with contextlib.suppress(OSError, ValueError):
            names = [name for name in os.listdir((root / path).parent) if name.endswith(".ipynb")]
        beside = os.path.dirname(notebook)
        raise InvalidJob(
            messages.requests.not_found("Notebook", notebook, (os.path.join(beside, name) for name in names))
        )
    return f"/{path}"

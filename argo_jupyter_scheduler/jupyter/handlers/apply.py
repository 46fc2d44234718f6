"""``/argo-scheduler/definitions/apply`` and ``…/export``: job definitions as files."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidDefinitions, InvalidJob
from argo_jupyter_scheduler.jobs.answers import Applied, Exported
from argo_jupyter_scheduler.jobs.definition_documents import (
    Document,
    name_files,
    read_documents,
    write_document,
)
from argo_jupyter_scheduler.jobs.definition_files import DEFAULT_ORIGIN, DefinitionFiles, change_as_json
from argo_jupyter_scheduler.jupyter.handlers.base import SchedulerHandler

_FIELDS: Mapping[str, tuple[type, Any]] = {
    "files": (dict, {}),
    "origin": (str, DEFAULT_ORIGIN),
    "prune": (bool, False),
    "dry_run": (bool, False),
}
"""The fields of a request with their types and defaults."""

_WANTED = {dict: "write the texts of files by their paths", str: "write text", bool: "write true or false"}
"""The advice for a value of another type."""


class ApplyHandler(SchedulerHandler):
    """Applies job definitions from files."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Answer with what was changed."""
        given = json.loads(self.request.body or "{}")
        self.finish(json.dumps(await self.call(_apply, self.services.definition_files, given)))


class ExportHandler(SchedulerHandler):
    """Answers with job definitions as files."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with a file for each definition, as they would be in the root folder."""
        root = self.services.jobs.settings.root_dir
        self.finish(json.dumps(await self.read(_export, self.services.definition_files, root)))


def _apply(definition_files: DefinitionFiles, given: Mapping[str, Any]) -> Applied:
    values = _read_fields(given)
    documents: list[Document] = []
    problems: list[str] = []
    for path, text in values.pop("files").items():
        try:
            documents += read_documents(text, path, posixpath.dirname(path.lstrip("/")))
        except InvalidDefinitions as error:
            problems += error.problems
    if problems:
        raise InvalidDefinitions(problems)
    changes = definition_files.apply(documents, **values)
    return Applied(dry_run=values["dry_run"], changes=[change_as_json(change) for change in changes])


def _read_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's fields.

    Raises
    ------
    InvalidJob
        One is unknown, or not of the right type.
    """
    for name, value in given.items():
        if name not in _FIELDS:
            raise InvalidJob(messages.requests.not_found("Field", name, _FIELDS))
        if not isinstance(value, _FIELDS[name][0]):
            raise InvalidJob(messages.requests.field_not_valid(name, _WANTED[_FIELDS[name][0]]))
    values = {name: given.get(name, default) for name, (_, default) in _FIELDS.items()}
    for path, text in values["files"].items():
        if not isinstance(text, str):
            raise InvalidJob(messages.requests.field_not_valid(f"files.{path[:80]}", "write the file's text"))
    return values


def _export(definition_files: DefinitionFiles, root: Path) -> Exported:
    exported = list(definition_files.export(root))
    names = name_files([content.name for content, _ in exported])
    return Exported(
        files={name: write_document(content) for name, (content, _) in zip(names, exported, strict=True)},
        warnings=[f"{content.name}: {warning}" for content, found in exported for warning in found],
    )

"""Creates, changes and pauses job definitions from files and, where that is asked for, deletes others.

A definition is recognised by its name. Those that `apply` has made or changed have the tag ``applied-from:ORIGIN``, so only they
are ever deleted. Everything is checked before the first change.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from argo_jupyter_scheduler.domain import messages, options
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, InvalidDefinitions, InvalidJob
from argo_jupyter_scheduler.jobs.answers import DefinitionChange
from argo_jupyter_scheduler.jobs.definition_checks import check_document, check_owner
from argo_jupyter_scheduler.jobs.definition_columns import (
    COLUMNS,
    ORIGIN_TAG,
    make_document,
    name_of,
    normalize,
    show,
)
from argo_jupyter_scheduler.jobs.definition_documents import DefinitionDocument, Document
from argo_jupyter_scheduler.jobs.definitions import DefinitionService
from argo_jupyter_scheduler.jobs.requests import DefinitionChanges, DefinitionRequest
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.notify import slack
from argo_jupyter_scheduler.storage.input_folder import PRIVATE, list_files
from argo_jupyter_scheduler.storage.locks import locked
from argo_jupyter_scheduler.storage.output_names import shorten_input_name
from argo_jupyter_scheduler.storage.schema import DefinitionRow

DEFAULT_ORIGIN = "files"

LOCK = "apply.lock"

Action = Literal["create", "change", "delete", "keep"]

_ORIGIN = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")


@dataclass(frozen=True)
class FieldChange:
    """A key of a definition with its value before and after; None where there is none."""

    before: object
    after: object


@dataclass(frozen=True)
class Change:
    """The plan for one definition.

    Attributes
    ----------
    action
        The change to make, if any.
    name
        Its name.
    place
        Where its document begins; empty for one that is deleted.
    fields
        The changes, by the keys of the document.
    job_definition_id
        Its id; None as long as it does not exist.
    failure
        Why it could not be done; empty where it was, or was not tried.
    """

    action: Action
    name: str
    place: str = ""
    fields: Mapping[str, FieldChange] = field(default_factory=dict)
    job_definition_id: str | None = None
    failure: str = ""


@dataclass(frozen=True)
class _Step:
    """A change, and how it is done."""

    change: Change
    request: DefinitionRequest | None = None
    changes: DefinitionChanges | None = None
    active: bool = True


class DefinitionFiles:
    """Applies and exports job definitions. All methods block.

    Parameters
    ----------
    jobs, definitions
        The services of the scheduler.
    """

    def __init__(self, jobs: JobService, definitions: DefinitionService) -> None:
        self._jobs = jobs
        self._definitions = definitions

    def apply(
        self,
        documents: Sequence[Document],
        origin: str = DEFAULT_ORIGIN,
        prune: bool = False,
        dry_run: bool = False,
    ) -> list[Change]:
        """Apply documents to the stored definitions; return the result of each. Applying them again changes nothing.

        Parameters
        ----------
        origin
            Where they come from: only definitions of this origin are deleted.
        prune
            Whether to delete those of this origin that have no document; not after a change that failed.
        dry_run
            Whether to change nothing, and only return what would be changed.

        Raises
        ------
        InvalidDefinitions
            Something cannot be applied; nothing was changed.
        """
        if not _ORIGIN.fullmatch(origin):
            raise InvalidDefinitions([messages.definition_files.not_an_origin(origin)])
        if not documents:
            raise InvalidDefinitions([messages.definition_files.NO_DEFINITIONS])
        with contextlib.nullcontext() if dry_run else self._locked():
            steps = self._plan(documents, ORIGIN_TAG + origin, prune)
            if dry_run:
                return [step.change for step in steps]
            done: list[Change] = []
            for step in steps:
                if step.change.action == "delete" and any(change.failure for change in done):
                    continue
                done.append(self._do(step))
            return done

    def export(self, folder: Path) -> Iterator[tuple[DefinitionDocument, list[str]]]:
        """Yield each stored definition as a document, the oldest first, with what a reader should know of it.

        Parameters
        ----------
        folder
            The full path of where the documents will be: those of notebooks are relative to it.
        """
        rows = self._jobs.database.list_definitions()
        names = [name_of(row) for row in rows]
        for row in reversed(rows):
            warnings = []
            root = self._find_root(row)
            origin = self._jobs.folder(row.job_definition_id).read_settings().origin
            if origin is None or not (root / origin).is_file():
                warnings.append(f"The notebook '{origin or row.input_filename}' is not in the root folder.")
            if slack.TOKEN in (row.parameters or {}):
                warnings.append(f"{slack.TOKEN} is left out because it is a secret. apply keeps it.")
            if names.count(name_of(row)) > 1:
                warnings.append(
                    "Another definition has the same name, which apply refuses. Rename one of them."
                )
            notebook = os.path.relpath(root / (origin or row.input_filename), folder)
            try:
                yield make_document(row, notebook), warnings
            except ValidationError as error:  # another backend wrote what is not possible here
                reason = error.errors()[0]["msg"]
                raise InvalidJob(
                    messages.definition_files.not_exported(row.job_definition_id, reason)
                ) from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Let those who apply at the same time wait for each other, on any machine: none makes a second one of a name."""
        folder = self._jobs.settings.staging_path / PRIVATE
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LOCK).touch(0o600)
        with locked(folder / LOCK):
            yield

    # What is to be done

    def _plan(self, documents: Sequence[Document], tag: str, prune: bool) -> list[_Step]:
        """Return what is to be done, deletions last.

        Raises
        ------
        InvalidDefinitions
            With all that is wrong.
        """
        rows: dict[str, list[DefinitionRow]] = defaultdict(list)
        if self._jobs.database.has_tables():
            for stored in self._jobs.database.list_definitions():
                rows[name_of(stored)].append(stored)
        steps: list[_Step] = []
        problems: list[str] = []
        places: dict[str, str] = {}
        for document in documents:
            name = document.content.name
            try:
                with document.at("name"):
                    if name in places:
                        raise InvalidJob(messages.definition_files.defined_twice(name, places[name]))
                    check_owner(name, rows[name], tag)
                places[name] = document.place()
                row = next(iter(rows[name]), None)
                steps.append(self._compare(document, check_document(self._jobs, document, tag, row), row))
            except ArgoSchedulerError as error:
                problems.append(str(error))
        if problems:
            raise InvalidDefinitions(problems)
        known = [row for found in rows.values() for row in found]
        left = [row for row in known if tag in (row.tags or ()) and name_of(row) not in places]
        deletions = [Change("delete", name_of(row), job_definition_id=row.job_definition_id) for row in left]
        return [*steps, *map(_Step, deletions if prune else [])]

    def _compare(self, document: Document, request: DefinitionRequest, row: DefinitionRow | None) -> _Step:
        """Return what makes a definition what a document asks for."""
        change = Change("create", document.content.name, document.place())
        values = self._jobs.columns_of(request)
        wanted = {column: values.get(column) for column in COLUMNS}
        active = wanted["active"] = not document.content.paused
        if row is None:
            return _Step(replace(change, fields=_show_new(document.content)), request, active=active)
        change = replace(change, job_definition_id=row.job_definition_id)
        columns = {
            column: value
            for column, value in wanted.items()
            if normalize(column, value) != normalize(column, getattr(row, column))
        }
        fields = {
            COLUMNS[column]: FieldChange(show(column, getattr(row, column)), show(column, value))
            for column, value in columns.items()
        }
        if row.name != request.name:  # one without a name is called like its notebook
            columns["name"], fields["name"] = request.name, FieldChange(row.name, request.name)
        input_uri = None
        if moved := self._find_new_input(row, request):
            input_uri = request.input_uri
            fields["notebook"] = moved
        if not fields:
            return _Step(replace(change, action="keep"))
        columns = {
            name: {} if value is None and name == "parameters" else value for name, value in columns.items()
        }
        changes = DefinitionChanges(columns, input_uri)
        return _Step(replace(change, action="change", fields=fields), changes=changes)

    def _find_new_input(self, row: DefinitionRow, request: DefinitionRequest) -> FieldChange | None:
        """Return what is new about a definition's input; None where it is what was staged."""
        folder, source = (
            self._jobs.folder(row.job_definition_id),
            self._jobs.staging.find_notebook(request.input_uri),
        )
        before, after = folder.read_settings().origin, self._jobs.staging.origin_of(source)
        root = Path(os.path.realpath(self._jobs.settings.root_dir))
        if before is None or after is None or self._find_root(row) / before != root / after:
            return FieldChange(before, after)
        asked = options.read_options(request.tags, request.runtime_environment_parameters)
        if asked.is_linked:  # each run takes it as it is then
            return None
        name = shorten_input_name(source.name)
        pairs = {name: source}
        if request.package_input_folder:
            rules = self._jobs.staging.folder_rules(asked, root)
            pairs |= {path: source.parent / path for path in list_files(source.parent, rules)}
        is_same = bool(request.package_input_folder) == bool(row.package_input_folder)
        is_same = is_same and row.input_filename == name and set(folder.files()) == pairs.keys()
        if is_same and all(_has_same_content(folder.path / path, found) for path, found in pairs.items()):
            return None
        return FieldChange(before, f"{after} (changed content)")

    def _find_root(self, row: DefinitionRow) -> Path:
        """Return the root folder that a definition's notebook is in: a command may have another one than the server."""
        staged = self._jobs.folder(row.job_definition_id).path / row.input_filename
        return Path(os.path.realpath(self._jobs.staging.root_of(staged)))

    # What is done

    def _do(self, step: _Step) -> Change:
        """Do a step; return what has become of it."""
        change = step.change
        try:
            if step.request:
                definition_id = self._definitions.create(step.request, step.active)
                return replace(change, job_definition_id=definition_id)
            if step.changes:
                self._definitions.update(str(change.job_definition_id), step.changes)
            elif change.action == "delete":
                self._definitions.delete(str(change.job_definition_id))
        except ArgoSchedulerError as error:
            return replace(change, failure=str(error))
        except OSError as error:
            return replace(change, failure=messages.server.files_unusable(error))
        except SQLAlchemyError as error:
            return replace(change, failure=messages.server.database_unusable(getattr(error, "orig", error)))
        return change


def change_as_json(change: Change) -> DefinitionChange:
    """Return a change for programs."""
    return DefinitionChange(
        action=change.action,
        name=change.name,
        place=change.place,
        job_definition_id=change.job_definition_id,
        fields={key: {"before": value.before, "after": value.after} for key, value in change.fields.items()},
        failure=change.failure or None,
    )


def _show_new(content: DefinitionDocument) -> dict[str, FieldChange]:
    values = content.model_dump(exclude_defaults=True, exclude={"name"})
    return {key: FieldChange(None, value) for key, value in values.items()}


def _has_same_content(staged: Path, source: Path) -> bool:
    try:
        return filecmp.cmp(staged, source, shallow=False)
    except OSError:
        return False

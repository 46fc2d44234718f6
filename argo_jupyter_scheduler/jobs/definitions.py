"""Job definitions: rows, staged inputs and the engine's schedules, kept in line.

The definition's row is the truth. A change writes files first, then the row in one statement, then calls the engine once. If any
of it fails, all is what it was before, and the user gets the reason. Changes of one definition wait for each other. A mark in the
staging area stands for as long as a change is in progress, so the reconciler finishes one that was interrupted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from threading import Lock
from typing import Any

from argo_jupyter_scheduler.domain import messages, options, schedules
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, InvalidJob
from argo_jupyter_scheduler.jobs.column_checks import check_values
from argo_jupyter_scheduler.jobs.inputs import Notebook
from argo_jupyter_scheduler.jobs.requests import DefinitionChanges, DefinitionRequest
from argo_jupyter_scheduler.jobs.service import JobService, log_near_misses
from argo_jupyter_scheduler.jobs.validation import PreparedNotebook, check_output_formats
from argo_jupyter_scheduler.storage.folders import NEW_SUFFIX, REPLACED_SUFFIX, VERSION
from argo_jupyter_scheduler.storage.markers import DEFINITIONS, ChangeMarkers
from argo_jupyter_scheduler.storage.output_names import shorten_input_name
from argo_jupyter_scheduler.storage.schema import DefinitionRow, ScheduleRow

SCHEDULE_COLUMNS = frozenset({"schedule", "timezone", "active"})
"""Columns that decide when a definition runs; all others decide what."""

OPTION_COLUMNS = frozenset({"tags", "runtime_environment_parameters"})
"""Columns that contain options: each must be judged together with the other."""

log = logging.getLogger("argo_jupyter_scheduler")


class DefinitionService:
    """Creates, changes and deletes job definitions. All methods block.

    Parameters
    ----------
    jobs
        The service of the jobs that they make.
    """

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs
        self._database = jobs.database
        self._engine = jobs.engine
        self._markers = ChangeMarkers(jobs.settings.staging_path, DEFINITIONS)
        self._locks: dict[str, Lock] = {}
        self._reported: dict[str, str] = {}

    def create(self, request: DefinitionRequest, active: bool = True) -> str:
        """Store a definition and its schedule; return its id.

        Parameters
        ----------
        active
            Whether it runs by its schedule; else it is paused from the start.

        Raises
        ------
        ArgoSchedulerError
            It is not possible; nothing is left behind, or the reconciler tidies up once the engine answers.
        """
        notebook = self._jobs.validation.read_notebook(self._jobs.staging.find_notebook(request.input_uri))
        values = self._jobs.columns_of(request)
        prepared = self._jobs.staging.prepare(notebook, values)
        if request.schedule is not None:
            check_schedule(request.schedule, request.timezone)
        log_near_misses(request)
        definition_id = str(uuid.uuid4())
        folder = self._jobs.folder(definition_id)
        try:
            with self._markers.mark_change(definition_id):
                packaged_files = self._jobs.staging.stage(
                    folder, prepared, values["input_filename"], bool(request.package_input_folder)
                )
                created = now_ms()
                definition = DefinitionRow(
                    **values,
                    job_definition_id=definition_id,
                    packaged_files=packaged_files,
                    url=f"/job_definitions/{definition_id}",
                    active=active,
                    create_time=created,
                    update_time=created,
                )
                self._database.insert_definition(definition)
                if definition.schedule is not None:
                    self._engine.schedule(definition)
        except BaseException:
            # A schedule that the engine has made after all is removed by `finish_changes`: its definition has no row.
            try:
                self._database.delete_definition(definition_id)
            finally:  # also where the database is away
                folder.delete()
            raise
        return definition_id

    def update(self, definition_id: str, changes: DefinitionChanges) -> None:
        """Change, pause or resume a definition; runs that are in progress go on as they are.

        Raises
        ------
        ArgoSchedulerError
            It is not possible; the definition is as it was.
        """
        with self._locked(definition_id):
            before = self._jobs.get_definition(definition_id)
            columns = dict(changes.columns)
            if changes.options:
                columns["runtime_environment_parameters"] = options.replace_fields(
                    before.runtime_environment_parameters, changes.options
                )
            if "compute_type" in columns:
                columns["compute_type"] = self._jobs.compute_type_of(str(columns["compute_type"] or ""))
            check_values(columns)
            check_output_formats(changes.columns.get("output_formats"))
            prepared, is_new_input = self._prepare(before, columns, changes.input_uri)
            schedule = columns.get("schedule", before.schedule)
            is_rescheduled = bool({"schedule", "timezone"} & columns.keys())
            if schedule is not None and (is_rescheduled or columns.get("active")):
                check_schedule(str(schedule), columns.get("timezone", before.timezone))
            with self._markers.mark_change(definition_id):
                if is_new_input and prepared:
                    self._replace_input(before, columns, prepared)
                else:
                    with self._jobs.folder(definition_id).restored_settings():
                        self._refresh(definition_id, _changed(before, columns))
                        self._apply(before, columns)

    def _prepare(
        self, before: DefinitionRow, columns: Mapping[str, object], input_uri: str | None
    ) -> tuple[PreparedNotebook | None, bool]:
        """Check what is changed; return the notebook, if it was looked at, and whether it is a new input."""
        folder = self._jobs.folder(before.job_definition_id)
        staged = folder.path / before.input_filename
        new_input = self._new_input(input_uri, staged, "schedule" in columns)
        if not new_input and not columns.keys() - SCHEDULE_COLUMNS:
            return None, False
        judged: dict[str, object] = dict(columns)
        together = {"parameters", "runtime_environment_name"} if new_input else set[str]()
        if columns.keys() & OPTION_COLUMNS:
            together |= OPTION_COLUMNS
        judged = {**{name: getattr(before, name) for name in together}, **judged}
        path = self._jobs.staging.find_notebook(new_input) if new_input else staged
        # A folder that was deleted does not keep a definition from being renamed; its runs ask for a new input.
        is_lost = not new_input and not path.exists()
        notebook = Notebook(path, {}) if is_lost else self._jobs.validation.read_notebook(path)
        prepared = self._jobs.validation.prepare(notebook, self._jobs.staging.origin_of(path), judged)
        if columns.keys() & (OPTION_COLUMNS | {"parameters"}):
            self._check_places(
                _changed(before, columns), notebook, is_asked=bool(columns.keys() & OPTION_COLUMNS)
            )
        return prepared, bool(new_input)

    def _check_places(self, definition: DefinitionRow, notebook: Notebook, is_asked: bool) -> None:
        """Refuse places that runs cannot use; those that a change does not ask for may be of before there was this option."""
        try:
            asked = options.read_options(definition.tags, definition.runtime_environment_parameters)
        except InvalidJob:
            if is_asked:
                raise
            return
        self._jobs.staging.check_places(asked, notebook, definition.parameters)

    def _new_input(self, input_uri: str | None, staged: Path, changes_schedule: bool) -> str | None:
        """Return the new input that a change asks for; None where the input stays.

        The panel's form sends the schedule with the name of the input, also of one that nobody has changed. A notebook of that name
        elsewhere than where the input is from is then not meant, and one that is gone does not hinder a change of the schedule.
        """
        if input_uri != staged.name:
            return input_uri
        origin = self._jobs.staging.origin_of(staged) or input_uri
        exists = os.path.isfile(
            self._jobs.settings.root_dir / input_uri
        )  # False also for what no path can be
        if exists and origin == input_uri:
            return input_uri
        if changes_schedule:
            return None
        return input_uri if exists else origin

    def _replace_input(
        self, before: DefinitionRow, columns: dict[str, Any], prepared: PreparedNotebook
    ) -> None:
        """Change a definition together with its input."""
        folder = self._jobs.folder(before.job_definition_id)
        new = folder.beside(NEW_SUFFIX)
        name = shorten_input_name(prepared.path.name)
        after = _changed(before, columns)
        with contextlib.suppress(InvalidJob):  # such as a tag of before there was this option
            asked = options.read_options(after.tags, after.runtime_environment_parameters)
            prepared = replace(prepared, options=asked)
        try:
            with_folder = bool(columns.get("package_input_folder", before.package_input_folder))
            packaged_files = self._jobs.staging.stage(new, prepared, name, with_folder)
            columns |= {"input_filename": name, "packaged_files": packaged_files}
            folder.create()  # somebody may have deleted it
            with folder.replaced_files(new, before.update_time):
                self._apply(before, columns)
            folder.keep_only({name, *packaged_files})
        finally:
            new.delete()

    def _apply(self, before: DefinitionRow, columns: Mapping[str, object]) -> None:
        """Write the row in one statement and make the engine's schedule agree; after an error, the row is as it was."""
        self._database.update_definition(before.job_definition_id, **columns)
        try:
            self._schedule(_changed(before, columns))
        except BaseException:
            restored = {name: getattr(before, name) for name in (*columns, "update_time")}
            self._database.update_definition(before.job_definition_id, **restored)
            raise

    def _schedule(self, definition: DefinitionRow) -> None:
        """Make the engine's schedule agree with a definition; one without a schedule runs only when a user starts it."""
        if definition.schedule is None:
            self._engine.unschedule(definition.job_definition_id)
        else:
            self._engine.schedule(definition)

    def delete(self, definition_id: str) -> None:
        """Delete a definition, its schedule and its staged input, and end its scheduled runs.

        Runs of the past keep rows and files, and a run that was started by hand goes on: it has all that it needs.

        Raises
        ------
        ArgoSchedulerError
            The schedule could not be deleted; the definition is as it was.
        """
        with self._locked(definition_id):
            if self._database.get_definition(definition_id) is None:
                return
            with self._markers.mark_change(definition_id):
                self._engine.unschedule(definition_id)
                for job in self._database.list_live_runs(definition_id):
                    if job.is_scheduled:
                        self._database.mark_stopped(job.job_id, messages.runs.DEFINITION_DELETED)
                        try:
                            self._engine.stop(job)
                        except ArgoSchedulerError as error:  # it ends itself at its next cell
                            log.warning(
                                "Run %s of a deleted definition was not stopped: %s", job.job_id, error
                            )
                self._engine.end_runs(definition_id)
                self._forget(definition_id)

    @contextlib.contextmanager
    def _locked(self, definition_id: str) -> Iterator[None]:
        """Let changes of one definition wait for each other, in this server and in others."""
        with self._locks.setdefault(definition_id, Lock()), self._jobs.folder(definition_id).locked():
            yield

    # What the reconciler calls

    def finish_changes(self) -> None:
        """Finish changes that were interrupted, so that row, folder and schedule agree."""
        for mark in self._markers.find_abandoned():
            with self._locked(mark.id):
                self._finish_files(mark.id)
                if self._bring_in_line(mark.id):
                    self._markers.remove(mark)

    def _finish_files(self, definition_id: str) -> None:
        """Undo a replacement of files whose row was never written."""
        folder = self._jobs.folder(definition_id)
        folder.remove_unfinished()
        definition = self._database.get_definition(definition_id)
        for before in folder.leftovers(REPLACED_SUFFIX):
            if definition and before.read(VERSION).get("update_time") == definition.update_time:
                folder.restore_files(before)
            before.delete()
        for new in folder.leftovers(NEW_SUFFIX):
            new.delete()

    def pause_impossible_schedules(self) -> None:
        """Pause definitions of another backend whose schedule cannot be run here. Call it once, after the server's start."""
        for row in self._list_active():
            try:
                check_schedule(str(row.schedule), row.timezone)
            except InvalidJob as error:
                log.warning("%s", messages.server.definition_paused(row.job_definition_id, error))
                self._database.update_definition(row.job_definition_id, active=False)

    def restore_schedules(self) -> None:
        """Give each active definition whose schedule somebody deleted in the engine one again."""
        active = [row.job_definition_id for row in self._list_active()]
        for definition_id in self._engine.find_unscheduled(active) if active else ():
            log.warning("%s", messages.server.schedule_created_again(definition_id))
            with self._locked(definition_id):
                self._bring_in_line(definition_id)

    def update_outdated_schedules(self) -> None:
        """Update schedules whose traits or compute type have changed. Call it once, after the server's start.

        Inherited values stay as they are: the same user's next server may be of another kind.
        """
        active = self._list_active()
        for definition_id in self._engine.find_outdated(active) if active else ():
            with self._locked(definition_id):
                self._bring_in_line(definition_id)

    def _list_active(self) -> list[ScheduleRow]:
        """Return the definitions that the engine should have a schedule of."""
        return [row for row in self._database.list_schedules() if row.active and row.schedule is not None]

    def _bring_in_line(self, definition_id: str) -> bool:
        """Make schedule and folder agree with the definition's row; return whether nothing is left to do."""
        try:
            definition = self._database.get_definition(definition_id)
            if definition is None:
                self._forget(definition_id)
                self._engine.unschedule(definition_id)
            else:
                self._schedule(definition)
                self._refresh(definition_id, definition)
        except (ArgoSchedulerError, OSError) as error:
            is_new = str(error) not in self._reported.values()  # not for each definition, each time
            if is_new:
                log.warning("%s", messages.server.definition_not_reconciled(definition_id, error))
            self._reported[definition_id] = str(error)
            return isinstance(error, InvalidJob)
        self._reported.pop(definition_id, None)
        return True

    def _forget(self, definition_id: str) -> None:
        self._database.delete_definition(definition_id)
        self._jobs.folder(definition_id).delete()

    def _refresh(self, definition_id: str, definition: DefinitionRow) -> None:
        """Write what the runs of a definition need of this server's configuration, if it has a folder."""
        folder = self._jobs.folder(definition_id)
        if folder.private.is_dir():
            self._jobs.staging.refresh_run_settings(folder, definition)


def check_schedule(schedule: str, timezone: str | None) -> None:
    """Refuse a schedule that is not valid, or never comes.

    Raises
    ------
    InvalidJob
        Says what is wrong.
    """
    if schedules.parse(schedule, timezone).after(now_ms()) is None:
        raise InvalidJob(messages.schedules.schedule_never_comes(schedule))


def _changed(before: DefinitionRow, columns: Mapping[str, Any]) -> DefinitionRow:
    known = {field.name for field in fields(DefinitionRow)}
    return replace(before, **{name: value for name, value in columns.items() if name in known})

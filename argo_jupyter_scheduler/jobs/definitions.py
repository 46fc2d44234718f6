"""Job definitions: rows, staged inputs and the engine's schedules, kept in line.

The definition's row is the truth. A change writes it first, then tells the engine; if that fails, the row is what it was before,
and the user is told. A mark in the staging area stands for as long as a change is under way, so one that was interrupted in
between is completed by the task runner (`settle`).
"""

from __future__ import annotations

import logging
import threading
import uuid
from pathlib import Path
from typing import Any

from jupyter_scheduler.models import CreateJobDefinition, UpdateJobDefinition
from jupyter_scheduler.orm import JobDefinition

from argo_jupyter_scheduler.domain import schedules
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, InvalidJob, JobNotFound
from argo_jupyter_scheduler.domain.options import OPTIONS_FIELDS, with_fields
from argo_jupyter_scheduler.engines.base import Engine
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.staging import RunFolder, Unsettled

DELETED = "The job definition was deleted while this run was under way."

log = logging.getLogger("argo_jupyter_scheduler")


class Definitions:
    """What `ArgoScheduler` does with job definitions; all methods block.

    Parameters
    ----------
    scheduler
        The `ArgoScheduler`.
    """

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._database: Database = scheduler.database
        self._engine: Engine = scheduler.runs_on
        self._staging_path = Path(scheduler.staging_path)
        self._unsettled = Unsettled(scheduler.staging_path)
        self._input_lock = threading.Lock()
        self._troubles: dict[str, str] = {}

    def create(self, model: CreateJobDefinition) -> str:
        """Store a definition and its schedule; return its id.

        Raises
        ------
        ArgoSchedulerError
            It is not possible; nothing is left behind, or the task runner will tidy up once the engine answers.
        """
        path = self._scheduler.notebook(model.input_uri)
        values = self._scheduler.values_of(model)
        self._scheduler.check(values, path)
        schedules.parse(model.schedule, model.timezone)
        definition_id = str(uuid.uuid4())
        folder = RunFolder(self._staging_path, definition_id)
        try:
            with self._unsettled.change(definition_id):
                packaged = self._scheduler.stage(
                    folder,
                    path,
                    bool(model.package_input_folder),
                    model.runtime_environment_name,
                    values["input_filename"],
                )
                values.update(job_definition_id=definition_id, packaged_files=packaged, active=True)
                with self._scheduler.db_session() as session:
                    session.add(JobDefinition(**values))
                    session.commit()
                self._schedule(definition_id)
        except BaseException:
            # A schedule that the engine has made after all is unmade by `settle`: its definition has no row.
            try:
                self._database.delete_definition(definition_id)
            finally:  # also where the database is away
                folder.delete()
            raise
        return definition_id

    def update(self, definition_id: str, model: UpdateJobDefinition) -> None:
        """Change, pause or resume a definition; runs that are under way go on as they are.

        Raises
        ------
        ArgoSchedulerError
            It is not possible; the definition is as it was.
        """
        before = self._existing(definition_id)
        changes = self._scheduler.changed_values(
            with_fields(model.dict(exclude_unset=True, exclude_none=True, exclude={"url"}))
        )
        folder = RunFolder(self._staging_path, definition_id)
        input_uri = self._new_input(changes, folder.path / before["input_filename"])
        path = self._scheduler.notebook(input_uri) if input_uri else folder.path / before["input_filename"]
        if changes.keys() - {"active", "schedule", "timezone"} or input_uri:
            of_input = ("parameters", "runtime_environment_name") if input_uri else ()
            asked = {**{name: before[name] for name in of_input}, **changes}
            if changes.keys() & OPTIONS_FIELDS:  # they may stand in either
                asked = {**{name: before[name] for name in OPTIONS_FIELDS}, **asked}
            self._scheduler.check(asked, path)
        if "schedule" in changes or "timezone" in changes or changes.get("active"):
            schedules.parse(
                changes.get("schedule", before["schedule"]), changes.get("timezone", before["timezone"])
            )
        environment = changes.get("runtime_environment_name", before["runtime_environment_name"])
        beside = RunFolder(self._staging_path, f"{definition_id}.{uuid.uuid4()}.new")
        try:
            with self._unsettled.change(definition_id):
                if input_uri:  # copied before anything is changed: a full disk changes nothing
                    whole_folder = bool(before["package_input_folder"])
                    packaged = self._scheduler.stage(beside, path, whole_folder, environment, path.name)
                self._database.update_definition(definition_id, **changes)
                try:
                    self._schedule(definition_id)
                except BaseException:
                    self._database.update_definition(definition_id, **{key: before[key] for key in changes})
                    raise
                folder.create()  # somebody may have deleted it
                if input_uri:
                    with self._input_lock:  # of two new inputs at once, one is whole
                        folder.take(beside)
                        self._database.update_definition(
                            definition_id, input_filename=path.name, packaged_files=packaged
                        )
                        folder.keep_only({path.name, *packaged})
                self._tell_runs(definition_id)
                if self._database.get_definition(definition_id) is None:  # deleted meanwhile
                    folder.delete()
                    raise JobNotFound(f"Job definition {definition_id} was deleted.")
        finally:
            beside.delete()

    def _new_input(self, changes: dict[str, Any], staged: Path) -> str | None:
        """Take from a definition's changes its new input, None where that stays.

        The panel's form sends the schedule with the name of the input, also of one that nobody has changed. Not meant is then a
        notebook of that name elsewhere than where the input is from, and one that is gone hinders no change of the schedule.
        """
        input_uri: str | None = changes.pop("input_uri", None)
        if input_uri != staged.name:
            return input_uri
        origin: str = self._scheduler.origin(staged) or input_uri
        is_there = (self._scheduler.root / input_uri).is_file()
        if is_there and origin == input_uri:
            return input_uri
        if "schedule" in changes:
            return None
        return input_uri if is_there else origin

    def delete(self, definition_id: str) -> None:
        """Delete a definition, its schedule and its staged input, and end its scheduled runs.

        Runs of the past keep rows and files, and a run that was started by hand goes on: it has all that it needs.

        Raises
        ------
        ArgoSchedulerError
            The schedule could not be deleted; the definition is as it was.
        """
        if self._database.get_definition(definition_id) is None:
            return
        with self._unsettled.change(definition_id):
            self._engine.unschedule(definition_id)
            for job in self._database.list_live_runs(definition_id):
                if not job.is_scheduled:
                    continue
                self._database.mark_stopped(job["job_id"], DELETED)
                try:
                    self._engine.stop(job["job_id"])
                except ArgoSchedulerError as error:  # it ends itself at its next cell
                    log.warning(
                        "Run %s of a deleted job definition could not be stopped: %s", job["job_id"], error
                    )
            self._engine.end_runs(definition_id)
            self._forget(definition_id)

    def settle(self) -> None:
        """Complete changes that were left half done, by a server that was killed or an engine that was away."""
        for definition_id, marks in self._unsettled.left().items():
            if self._bring_in_line(definition_id):
                for folder in self._staging_path.glob(f"{definition_id}.*.new"):
                    RunFolder(self._staging_path, folder.name).delete()
                for mark in marks:
                    self._unsettled.remove(mark)

    def schedule_what_is_missing(self) -> None:
        """Give each active definition whose schedule somebody deleted in the engine one again."""
        active = [row["job_definition_id"] for row in self._database.list_schedules() if row["active"]]
        for definition_id in self._engine.unscheduled(active) if active else []:
            log.warning("The schedule of job definition %s was gone, and is made again.", definition_id)
            self._bring_in_line(definition_id)

    def bring_up_to_date(self) -> None:
        """Bring schedules in line whose traits or compute type were configured anew; once, after the server's start.

        What they inherit from the server's pod is left as it is: the same user's next server may be of another kind.
        """
        active = [row for row in self._database.list_schedules() if row["active"]]
        asked = [(row["job_definition_id"], row["compute_type"]) for row in active]
        for definition_id in self._engine.outdated(asked) if asked else []:
            self._bring_in_line(definition_id)

    def _bring_in_line(self, definition_id: str) -> bool:
        """Make schedule and folder what the definition's row says; return whether no more can be done."""
        try:
            if self._database.get_definition(definition_id) is None:
                self._forget(definition_id)
            else:
                self._schedule(definition_id)
                self._tell_runs(definition_id)
        except (ArgoSchedulerError, OSError) as error:
            # Said once, not each time, and not of all that have it.
            if str(error) not in self._troubles.values():
                log.warning("Job definition %s could not be brought in line: %s", definition_id, error)
            self._troubles[definition_id] = str(error)
            return isinstance(error, InvalidJob)
        self._troubles.pop(definition_id, None)
        return True

    def _schedule(self, definition_id: str) -> None:
        """Make the engine's schedule what the definition's row says, also if that is changed meanwhile."""
        told, definition = None, self._database.get_definition(definition_id)
        while definition and definition != told:
            self._engine.schedule(definition)
            told, definition = definition, self._database.get_definition(definition_id)
        if definition is None:
            self._engine.unschedule(definition_id)

    def _forget(self, definition_id: str) -> None:
        self._database.delete_definition(definition_id)
        # After the row: a change that meets this one may have made it again.
        self._engine.unschedule(definition_id)
        RunFolder(self._staging_path, definition_id).delete()

    def _tell_runs(self, definition_id: str) -> None:
        """Write what the runs of a definition need of this server's configuration, if it has a folder."""
        definition = self._database.get_definition(definition_id)
        folder = RunFolder(self._staging_path, definition_id)
        if definition and folder.private.is_dir():
            self._scheduler.tell_runs(folder, definition)

    def _existing(self, definition_id: str) -> dict[str, Any]:
        definition = self._database.get_definition(definition_id)
        if definition is None:
            raise JobNotFound(f"There is no job definition {definition_id}.")
        return definition

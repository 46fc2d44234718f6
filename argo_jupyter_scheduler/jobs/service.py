"""Jobs: rows, staging folders and engines, from *Create* to *Delete*."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler import __version__
from argo_jupyter_scheduler.domain import identity, messages, option_values, options
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import (
    ArgoSchedulerError,
    EngineError,
    EngineRefused,
    InvalidJob,
    JobNotFound,
)
from argo_jupyter_scheduler.domain.moments import format_moment, read_moment
from argo_jupyter_scheduler.domain.parameters import SCHEDULED_TIME
from argo_jupyter_scheduler.domain.status import LIVE, QUEUED, WAITING
from argo_jupyter_scheduler.engines.base import Engine
from argo_jupyter_scheduler.jobs.column_checks import check_values
from argo_jupyter_scheduler.jobs.inputs import check_input_filename, compile_notebook_schema
from argo_jupyter_scheduler.jobs.places import check_linked_input
from argo_jupyter_scheduler.jobs.requests import JobRequest, RunRequest
from argo_jupyter_scheduler.jobs.settings import JobSettings
from argo_jupyter_scheduler.jobs.staging import Staging
from argo_jupyter_scheduler.jobs.validation import Validation, check_known, check_output_formats
from argo_jupyter_scheduler.steps import rename_files
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.deleted_runs import mark_deleted_run
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.markers import JOBS, ChangeMarkers, Mark
from argo_jupyter_scheduler.storage.output_names import shorten_input_name
from argo_jupyter_scheduler.storage.private import make_run_folders_private
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow

ENDING_MS = 60_000
"""How long after its row's end a run's outputs may come, in milliseconds: pods usually have 30 s to end."""

_CREATE, _STOP, _DELETE = "create", "stop", "delete"
"""The actions that are marked while they are in progress."""

log = logging.getLogger("argo_jupyter_scheduler")


class JobService:
    """Creates, changes, stops and deletes jobs. All methods block.

    Parameters
    ----------
    settings
        The configuration.
    database
        Where the rows are.
    engine
        Where new jobs run.
    local_engine
        This machine's engine, which may have jobs from before Argo was configured; `engine` itself where that is this machine's.
    validation
        The checks that refuse a request.
    """

    def __init__(
        self,
        settings: JobSettings,
        database: Database,
        engine: Engine,
        local_engine: Engine,
        validation: Validation,
    ) -> None:
        self.settings = settings
        self.database = database
        self.engine = engine
        self.local_engine = local_engine
        self.validation = validation
        self.environments = validation.environments
        self.staging = Staging(settings, database, engine, validation)
        self._markers = ChangeMarkers(settings.staging_path, JOBS)
        self._reported: set[str] = set()

    def start(self) -> None:
        """Do what takes time before the first run, and say in the log what this server does."""
        self.database.make_private()
        make_run_folders_private(self.settings.staging_path)
        self.database.create_indices()
        compile_notebook_schema()
        self.engine.start()
        running = len(self.database.list_live_jobs())
        log.info(
            "argo-jupyter-scheduler %s: notebooks run on %s. Jobs in progress: %s.",
            __version__,
            self.engine.description,
            running,
        )
        if self.settings.slack.channel and not self.engine.has_slack_token:
            log.warning(messages.notifications.SLACK_NOT_CONFIGURED)

    def create_job(self, request: JobRequest, staged_input: Path | None = None) -> str:
        """Store a job and start its run; return its id.

        Parameters
        ----------
        request
            What is to be run.
        staged_input
            The staged input of the job's definition. None: ``input_uri`` within the root folder.

        Raises
        ------
        ArgoSchedulerError
            It cannot be run; nothing is left behind.
        """
        notebook = self.validation.read_notebook(
            staged_input or self.staging.find_notebook(request.input_uri)
        )
        values = self.columns_of(request)
        prepared = self.staging.prepare(notebook, values)
        moment = request.scheduled_time
        if moment:
            moment = read_moment(moment, self.settings.timezone).isoformat(timespec="seconds")
        log_near_misses(request)
        job_id = str(uuid.uuid4())
        folder = self.folder(job_id)
        with self._markers.mark_change(job_id, _CREATE) as mark:
            try:
                with_folder = bool(request.package_input_folder)
                packaged_files = self.staging.stage(
                    folder, prepared, values["input_filename"], with_folder, moment or ""
                )
                job = self._new_job(job_id, request, values, packaged_files)
                self.database.insert_job(job)
                self.engine.submit(job)
            except BaseException:
                # Should the engine have taken the run after all, its steps find no row and do nothing.
                mark.become(_DELETE)
                try:
                    self.database.delete_job(job_id)
                finally:  # also where the database is away
                    folder.delete()
                raise
        return job_id

    def run_definition(
        self,
        job_definition_id: str,
        overrides: Mapping[str, object],
        asked: Mapping[str, int] | None = None,
    ) -> str:
        """Start a run of a definition now; return its id.

        Parameters
        ----------
        overrides
            Fields of the job that differ from the definition's, such as ``parameters``, and the ``scheduled_time`` that the
            run is about: by default now. Without an offset it is in the definition's time zone.
        asked
            Options that replace the definition's, as `domain.options.read_fields` returns them.

        Raises
        ------
        ArgoSchedulerError
            It cannot be run; nothing is left behind.
        """
        definition = self.get_definition(job_definition_id)
        folder = self.folder(job_definition_id)
        staged: Path | None = folder.path / check_input_filename(definition.input_filename)
        origin = folder.read_settings().origin or definition.input_filename
        if (
            options.read_input(definition.tags, definition.runtime_environment_parameters)
            == option_values.LINKED
        ):
            check_linked_input(self.settings.root_dir, origin, definition.input_filename)
            staged = None
        elif staged and not staged.is_file():
            raise InvalidJob(messages.runs.input_gone(definition.input_filename))
        shared = {field.name for field in fields(RunRequest)} - {"input_uri"}
        given = {name: getattr(definition, name) for name in shared}
        given |= {"input_uri": origin, "job_definition_id": job_definition_id, **overrides}
        given["output_formats"] = given["output_formats"] or None
        moment = str(overrides.get("scheduled_time") or "")
        if moment and SCHEDULED_TIME in (given["parameters"] or {}):
            raise InvalidJob(messages.schedules.MOMENT_GIVEN_TWICE)
        zone = definition.timezone
        given["scheduled_time"] = format_moment(read_moment(moment, zone) if moment else time.time(), zone)
        if asked:
            before = definition.runtime_environment_parameters
            given["runtime_environment_parameters"] = options.replace_fields(before, asked)
        return self.create_job(JobRequest(**given), staged)

    def update_job(self, job_id: str, name: str | None, compute_type: str | None) -> None:
        """Change a job's name or compute type. None: as it is.

        Raises
        ------
        InvalidJob, JobNotFound
            It cannot be changed so, or does not exist.
        """
        check_values({"name": name})
        if compute_type:
            check_known([compute_type], self.settings.compute_types, "Compute type")
        self.get_job(job_id)
        changes = {"name": name, "compute_type": self.compute_type_of(compute_type)}
        self.database.update_job(
            job_id, **{key: value for key, value in changes.items() if value is not None}
        )

    def stop_job(self, job_id: str) -> None:
        """Stop a job: its row says so at once, then its process tree or workflow ends.

        Raises
        ------
        JobNotFound, EngineError
            It does not exist, or the engine does not answer.
        """
        job = self.get_job(job_id)
        with self._markers.mark_change(job_id, _STOP):
            self.database.mark_stopped(job_id)
            self.engine_of(job).stop(job)

    def is_writing_outputs(self, job_id: str) -> bool:
        """Return whether a run that was stopped a moment ago has yet to publish its outputs.

        Raises
        ------
        JobNotFound
            It does not exist.
        """
        job = self.get_job(job_id)
        has_just_ended = job.status not in LIVE and now_ms() - (job.end_time or 0) < ENDING_MS
        if not has_just_ended or not rename_files.find_missing(self.folder(job_id), job):
            return False
        try:
            return self.engine_of(job).is_executing(job)
        except EngineError:  # what there is can be shown without the engine
            return False

    def delete_jobs(self, job_ids: Sequence[str]) -> None:
        """Delete jobs, see `delete_job`.

        Raises
        ------
        JobNotFound
            One of the ids is not that of a job, and cannot be that of a deleted one. Nothing is deleted.
        EngineError
            The engine does not answer; that job and those after it are left.
        """
        for job_id in job_ids:
            if not identity.is_job_id(job_id) and self.database.get_job(job_id) is None:
                raise JobNotFound(messages.requests.job_not_found(job_id))
        for job_id in job_ids:
            self.delete_job(job_id)

    def delete_job(self, job_id: str) -> None:
        """Delete a job with its workflow and files, even while it is running. A job that does not exist is not an error.

        Raises
        ------
        EngineError
            The engine does not answer; the job is left.
        """
        job = self.database.get_job(job_id)
        if job is None:
            return
        with self._markers.mark_change(job_id, _DELETE):
            was_live = self.database.mark_stopped(job_id)
            try:
                self.engine_of(job).delete(job)
            except ArgoSchedulerError:
                if was_live or job.is_scheduled:  # Argo still has the run, so its row would come back
                    raise
                log.warning("%s", messages.server.workflow_not_deleted(job_id))
            self._forget(job)

    def _forget(self, job: JobRow) -> None:
        """Delete a job's files and row; its run is over."""
        self.folder(job.job_id).delete()
        if job.job_definition_id and job.is_scheduled:
            mark_deleted_run(self.folder(job.job_definition_id), job.scheduled_moment)
        self.database.delete_job(job.job_id)

    def finish_changes(self) -> None:
        """Finish what was interrupted: a job is created and runs, or is stopped, or is gone."""
        for mark in self._markers.find_abandoned():
            try:
                self._finish(mark)
            except (EngineError, OSError) as error:  # such as a folder that cannot be deleted
                if mark.path.name not in self._reported:
                    log.warning("%s", messages.server.change_unfinished(mark.id, mark.action, error))
                self._reported.add(mark.path.name)
            else:
                self._markers.remove(mark)

    def _finish(self, mark: Mark) -> None:
        job = self.database.get_job(mark.id)
        if mark.action == _CREATE and job:
            try:
                if job.status in WAITING:
                    self.engine_of(job).submit(job)
            except (InvalidJob, EngineRefused) as error:
                self.database.mark_failed(job.job_id, str(error), only_if=WAITING)
        elif mark.action == _STOP and job:
            self.engine_of(job).stop(job)
        elif mark.action != _STOP:
            job = job or JobRow(job_id=mark.id, pid=self.engine.new_job_pid)
            self.database.mark_stopped(job.job_id)
            self.engine_of(job).delete(job)
            self._forget(job)

    def find_changing_jobs(self) -> set[str]:
        """Return the ids of jobs that are just being created, stopped or deleted."""
        return self._markers.find_in_progress()

    def get_job(self, job_id: str) -> JobRow:
        """Return a job's row.

        Raises
        ------
        JobNotFound
            It does not exist.
        """
        job = self.database.get_job(job_id)
        if job is None:
            raise JobNotFound(messages.requests.job_not_found(job_id))
        return job

    def get_definition(self, job_definition_id: str) -> DefinitionRow:
        """Return a definition's row.

        Raises
        ------
        JobNotFound
            It does not exist.
        """
        definition = self.database.get_definition(job_definition_id)
        if definition is None:
            raise JobNotFound(messages.requests.definition_not_found(job_definition_id))
        return definition

    def engine_of(self, job: JobRow) -> Engine:
        """Return the engine that executes a job: this machine's also for one from before Argo was configured."""
        return self.engine if self.engine.owns(job) else self.local_engine

    def folder(self, id_: str) -> RunFolder:
        """Return the staging folder of a job or a definition."""
        return self.staging.folder(id_)

    def columns_of(self, request: RunRequest) -> dict[str, Any]:
        """Return the columns of a request that have a value."""
        check_output_formats(request.output_formats)
        columns = {name: value for name, value in asdict(request).items() if value is not None}
        del columns["input_uri"]
        columns.pop("scheduled_time", None)
        columns["input_filename"] = shorten_input_name(check_input_filename(request.input_filename))
        columns.setdefault("output_formats", ())  # a row has a list, if an empty one
        columns["compute_type"] = self.compute_type_of(request.compute_type or "")
        return columns

    def compute_type_of(self, name: str | None) -> str | None:
        """Return a compute type, or the default one for an empty name."""
        return (self.settings.default_compute_type or None) if name == "" else name

    def _new_job(
        self, job_id: str, request: JobRequest, values: Mapping[str, Any], packaged_files: tuple[str, ...]
    ) -> JobRow:
        """Return a job's row, QUEUED from the start."""
        values = dict(values)
        if identity.is_run_token(request.idempotency_token, request.job_definition_id):
            del values["idempotency_token"]  # copied from a scheduled run's row, which it identifies
        created = now_ms()
        return JobRow(
            **values,
            job_id=job_id,
            status=QUEUED,
            packaged_files=packaged_files,
            url=f"/jobs/{job_id}",
            pid=self.engine.new_job_pid,
            create_time=created,
            update_time=created,
        )


def log_near_misses(request: RunRequest) -> None:
    """Log tags that look like options but are not; the job's own log has them too."""
    for warning in options.near_misses(request.tags):
        log.warning("'%s': %s", request.name, warning)

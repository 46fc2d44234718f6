"""Jobs: rows, staging folders and engines, from *Create* to *Delete*."""

from __future__ import annotations

import contextlib
import logging
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler import __version__
from argo_jupyter_scheduler.domain import identity, messages, options
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import (
    ArgoSchedulerError,
    EngineError,
    EngineRefused,
    InvalidJob,
    JobNotFound,
)
from argo_jupyter_scheduler.domain.moments import format_moment, read_moment
from argo_jupyter_scheduler.domain.run_settings import NotificationSettings, RunSettings, SlackSettings
from argo_jupyter_scheduler.domain.status import LIVE, QUEUED, WAITING
from argo_jupyter_scheduler.engines.base import Engine
from argo_jupyter_scheduler.environments import kernels
from argo_jupyter_scheduler.jobs.places import (
    check_linked_input,
    check_places,
    find_output_folders,
    link_input,
)
from argo_jupyter_scheduler.jobs.requests import JobRequest, RunRequest
from argo_jupyter_scheduler.jobs.settings import JobSettings
from argo_jupyter_scheduler.jobs.validation import (
    Notebook,
    PreparedNotebook,
    Validation,
    check_input_filename,
    check_input_uri,
    check_known,
    check_output_formats,
    check_values,
    compile_notebook_schema,
    find_input,
)
from argo_jupyter_scheduler.steps import rename_files
from argo_jupyter_scheduler.steps.notebook.parameters import SCHEDULED_TIME
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.deleted_runs import mark_deleted_run
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.input_folder import FolderRules, list_beside
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
        What is refused.
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
        notebook = self.validation.read_notebook(staged_input or self.find_notebook(request.input_uri))
        values = self.columns_of(request)
        prepared = self.prepare(notebook, values)
        moment = request.scheduled_time
        if moment:
            moment = read_moment(moment, self.settings.timezone).isoformat(timespec="seconds")
        log_near_misses(request)
        job_id = str(uuid.uuid4())
        folder = self.folder(job_id)
        with self._markers.mark_change(job_id, _CREATE) as mark:
            try:
                with_folder = bool(request.package_input_folder)
                packaged_files = self.stage(
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
        if options.read_input(definition.tags, definition.runtime_environment_parameters) == options.LINKED:
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
                log.warning("Job %s is deleted, but its finished workflow could not be deleted.", job_id)
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
                    log.warning("Job %s: '%s' could not be finished yet: %s", mark.id, mark.action, error)
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
        return RunFolder(self.settings.staging_path, id_)

    # Inputs and outputs

    def prepare(self, notebook: Notebook, values: Mapping[str, Any]) -> PreparedNotebook:
        """Check what a new job or definition asks for, see `Validation.prepare`.

        Raises
        ------
        InvalidJob, EnvironmentUnusable
            It cannot be done; says why.
        """
        prepared = self.validation.prepare(notebook, self.origin_of(notebook.path), values)
        self.check_places(prepared.options, notebook, values.get("parameters"))
        return prepared

    def check_places(
        self, asked: options.Options, notebook: Notebook, parameters: Mapping[str, Any] | None
    ) -> None:
        """Refuse a folder of outputs that cannot be written, and a linked notebook that is gone.

        Raises
        ------
        InvalidJob
            Says why.
        """
        settings = replace(self.settings, root_dir=self.root_of(notebook.path))
        origin, shares_machine = self.origin_of(notebook.path), self.validation.shares_machine
        check_places(asked, notebook, origin, parameters, settings, shares_machine)

    def find_notebook(self, input_uri: str) -> Path:
        """Return the full path of a notebook within the root folder.

        Only its name may be known: a client that makes a job from another one reads ``input_filename`` from the row.

        Raises
        ------
        InvalidJob
            It does not exist, or several notebooks are possible.
        """
        check_input_uri(input_uri)
        root = self.settings.root_dir
        if Path(input_uri).name == input_uri and not os.path.exists(root / input_uri):
            folders = map(self.folder, self.database.find_jobs_of_input(input_uri))
            origins = {folder.read_settings().origin for folder in folders}
            found = sorted(origin for origin in origins if origin and os.path.isfile(root / origin))
            if len(found) > 1:
                raise InvalidJob(messages.inputs.notebook_ambiguous(input_uri, found))
            input_uri = found[0] if found else input_uri
        return find_input(root, input_uri)

    def origin_of(self, path: Path) -> str | None:
        """Return where a notebook is in the root folder; for a definition's staged input, where it was copied from."""
        if path.is_relative_to(self.settings.staging_path):
            return self.folder(path.parent.name).read_settings().origin
        return os.path.relpath(path, self.settings.root_dir)

    def root_of(self, path: Path) -> Path:
        """Return the root folder that a notebook is in; for a staged input, the one that it was copied from.

        A command on this machine has another root folder than the server.
        """
        if path.is_relative_to(self.settings.staging_path):
            return self._root_of_settings(self.folder(path.parent.name).read_settings())
        return self.settings.root_dir

    def _root_of_settings(self, settings: RunSettings) -> Path:
        known = Path(settings.root_dir)
        return known if settings.root_dir and known.is_dir() else self.settings.root_dir

    def stage(
        self,
        folder: RunFolder,
        prepared: PreparedNotebook,
        input_filename: str,
        with_folder: bool,
        scheduled_time: str = "",
    ) -> tuple[str, ...]:
        """Make a staging folder; return the relative paths of the files that came with the notebook."""
        folder.create()
        settings = self.run_settings(prepared.environment, prepared.kernel, prepared.origin, with_folder)
        root_dir = self.root_of(prepared.path)
        settings = self._add_places(settings, prepared.options, root_dir)
        settings = replace(settings, scheduled_time=scheduled_time)
        folder.write_settings(settings)
        rules = self.folder_rules(prepared.options, root_dir) if with_folder else None
        return tuple(folder.stage(prepared.path, rules, name=input_filename))

    def folder_rules(self, asked: options.Options, root_dir: Path) -> FolderRules:
        """Return what of an input folder comes along: not the folders of a job's outputs."""
        output_folders = find_output_folders(root_dir, asked.output or self.settings.output_template)
        rules = self.settings.folder_rules
        return replace(rules, left_out=(*rules.left_out, *output_folders))

    # Settings of runs

    def slack_settings(self) -> SlackSettings:
        """Return what runs send to Slack."""
        return replace(self.settings.slack, has_token=self.engine.has_slack_token)

    def notification_settings(self) -> NotificationSettings:
        """Return how runs notify targets."""
        return replace(self.settings.notifications, targets=self.engine.notification_targets)

    def run_settings(
        self,
        environment: Environment | None,
        kernel: Mapping[str, Any] | None,
        origin: str | None,
        with_folder: bool = False,
    ) -> RunSettings:
        """Return what a run's steps need of this server's configuration."""
        own = self.environments.own
        beside = list_beside(self.settings.root_dir / origin) if origin and not with_folder else ()
        settings = RunSettings(
            timezone=self.settings.timezone,
            slack=self.slack_settings(),
            notifications=self.notification_settings(),
            environment=environment,
            own_environment=own.name if own else None,
            environment_patterns=self.settings.environment_patterns,
            kernel=kernel,
            run_papermill_in_environment=self.settings.run_papermill_in_environment,
            origin=origin,
            beside=beside,
            database=self.database.make_id(),
        )
        return self.engine.complete_settings(settings)

    def refresh_run_settings(self, folder: RunFolder, definition: DefinitionRow) -> None:
        """Bring a folder's settings up to date with the configuration.

        The environment and kernel that are known already stay where they can no longer be found: the run then says so.

        Parameters
        ----------
        folder
            The definition's, or that of one of its runs.
        definition
            The definition's row.
        """
        before = folder.read_settings()
        environment, kernel = before.environment, before.kernel
        if environment and environment.name != definition.runtime_environment_name:
            environment = None
        with contextlib.suppress(
            InvalidJob
        ):  # the run itself reports an input or an environment that is gone
            notebook = self.validation.read_notebook(folder.path / definition.input_filename)
            name, _ = kernels.notebook_kernel(notebook.metadata)
            found = self.environments.find(definition.runtime_environment_name)
            environment = found or environment
            kernel = self.environments.find_kernel(name, found) or kernel
        with_folder = bool(definition.package_input_folder)
        settings = self.run_settings(environment, kernel, before.origin, with_folder)
        root_dir = self._root_of_settings(before)
        try:
            asked = options.read_options(definition.tags, definition.runtime_environment_parameters)
            settings = self._add_places(settings, asked, root_dir)
        except InvalidJob:  # such as a tag of before there was this option
            settings = replace(settings, root_dir=before.root_dir, output=before.output, linked=before.linked)
        folder.write_settings(settings)

    def _add_places(self, settings: RunSettings, asked: options.Options, root_dir: Path) -> RunSettings:
        """Return settings with where the input comes from and where the outputs go."""
        output = asked.output or self.settings.output_template
        linked = None
        if asked.is_linked and settings.origin:
            linked = link_input(self.settings.folder_rules, root_dir, output)
        return replace(settings, root_dir=os.path.abspath(root_dir), output=output, linked=linked)

    # Columns

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

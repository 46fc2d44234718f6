"""The scheduler that Jupyter-Scheduler loads. Its import path is public: Nebari names it.

It reads the configuration, connects the rooms, and turns each call of Jupyter-Scheduler's API into one call of `jobs`.
"""

from __future__ import annotations

import logging
from typing import Any

from jupyter_scheduler.environments import EnvironmentManager
from jupyter_scheduler.models import (
    CountJobsQuery,
    CreateJob,
    CreateJobDefinition,
    CreateJobFromDefinition,
    DescribeJob,
    DescribeJobDefinition,
    ListJobDefinitionsQuery,
    ListJobDefinitionsResponse,
    ListJobsQuery,
    ListJobsResponse,
    UpdateJob,
    UpdateJobDefinition,
)
from jupyter_scheduler.scheduler import Scheduler
from sqlalchemy.orm import sessionmaker
from traitlets import Type as TypeTrait

from argo_jupyter_scheduler.config.settings import (
    make_engine_settings,
    make_environment_settings,
    make_job_settings,
)
from argo_jupyter_scheduler.config.traits import SchedulerTraits
from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.log_lines import keep_records_on_lines
from argo_jupyter_scheduler.domain.options import Bounds
from argo_jupyter_scheduler.engines.factory import make_engines
from argo_jupyter_scheduler.executor import find_executable_check
from argo_jupyter_scheduler.jobs.changes import ChangeWatcher
from argo_jupyter_scheduler.jobs.definition_files import DefinitionFiles
from argo_jupyter_scheduler.jobs.definitions import DefinitionService
from argo_jupyter_scheduler.jobs.metrics import Metrics
from argo_jupyter_scheduler.jobs.reconciler import Reconciler
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.jobs.validation import Validation
from argo_jupyter_scheduler.jobs.views import Views
from argo_jupyter_scheduler.jupyter import models, request_checks, tables
from argo_jupyter_scheduler.jupyter.environment_manager import configure_environments
from argo_jupyter_scheduler.jupyter.errors import (
    configuration_errors,
    read_in_thread,
    run_in_thread,
    user_facing_errors,
)
from argo_jupyter_scheduler.jupyter.job_files import link_delivered, offered_files
from argo_jupyter_scheduler.jupyter.server import find_working_dir
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.output_names import find_output, output_filename

tables.widen_columns()
models.accept_fields()
request_checks.check_requests()
keep_records_on_lines(logging.getLogger("argo_jupyter_scheduler"))


class ArgoScheduler(SchedulerTraits, Scheduler):
    """Runs notebooks on Argo Workflows, or on this machine where no Argo is configured.

    Lists and descriptions are Jupyter-Scheduler's own. Everything that waits for the database, for files or for Argo runs in
    a thread, so that JupyterLab stays responsive.

    Attributes
    ----------
    jobs, definitions, reconciler
        The services behind the API.
    definition_files
        Job definitions as files.
    changes
        The contents of the panel, and their changes.
    views
        The contents of forms before anything is created.
    metrics
        The metrics for Prometheus; None if they are off.
    """

    execution_manager_class = TypeTrait(
        klass="jupyter_scheduler.executors.ExecutionManager",
        default_value="argo_jupyter_scheduler.executor.ArgoExecutor",
        config=True,
        help="The execution manager class to use.",
    )
    task_runner_class = TypeTrait(
        allow_none=True,
        klass="jupyter_scheduler.task_runner.BaseTaskRunner",
        default_value="argo_jupyter_scheduler.jupyter.task_runner.ArgoTaskRunner",
        config=True,
        help="The class that starts scheduled runs and repairs rows that no run could write.",
    )

    def __init__(
        self, root_dir: str, environments_manager: EnvironmentManager, db_url: str, **kwargs: Any
    ) -> None:
        database = Database(db_url)
        self._db_session = sessionmaker(
            bind=database.engine
        )  # Jupyter-Scheduler's own would connect once more
        super().__init__(
            root_dir=root_dir, environments_manager=environments_manager, db_url=db_url, **kwargs
        )
        self.check_compute_types()
        settings = make_job_settings(self, root_dir, self.staging_path, self.output_directory)
        with configuration_errors():
            engine, local_engine = make_engines(
                make_engine_settings(self, self.staging_path, find_working_dir()), database
            )
        environment_settings = make_environment_settings(self)
        validation = Validation(
            environments=configure_environments(environments_manager, environment_settings, self.log),
            output_formats=environments_manager.output_formats_mapping,
            compute_types=settings.compute_types,
            slack=lambda: self.jobs.staging.slack_settings(),
            bounds=Bounds(engine.longest_run_seconds, settings.allowed_images, engine.no_images),
            shares_machine=engine.shares_machine,
            refuses_unknown_parameters=self.unknown_parameters == "refuse",
            refuses_missing_kernels=self.missing_kernel == "refuse",
            targets=lambda: self.jobs.staging.notification_settings().targets,
            is_executable=find_executable_check(self.execution_manager_class),
        )
        self.jobs = JobService(settings, database, engine, local_engine, validation)
        self.definitions = DefinitionService(self.jobs)
        self.definition_files = DefinitionFiles(self.jobs, self.definitions)
        self.reconciler = Reconciler(self.jobs, self.definitions)
        self.changes = ChangeWatcher(self.jobs)
        self.views = Views(self.jobs)
        self.metrics = Metrics(self.jobs, self.metrics_with_names) if self.serve_metrics else None

    def start(self) -> None:
        """Do what needs the network before the first run; blocks. The task runner calls it, and commands do."""
        self.jobs.start()

    def close(self) -> None:
        """Release connections."""
        self.changes.close()
        self.jobs.engine.close()
        self.jobs.database.dispose()

    # Jobs

    async def create_job(self, model: CreateJob) -> str:
        """Store a job and start its run; return its id.

        Raises
        ------
        SchedulerError, IdempotencyTokenError
            It cannot be run; nothing is left behind.
        """
        with user_facing_errors():
            request = models.read_job(model)
        return await run_in_thread(self.jobs.create_job, request)

    async def update_job(self, job_id: str, model: UpdateJob) -> None:
        """Change a job's name or compute type. A job is stopped with `stop_job`.

        Raises
        ------
        SchedulerError
            It does not exist, or the field cannot be changed, such as an option of its run.
        """
        with user_facing_errors():
            models.check_change(model)
        await run_in_thread(self.jobs.update_job, job_id, model.name, model.compute_type)

    async def get_job(self, job_id: str, job_files: bool | None = True) -> DescribeJob:
        """Return a job.

        Raises
        ------
        SchedulerError
            It does not exist.
        """
        with user_facing_errors(messages.requests.job_not_found(job_id)):
            return await read_in_thread(super().get_job, job_id, job_files)

    async def list_jobs(self, query: ListJobsQuery) -> ListJobsResponse:
        """Return the jobs that a query asks for, a page of them.

        Raises
        ------
        SchedulerError
            The query is not valid, or the database cannot be used.
        """
        with user_facing_errors():
            return await read_in_thread(super().list_jobs, query)

    async def count_jobs(self, query: CountJobsQuery) -> int:
        """Return how many jobs have a status.

        Raises
        ------
        SchedulerError
            The database cannot be used.
        """
        with user_facing_errors():
            return await read_in_thread(super().count_jobs, query)

    async def stop_job(self, job_id: str) -> None:
        """Stop a job: its row says so at once, then its process tree or workflow ends.

        Raises
        ------
        SchedulerError
            It does not exist, or the engine does not answer. Then the task runner repeats the stop.
        """
        await run_in_thread(self.jobs.stop_job, job_id)

    async def delete_job(self, job_id: str) -> None:
        """Delete a job with its workflow and files, even while it is running. A job that was deleted before is not an error.

        `job_id` may be several ids with commas between them, as some clients of the batch endpoint send them. See
        docs/upstream.md#several-ids.

        Raises
        ------
        SchedulerError
            An id is malformed, or the engine cannot end the run.
        """
        await run_in_thread(self.jobs.delete_jobs, job_id.split(","))

    def get_job_filenames(self, model: DescribeJob) -> dict[str, str | list[str]]:
        """Return the names of a job's files in the user's folder."""
        filenames: dict[str, str | list[str]] = super().get_job_filenames(model)
        folder = RunFolder(self.staging_path, model.job_id)
        for output_format, suffix in folder.suffixes(model.output_formats).items():
            filenames[output_format] = output_filename(model.input_filename, model.create_time, suffix)
        return filenames

    def get_staging_paths(self, model: DescribeJob | DescribeJobDefinition) -> dict[str, str]:
        """Return the paths of a job's files, even if they were named in another time zone than today's."""
        paths: dict[str, str] = super().get_staging_paths(model)
        if isinstance(model, DescribeJob):
            folder = RunFolder(self.staging_path, model.job_id)
            for output_format, suffix in folder.suffixes(model.output_formats).items():
                found = find_output(folder.path, model.input_filename, model.create_time, suffix)
                paths[output_format] = str(found)
        return paths

    def add_job_files(self, model: DescribeJob) -> None:
        """Add links to a job's files, also to those that a notebook made without an input folder, or that its run delivered."""
        with offered_files(model):
            super().add_job_files(model)
        link_delivered(model, RunFolder(self.staging_path, model.job_id), self.root_dir)

    # Job definitions

    async def create_job_from_definition(self, job_definition_id: str, model: CreateJobFromDefinition) -> str:
        """Start a run of a definition now, with changed parameters if there are any; return its id.

        Raises
        ------
        SchedulerError
            It cannot be run, or the definition does not exist; nothing is left behind.
        """
        with user_facing_errors():
            overrides, options = models.read_run(model)
        return await run_in_thread(self.jobs.run_definition, job_definition_id, overrides, options)

    async def create_job_definition(self, model: CreateJobDefinition) -> str:
        """Store a job definition with its schedule; return its id.

        Raises
        ------
        SchedulerError
            It cannot be scheduled; nothing is left behind.
        """
        with user_facing_errors():
            request = models.read_definition(model)
        return await run_in_thread(self.definitions.create, request)

    async def update_job_definition(self, job_definition_id: str, model: UpdateJobDefinition) -> None:
        """Change a definition's schedule, input or other fields, pause or resume it.

        Raises
        ------
        SchedulerError
            It does not exist, or the engine refuses the change; row, files and schedule stay as they were.
        """
        with user_facing_errors():
            changes = models.read_changes(model)
        await run_in_thread(self.definitions.update, job_definition_id, changes)

    async def delete_job_definition(self, job_definition_id: str) -> None:
        """Delete a definition and end its runs; jobs of the past keep their rows and files.

        Raises
        ------
        SchedulerError
            The engine does not delete its schedule; the definition stays as it was.
        """
        await run_in_thread(self.definitions.delete, job_definition_id)

    async def get_job_definition(self, job_definition_id: str) -> DescribeJobDefinition:
        """Return a job definition.

        Raises
        ------
        SchedulerError
            It does not exist.
        """
        with user_facing_errors(messages.requests.definition_not_found(job_definition_id)):
            return await read_in_thread(super().get_job_definition, job_definition_id)

    async def list_job_definitions(self, query: ListJobDefinitionsQuery) -> ListJobDefinitionsResponse:
        """Return the job definitions that a query asks for, a page of them.

        Raises
        ------
        SchedulerError
            The query is not valid, or the database cannot be used.
        """
        with user_facing_errors():  # in a thread: docs/upstream.md#slow-definition-list
            return await read_in_thread(super().list_job_definitions, query)

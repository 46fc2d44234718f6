"""The scheduler: Jupyter-Scheduler's API on one side, rows, folders and an engine on the other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from jupyter_scheduler.exceptions import IdempotencyTokenError, InputUriError, SchedulerError
from jupyter_scheduler.models import (
    CreateJob,
    CreateJobDefinition,
    CreateJobFromDefinition,
    DescribeJob,
    DescribeJobDefinition,
    ListJobDefinitionsQuery,
    ListJobDefinitionsResponse,
    Status,
    UpdateJob,
    UpdateJobDefinition,
)
from jupyter_scheduler.orm import Job
from jupyter_scheduler.scheduler import Scheduler
from sqlalchemy.exc import NoResultFound, SQLAlchemyError
from sqlalchemy.orm import sessionmaker
from traitlets import Enum, Integer, default
from traitlets import Type as TypeTrait

from argo_jupyter_scheduler.config.argo import ArgoTraits
from argo_jupyter_scheduler.config.compute import ComputeTraits
from argo_jupyter_scheduler.config.environments import EnvironmentTraits
from argo_jupyter_scheduler.config.pod import PodTraits
from argo_jupyter_scheduler.config.slack import SlackTraits
from argo_jupyter_scheduler.config.workflows import WorkflowTraits
from argo_jupyter_scheduler.domain import options
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, InvalidJob, JobNotFound
from argo_jupyter_scheduler.domain.identity import run_token
from argo_jupyter_scheduler.domain.messages import input_gone
from argo_jupyter_scheduler.domain.run_settings import SlackSettings
from argo_jupyter_scheduler.engines.base import Engine
from argo_jupyter_scheduler.engines.factory import make_engine, make_local_engine
from argo_jupyter_scheduler.environments.kernels import notebook_kernel
from argo_jupyter_scheduler.jobs import validation as checks
from argo_jupyter_scheduler.jobs.definitions import Definitions
from argo_jupyter_scheduler.jobs.reconciler import Mender
from argo_jupyter_scheduler.jupyter.definition_list import list_definitions
from argo_jupyter_scheduler.jupyter.environment_manager import ArgoEnvironmentManager
from argo_jupyter_scheduler.storage import deleted_runs
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.staging import RunFolder, local_timezone

ORIGIN = "input_uri"
"""In ``run.json``: where in the root folder the notebook lay."""

KEPT = (ORIGIN, "environment", "kernel")
"""In ``run.json``: what is told still, though this server does not know it any more, of an environment that is gone now."""

Result = TypeVar("Result")


class ArgoScheduler(
    PodTraits, ArgoTraits, ComputeTraits, EnvironmentTraits, WorkflowTraits, SlackTraits, Scheduler
):
    """Runs notebooks on Argo Workflows, or on this machine where no Argo is configured.

    Lists and descriptions are Jupyter-Scheduler's own. What waits for Argo or copies files runs in a thread, so that JupyterLab
    answers meanwhile.
    """

    engine = Enum(
        ("auto", "argo", "local"),
        default_value="auto",
        config=True,
        help="""Where notebooks run: `argo`, `local` (this machine), or `auto`: Argo where the environment variable ARGO_SERVER
        or the trait `argo_server` is set, else this machine.""",
    )
    max_concurrent_runs = Integer(
        min=1,
        config=True,
        help="""How many runs may be under way at once on this machine; others wait as QUEUED. The default is the number of
        cores. Has no effect on Argo.""",
    )
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
        help="The class that starts scheduled runs and mends rows that no run could write.",
    )

    @default("max_concurrent_runs")
    def _default_max_concurrent_runs(self) -> int:
        return os.cpu_count() or 1

    def __init__(self, root_dir: str, environments_manager: Any, db_url: str, **kwargs: Any) -> None:
        self.database = Database(db_url)
        # Jupyter-Scheduler's own would connect once more.
        self._db_session = sessionmaker(bind=self.database.engine)
        self._create_lock = threading.Lock()
        super().__init__(
            root_dir=root_dir, environments_manager=environments_manager, db_url=db_url, **kwargs
        )
        if isinstance(environments_manager, ArgoEnvironmentManager):  # which was made without a configuration
            settings = replace(
                self.environment_settings(),
                compute_types=tuple(self.compute_types),
                default_compute_type=self.default_compute_type,
            )
            environments_manager.configure(settings, _kernel_spec_manager(), self.log)
        self.check_compute_types()
        self.slack: SlackSettings
        self.runs_on: Engine = make_engine(self)
        self.runs_here: Engine = self.runs_on if self.runs_on.shares_machine else make_local_engine(self)
        self._bounds = options.Bounds(
            timeout=self.runs_on.longest_run,
            images=tuple(self.allowed_images),
            no_images=self.runs_on.no_images,
        )
        self.definitions = Definitions(self)
        self.mender = Mender(
            self.database,
            self.runs_on,
            self.runs_here,
            self.staging_path,
            self.definitions,
            self.slack_token,
        )

    @property
    def root(self) -> Path:
        """JupyterLab's root folder."""
        return Path(self.root_dir).expanduser()

    # Jobs

    async def create_job(self, model: CreateJob) -> str:
        """Store a job and start its run; return its id.

        Raises
        ------
        SchedulerError, InputUriError, IdempotencyTokenError
            It cannot be run; nothing is left behind.
        """
        return await asyncio.to_thread(self.create_job_now, model)

    def create_job_now(self, model: CreateJob, input_path: Path | None = None) -> str:
        """Do what `create_job` does, in the calling thread.

        Parameters
        ----------
        model
            The job.
        input_path
            The staged input of the job's definition; by default ``input_uri`` within the root folder.
        """
        with _told_to_the_user():
            path = input_path or self.notebook(model.input_uri)
            values = self.values_of(model)
            self.check(values, path)
            for warning in options.near_misses(model.tags):
                self.log.warning("Job '%s': %s", model.name, warning)
            job_id = str(uuid.uuid4())
            folder = RunFolder(self.staging_path, job_id)
            try:
                packaged = self.stage(
                    folder,
                    path,
                    bool(model.package_input_folder),
                    model.runtime_environment_name,
                    values["input_filename"],
                )
                self._insert(job_id, values, packaged)
                self.runs_on.submit(job_id)
            except BaseException:
                # Should the engine have taken the run after all, its steps find no row and do nothing.
                try:
                    self.database.delete_job(job_id)
                finally:  # also where the database is away
                    folder.delete()
                raise
        return job_id

    def notebook(self, input_uri: str) -> Path:
        """Return the full path of a notebook within the root folder.

        Raises
        ------
        InvalidJob
            It is none, or lies elsewhere.
        """
        path = checks.input_path(self.root_dir, self._with_folder(input_uri))
        checks.notebook_metadata(path)
        if not self.execution_manager_class.validate(self.execution_manager_class, str(path)):
            raise InvalidJob(f"'{input_uri}' is not a notebook that can be executed.")
        return path

    def _with_folder(self, input_uri: str) -> str:
        """Return a notebook's path within the root folder, also where only its name is known.

        That is so when a client makes a job from another one, whose row has an ``input_filename`` only.
        """
        if Path(input_uri).name != input_uri or (self.root / input_uri).exists():
            return input_uri
        jobs = [RunFolder(self.staging_path, one) for one in self.database.find_jobs_of_input(input_uri)]
        origins = {folder.read("run.json").get(ORIGIN) for folder in jobs}
        found = sorted(one for one in origins if one and (self.root / one).is_file())
        if len(found) > 1:
            raise InvalidJob(
                f"There are jobs of several notebooks '{input_uri}': {', '.join(found)}. Create this one from its notebook."
            )
        return found[0] if found else input_uri

    def run_settings(self) -> dict[str, Any]:
        """Return what the steps of all runs need of this server's configuration; no secrets."""
        return {
            "timezone": local_timezone(),
            "slack": asdict(self.slack),
            "environment_patterns": self.patterns_of_runs(),
            "run_papermill_in_environment": self.run_papermill_in_environment,
            **self.runs_on.run_settings(),
        }

    def settings_of_run(self, environment: str, path: Path) -> dict[str, Any]:
        """Return `run_settings` with what this server knows of a run's environment.

        Parameters
        ----------
        environment
            Its name.
        path
            The input's full path.
        """
        settings = self.run_settings()
        if isinstance(self.environments_manager, ArgoEnvironmentManager):
            kernel = ""
            with contextlib.suppress(InvalidJob):  # a definition's input that is gone is told by its runs
                kernel, _ = notebook_kernel(checks.notebook_metadata(path))
            settings |= self.environments_manager.run_settings(environment, kernel)
        return settings

    def tell_runs(self, folder: RunFolder, definition: Mapping[str, Any]) -> None:
        """Bring what a folder says of the configuration up to date.

        Parameters
        ----------
        folder
            The definition's, or that of one of its runs.
        definition
            The definition's row.
        """
        path = folder.path / definition["input_filename"]
        settings = self.settings_of_run(definition["runtime_environment_name"], path)
        before = folder.read("run.json")
        folder.write("run.json", {**{name: before[name] for name in KEPT if name in before}, **settings})

    def stage(
        self, folder: RunFolder, path: Path, whole_folder: bool, environment: str, name: str
    ) -> list[str]:
        """Make a staging folder from an input, which is called `name` there; return the relative paths of what came with it."""
        folder.create()
        folder.write("run.json", {**self.settings_of_run(environment, path), ORIGIN: self.origin(path)})
        return folder.stage(path, whole_folder, leave_out=Path(self.staging_path), name=name)

    def origin(self, path: Path) -> str | None:
        """Return where a notebook lies in the root folder; for a definition's staged input, that of which it is a copy."""
        staging_path = Path(self.staging_path)
        if path.is_relative_to(staging_path):
            origin: str | None = RunFolder(staging_path, path.parent.name).read("run.json").get(ORIGIN)
            return origin
        return os.path.relpath(path, self.root)

    def values_of(self, model: CreateJob | CreateJobDefinition) -> dict[str, Any]:
        """Return the columns that a user gives a job or a definition."""
        values = options.with_fields(model.dict(exclude_none=True, exclude={"input_uri"}))
        values.setdefault("output_formats", [])
        values["input_filename"] = checks.input_filename(values.get("input_filename") or "")
        if self.default_compute_type and not values.get("compute_type"):  # the API takes an empty one, too
            values["compute_type"] = self.default_compute_type
        return values

    def changed_values(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Return the columns that a user changes; an empty compute type is the default one, as in `values_of`."""
        if changes.get("compute_type") == "":
            return {**changes, "compute_type": self.default_compute_type}
        return changes

    def check(self, values: dict[str, Any], path: Path) -> None:
        """Refuse what cannot be done; what is not among the values is not looked at.

        Raises
        ------
        InvalidJob
            With the reason.
        """
        checks.fields(values, path, self.environments_manager, self.slack, self.runs_on.shares_machine)
        if "compute_type" in values:
            checks.compute_type(values["compute_type"], self.compute_types)
        self._bounds.check(options.read(values))

    def _insert(self, job_id: str, values: dict[str, Any], packaged_files: list[str]) -> None:
        """Write the row in one INSERT, QUEUED from the start: the column's default would be STOPPED."""
        values = {**values, "job_id": job_id, "status": Status.QUEUED.value, "packaged_files": packaged_files}
        token, definition_id = values.get("idempotency_token"), values.get("job_definition_id")
        if token and definition_id and token.startswith(run_token(definition_id)):
            del values["idempotency_token"]  # copied from a scheduled run's row, whose name it is
        with self._create_lock, self.db_session() as session:
            token = values.get("idempotency_token")
            if token and session.query(Job).filter(Job.idempotency_token == token).first():
                raise IdempotencyTokenError(token)
            session.add(Job(**values, **self.runs_on.new_row()))
            session.commit()

    def update_job(self, job_id: str, model: UpdateJob) -> None:
        """Change a job's name or compute type; a job is stopped with `stop_job`."""
        with _told_to_the_user():
            checks.name(model.name)
            if model.compute_type:
                checks.compute_type(model.compute_type, self.compute_types)
            if self.database.get_job(job_id) is None:
                raise JobNotFound(f"There is no job {job_id}.")
            changes = self.changed_values(model.dict(exclude_none=True, exclude={"status"}))
            self.database.update_job(job_id, **changes)

    def get_job(self, job_id: str, job_files: bool | None = True) -> DescribeJob:
        """Return a job.

        Raises
        ------
        SchedulerError
            There is none with this id.
        """
        try:
            return super().get_job(job_id, job_files)
        except NoResultFound as error:
            raise SchedulerError(f"There is no job {job_id}.") from error

    async def stop_job(self, job_id: str) -> None:
        """Stop a job: its row says so at once, then its process tree or workflow ends."""
        with _told_to_the_user():
            job = self.database.get_job(job_id)
            if job is None:
                raise JobNotFound(f"There is no job {job_id}.")
            self.database.mark_stopped(job_id)
        await asyncio.to_thread(self._told, self._engine_of(job).stop, job_id)

    async def delete_job(self, job_id: str) -> None:
        """Delete a job with its workflow and files, also while it runs; one that is gone is no error."""
        await asyncio.to_thread(self._told, self.delete_job_now, job_id)

    def delete_job_now(self, job_id: str) -> None:
        """Do what `delete_job` does, in the calling thread."""
        job = self.database.get_job(job_id)
        if job is None:
            return
        was_live = self.database.mark_stopped(job_id)
        try:
            self._engine_of(job).delete(job_id)
        except ArgoSchedulerError:
            if was_live or job.is_scheduled:  # a scheduled run that Argo has, gets its row again
                raise
            self.log.warning("Job %s is deleted, its finished workflow could not be.", job_id)
        RunFolder(self.staging_path, job_id).delete()
        if job.is_scheduled and not self.runs_on.keeps_schedules:
            deleted_runs.remember(
                RunFolder(self.staging_path, job["job_definition_id"]), job.scheduled_moment
            )
        self.database.delete_job(job_id)

    def _engine_of(self, job: dict[str, Any]) -> Engine:
        """Return where a job runs: on this machine also one from before Argo was configured."""
        return self.runs_on if job["pid"] is None else self.runs_here

    def get_staging_paths(self, model: DescribeJob | DescribeJobDefinition) -> dict[str, str]:
        """Return where a job's files are, also when they were named in another time zone than today's."""
        paths: dict[str, str] = super().get_staging_paths(model)
        for output_format, path in paths.items():
            if output_format != "input" and not os.path.exists(path):
                stem = os.path.splitext(model.input_filename)[0]
                found = [
                    other
                    for other in Path(path).parent.glob(f"*.{output_format}")
                    if other.name.startswith(f"{stem}-")
                ]
                if len(found) == 1:
                    paths[output_format] = str(found[0])
        return paths

    # Job definitions

    async def create_job_from_definition(self, job_definition_id: str, model: CreateJobFromDefinition) -> str:
        """Start a run of a definition now, with changed parameters if there are any."""
        return await asyncio.to_thread(self.run_definition, job_definition_id, model)

    def run_definition(self, job_definition_id: str, model: CreateJobFromDefinition) -> str:
        """Do what `create_job_from_definition` does, in the calling thread."""
        definition = self.get_job_definition(job_definition_id)
        staged = Path(self.get_staging_paths(definition)["input"])
        if not staged.is_file():
            raise SchedulerError(input_gone(staged.name))
        attributes = definition.dict(exclude={"schedule", "timezone"}, exclude_none=True)
        attributes |= model.dict(exclude_none=True)
        return self.create_job_now(CreateJob(**attributes, input_uri=definition.input_filename), staged)

    async def create_job_definition(self, model: CreateJobDefinition) -> str:
        """Store a job definition with its schedule; return its id.

        Raises
        ------
        SchedulerError, InputUriError
            It cannot be scheduled; nothing is left behind.
        """
        return await asyncio.to_thread(self._told, self.definitions.create, model)

    async def update_job_definition(self, job_definition_id: str, model: UpdateJobDefinition) -> None:
        """Change a definition's schedule, input or other fields, pause or resume it."""
        await asyncio.to_thread(self._told, self.definitions.update, job_definition_id, model)

    async def delete_job_definition(self, job_definition_id: str) -> None:
        """Delete a definition and end its runs; jobs of the past keep their rows and files."""
        await asyncio.to_thread(self._told, self.definitions.delete, job_definition_id)

    def get_job_definition(self, job_definition_id: str) -> DescribeJobDefinition:
        """Return a job definition.

        Raises
        ------
        SchedulerError
            There is none with this id.
        """
        try:
            return super().get_job_definition(job_definition_id)
        except NoResultFound as error:
            raise SchedulerError(f"There is no job definition {job_definition_id}.") from error

    def list_job_definitions(self, query: ListJobDefinitionsQuery) -> ListJobDefinitionsResponse:
        """Return job definitions as Jupyter-Scheduler does, but sooner."""
        with self.db_session() as session:
            return list_definitions(session, query)

    def _told(self, call: Callable[..., Result], *arguments: Any) -> Result:
        with _told_to_the_user():
            return call(*arguments)


def _kernel_spec_manager() -> Any:
    """Return the kernel spec manager of the server that this process is, None if it is none."""
    from jupyter_server.serverapp import ServerApp

    return ServerApp.instance().kernel_spec_manager if ServerApp.initialized() else None


@contextlib.contextmanager
def _told_to_the_user() -> Iterator[None]:
    """Turn our errors into those whose text Jupyter-Scheduler's handlers send to the dialog."""
    try:
        yield
    except (SchedulerError, InputUriError, IdempotencyTokenError):
        raise
    except ArgoSchedulerError as error:
        raise SchedulerError(str(error)) from error
    except SQLAlchemyError as error:
        raise SchedulerError(
            f"The scheduler's database cannot be used: {getattr(error, 'orig', error)}"
        ) from error
    except OSError as error:
        raise SchedulerError(f"The job's files could not be written or read: {error}") from error

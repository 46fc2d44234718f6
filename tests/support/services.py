"""The services of `jobs` with a real database and real files, and an engine that does as it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.options import Bounds
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.engines.base import Engine, EngineObject, Snapshot
from argo_jupyter_scheduler.jobs.definition_files import DefinitionFiles
from argo_jupyter_scheduler.jobs.definitions import DefinitionService
from argo_jupyter_scheduler.jobs.reconciler import Reconciler
from argo_jupyter_scheduler.jobs.requests import DefinitionRequest
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.jobs.settings import JobSettings
from argo_jupyter_scheduler.jobs.validation import Validation
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import LOCAL_WAITING, DefinitionRow, JobRow, ScheduleRow


class SmallEngine(Engine):
    """Remembers what it is asked; raises `failure` once where there is one.

    Attributes
    ----------
    snapshot
        What `observe` returns.
    outdated
        Definitions whose schedule was made with another configuration.
    unknown
        Jobs that it does not know.
    objects
        What it has made.
    deleted
        Jobs that it deleted.
    """

    name: Literal["local", "argo"] = "argo"
    keeps_schedules = True

    def __init__(self) -> None:
        self.submitted: list[JobRow] = []
        self.stopped: list[str] = []
        self.schedules: dict[str, DefinitionRow] = {}
        self.calls = 0
        self.failure: BaseException | None = None
        self.snapshot = Snapshot()
        self.outdated: list[str] = []
        self.unknown: set[str] = set()
        self.objects: list[EngineObject] = []
        self.deleted: list[str] = []
        self.looked_for_others = False

    def _called(self) -> None:
        self.calls += 1
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self.failure:
            failure, self.failure = self.failure, None
            raise failure

    def owns(self, job: JobRow) -> bool:
        return job.pid is None

    def complete_settings(self, settings: RunSettings) -> RunSettings:
        return replace(settings, engine="argo", namespace="dev")

    def submit(self, job: JobRow) -> None:
        self._called()
        self.submitted.append(job)

    def stop(self, job: JobRow) -> None:
        self._called()
        self.stopped.append(job.job_id)

    def delete(self, job: JobRow) -> None:
        self._called()
        self.deleted.append(job.job_id)

    def observe(
        self, jobs: Sequence[JobRow], definition_ids: Sequence[str], look_for_others: bool = False
    ) -> Snapshot:
        self.looked_for_others = look_for_others
        return self.snapshot

    def exists(self, job: JobRow) -> bool:
        return job.job_id not in self.unknown

    def schedule(self, definition: DefinitionRow) -> None:
        self._called()
        self.schedules[definition.job_definition_id] = definition

    def unschedule(self, job_definition_id: str) -> None:
        self._called()
        self.schedules.pop(job_definition_id, None)

    def find_outdated(self, schedules: Sequence[ScheduleRow]) -> list[str]:
        return [row.job_definition_id for row in schedules if row.job_definition_id in self.outdated]

    def find_unscheduled(self, definition_ids: Sequence[str]) -> list[str]:
        self._raise_failure()
        return [id_ for id_ in definition_ids if id_ not in self.schedules]

    def list_objects(self) -> list[EngineObject]:
        return list(self.objects)

    def delete_object(self, found: EngineObject) -> None:
        self._called()
        self.objects.remove(found)


class SmallLocalEngine(SmallEngine):
    """Owns the jobs that have a process, as the engine of this machine, and keeps no schedules."""

    name = "local"
    keeps_schedules = False
    new_job_pid = LOCAL_WAITING

    def owns(self, job: JobRow) -> bool:
        return job.pid is not None

    def complete_settings(self, settings: RunSettings) -> RunSettings:
        return replace(settings, engine="local")


class OneEnvironment:
    """This package's own environment, called ``venv``, and nothing else."""

    own: Environment | None = Environment("venv")

    def __init__(self) -> None:
        self.lookups = 0

    def find(self, name: str) -> Environment | None:
        self.lookups += 1
        if name != "venv":
            raise InvalidJob(f"Environment '{name}' not found. Available: venv.")
        return self.own

    def find_known(self, name: str) -> Environment | None:
        return self.own if name == "venv" else None

    def find_kernel(self, notebook_kernel: str, environment: Environment | None) -> Mapping[str, Any] | None:
        return None

    def default_name(self) -> str:
        return "venv"


class Services:
    """`jobs`, `definitions` and `reconciler` of a server that is not there."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        engine: SmallEngine | None = None,
        local_engine: SmallEngine | None = None,
        **settings: Any,
    ) -> None:
        self.root, self.staging = folder / "root", folder / "staging"
        self.root.mkdir()
        self.staging.mkdir()
        self.database = database
        self.engine = engine or SmallEngine()
        self.local_engine = local_engine or self.engine
        self.environments = OneEnvironment()
        job_settings = JobSettings(self.root, self.staging, **settings)
        validation = Validation(
            environments=self.environments,
            output_formats=lambda: ["ipynb", "html"],
            compute_types=job_settings.compute_types,
            slack=lambda: self.jobs.staging.slack_settings(),
            bounds=Bounds(),
            shares_machine=False,
            targets=lambda: self.jobs.staging.notification_settings().targets,
        )
        self.jobs = JobService(job_settings, database, self.engine, self.local_engine, validation)
        self.definitions = DefinitionService(self.jobs)
        self.definition_files = DefinitionFiles(self.jobs, self.definitions)
        self.reconciler = Reconciler(self.jobs, self.definitions)

    def write(self, name: str, text: str) -> str:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)
        return name

    def define(self, **fields: Any) -> str:
        """Create a definition of ``n.ipynb``, each day at six unless `fields` say otherwise; return its id."""
        given = {"input_uri": "n.ipynb", "input_filename": "n.ipynb", "runtime_environment_name": "venv"}
        return self.definitions.create(
            DefinitionRequest(**{**given, "schedule": "0 6 * * *", "timezone": "UTC", **fields})
        )

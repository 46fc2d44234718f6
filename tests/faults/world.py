"""One user's rows, folders and runs, and what a notebook leaves to prove what really ran."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_scheduler.models import CreateJob, CreateJobDefinition
from sqlalchemy import select
from traitlets.config import Config

from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError
from argo_jupyter_scheduler.domain.status import LIVE
from argo_jupyter_scheduler.jupyter.environment_manager import ArgoEnvironmentManager
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.atomic import write_whole
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.schema import JobRow, jobs
from tests.faults.injection import Injection
from tests.support.jobs import notebook

FORMATS = ("ipynb", "html", "log")

STUCK_SECONDS = 60
"""After which a run counts as stuck. It takes 20 s at most on a machine that has nothing else to do."""


class World:
    """One user's server, as far as it needs no HTTP.

    Parameters
    ----------
    folder
        Where everything is.
    database_url
        The scheduler's database.
    traits
        Of `ArgoScheduler`.
    """

    def __init__(self, folder: Path, database_url: str, traits: Mapping[str, Any]) -> None:
        self.folder, self.root = folder, folder / "root"
        self.staging = folder / "staging area"
        self.witness = folder / "witness"
        for path in (self.root, self.staging, self.witness):
            path.mkdir(exist_ok=True)
        self.database = Database(database_url)
        self.traits = {"staging_path": str(self.staging), **traits}
        self._scheduler: ArgoScheduler | None = None

    def injection(self, target: str, kind: str = "kill", at: int = 0) -> Injection:
        """Return a fault of one of this world's processes."""
        watched = (self.staging, self.root, Path(str(self.database.engine.url.database)))
        return Injection(target, watched, self.folder / "state", kind, at)

    @property
    def scheduler(self) -> ArgoScheduler:
        """The server's scheduler."""
        if self._scheduler is None:
            manager = ArgoEnvironmentManager()
            config = Config({"ArgoScheduler": self.traits})
            url = self.database.engine.url.render_as_string(hide_password=False)
            self._scheduler = ArgoScheduler(str(self.root), manager, url, config=config)
        return self._scheduler

    def restart(self) -> None:
        """Forget everything that a server keeps in memory."""
        self.close()

    def close(self) -> None:
        if self._scheduler:
            self._scheduler.close()
            self._scheduler = None

    def write(self, *cells: str, name: str = "n.ipynb") -> str:
        """Write a notebook whose first and last cell leave a line as a witness; return its path in the root folder."""
        witness = "import os; open(f'{}/{{os.path.basename(os.getcwd())}}', 'a').write('{}\\n')"
        begun, ended = (witness.format(self.witness, word) for word in ("begun", "ended"))
        write_whole(
            self.root / name, notebook(begun, *cells, ended)
        )  # two servers may read and write it at once
        return name

    def create(self, *cells: str, **fields: Any) -> str:
        """Create a job; return its id."""
        return asyncio.run(self.scheduler.create_job(CreateJob(**self.fields(*cells), **fields)))

    def define(self, *cells: str, **fields: Any) -> str:
        """Create a job definition; return its id."""
        body = {"timezone": "UTC", **self.fields(*cells), **fields}
        return asyncio.run(self.scheduler.create_job_definition(CreateJobDefinition(**body)))

    def runs_of(self, definition_id: str) -> list[JobRow]:
        """Return the rows of a definition's runs."""
        query = select(jobs.c.job_id).where(jobs.c.job_definition_id == definition_id)
        with self.database.engine.connect() as connection:
            found = connection.execute(query).scalars().all()
        return [row for job_id in found if (row := self.row(job_id))]

    def fields(self, *cells: str) -> dict[str, Any]:
        """Write a notebook; return the body of a request that creates a job of it."""
        return {
            "name": "n",
            "input_uri": self.write(*cells),
            "output_formats": list(FORMATS),
            "runtime_environment_name": self.scheduler.jobs.environments.default_name(),
        }

    def row(self, job_id: str) -> JobRow | None:
        """Return a job's row."""
        return self.database.get_job(job_id)

    def run_folder(self, job_id: str) -> RunFolder:
        """Return a job's folder."""
        return RunFolder(self.staging, job_id)

    def has_begun(self, job_id: str) -> bool:
        """Return whether the notebook's first cell was executed."""
        return self.words(job_id)[:1] == ["begun"]

    def words(self, job_id: str) -> list[str]:
        """Return what the notebook's first and last cell have left."""
        path = self.witness / job_id
        return path.read_text().split() if path.exists() else []

    def reconcile(self) -> None:
        """Do what the server does all the time."""
        with contextlib.suppress(ArgoSchedulerError):  # as the task runner: it tries again
            self.scheduler.reconciler.reconcile()

    def settle(self, job_id: str, timeout: float = STUCK_SECONDS) -> JobRow | None:
        """Reconcile until a job has ended; return its row, live if it is stuck."""
        end = time.monotonic() + timeout
        while True:
            self.reconcile()
            row = self.row(job_id)
            if row is None or row.status not in LIVE or time.monotonic() > end:
                self.reconcile()
                return row
            time.sleep(0.1)

    def environment(self) -> dict[str, str]:
        """Return the variables that a pod of the stand-in needs."""
        kept = (
            "PATH",
            "HOME",
            "JUPYTER_DATA_DIR",
            "JUPYTER_PATH",
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_RUNTIME_DIR",
        )
        return {name: os.environ[name] for name in kept if name in os.environ}

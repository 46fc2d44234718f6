"""The task runner: starts scheduled runs on this machine, and mends rows that no run could write."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_scheduler.models import CreateJobFromDefinition
from jupyter_scheduler.task_runner import TaskRunner
from traitlets import Float

from argo_jupyter_scheduler.errors import ArgoSchedulerError
from argo_jupyter_scheduler.files import RunFolder
from argo_jupyter_scheduler.steps import rename_files
from argo_jupyter_scheduler.steps.context import Context


class ArgoTaskRunner(TaskRunner):
    """Jupyter-Scheduler's own task runner for definitions, and a mender for jobs.

    A run writes its own state. What no run can write (its process was killed, its pod never started) is written here.
    """

    mend_interval = Float(
        5.0,
        min=0.1,
        config=True,
        help="""Seconds between two looks at the runs that are under way. While Argo does not answer, up to a minute.""",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._starting: set[asyncio.Task[None]] = set()

    def create_job(self, job_definition_id: str) -> None:
        """Start a run of a definition whose time has come, off the event loop: Argo may take its time."""
        task = asyncio.get_running_loop().create_task(self._run_definition(job_definition_id))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _run_definition(self, job_definition_id: str) -> None:
        try:
            definition = self.scheduler.get_job_definition(job_definition_id)
            if definition.active:
                await self.scheduler.create_job_from_definition(job_definition_id, CreateJobFromDefinition())
        except Exception:
            self.log.exception("A run of job definition %s could not be started.", job_definition_id)

    async def start(self) -> None:
        """Run until the server ends."""
        await asyncio.gather(super().start(), self._mend_for_ever())

    async def _mend_for_ever(self) -> None:
        wait = self.mend_interval
        while True:
            try:
                await asyncio.to_thread(self.mend)
                wait = self.mend_interval
            except ArgoSchedulerError as error:
                if wait == self.mend_interval:  # said once, not each time
                    self.log.warning("Runs cannot be looked after for now: %s", error)
                wait = min(wait * 2, 60.0)
            except Exception:
                self.log.exception("Runs could not be looked after; this is tried again.")
                wait = min(wait * 2, 60.0)
            await asyncio.sleep(wait)

    def mend(self) -> None:
        """Bring the rows of jobs that have not ended in line with what the engine knows, once.

        Each change is guarded by the status that was read, so old information changes nothing.
        """
        database = self.scheduler.database
        live: list[dict[str, Any]] = database.live_jobs()
        observations = self.scheduler.runs_on.observe(live)
        for job in live:
            observation = observations.get(job["job_id"])
            if observation is None:
                continue
            if observation.ended:
                self._end(job, observation.message)
            elif observation.message != job["status_message"]:
                database.waiting_because(job["job_id"], observation.message)

    def _end(self, job: dict[str, Any], message: str) -> None:
        """Give a run that could not do it itself its end, judged by its files, and publish what there is."""
        database, job_id = self.scheduler.database, job["job_id"]
        folder = RunFolder(self.scheduler.staging_path, job_id)
        rename_files.run(Context(job_id, database, folder))
        if folder.read("result.json").get("succeeded"):
            database.completed(job_id)
        else:
            database.failed(job_id, message, only_if=[job["status"]])

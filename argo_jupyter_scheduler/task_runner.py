"""The task runner: the server's loop that mends rows and, without Argo, starts scheduled runs."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable
from typing import Any

from jupyter_scheduler.task_runner import BaseTaskRunner
from traitlets import Float

from argo_jupyter_scheduler import schedules
from argo_jupyter_scheduler.database import REPLACED, is_scheduled, now, run_token
from argo_jupyter_scheduler.engines.base import Observation
from argo_jupyter_scheduler.errors import ArgoSchedulerError, InvalidJob, RunError
from argo_jupyter_scheduler.files import RunFolder
from argo_jupyter_scheduler.steps.create_job_id import copy_input

IDLE = 4
"""How many times longer the interval is while nothing is under way."""

GRACE = 60_000
"""Milliseconds that a run may be late because this machine was busy; one that was missed in its sleep is later."""

LONGEST = 60.0
"""Seconds between two tries while the engine does not answer."""


class ArgoTaskRunner(BaseTaskRunner):
    """Mends rows every few seconds, and starts definitions' runs where the engine does not do that by itself."""

    mend_interval = Float(
        5.0,
        min=0.1,
        config=True,
        help="""Seconds between two looks at the runs that are under way. While Argo does not answer, up to a minute.""",
    )
    poll_interval = Float(
        1.0,
        min=0.1,
        config=True,
        help="Without Argo: seconds between two looks at which job definitions are due.",
    )

    def __init__(self, scheduler: Any, config: Any = None) -> None:
        super().__init__(config=config)
        self.scheduler = scheduler

    async def start(self) -> None:
        """Run until the server ends."""
        loops = [self._repeat(self._mend, self.mend_interval)]
        if not self.scheduler.runs_on.keeps_schedules:
            loops.append(self._repeat(LocalSchedules(self.scheduler).start_due, self.poll_interval))
        await asyncio.gather(*loops)

    def _mend(self) -> float:
        return self.mend_interval * (1 if self.scheduler.mender.mend() else IDLE)

    async def _repeat(self, call: Callable[[], Any], interval: float) -> None:
        wait = interval
        while True:
            try:
                wait = await asyncio.to_thread(call) or interval
            except ArgoSchedulerError as error:
                if wait <= interval * IDLE:  # said once, not each time
                    self.log.warning("Runs cannot be looked after for now: %s", error)
                wait = min(max(wait, interval * IDLE) * 2, LONGEST)
            except Exception:
                self.log.exception("Runs could not be looked after; this is tried again.")
                wait = min(wait * 2, LONGEST)
            await asyncio.sleep(wait)


class LocalSchedules:
    """Starts the runs of definitions on this machine.

    A run's id is derived from its definition and its moment, so a second server, or the same one after a restart, does not start it
    again.

    Parameters
    ----------
    scheduler
        The `ArgoScheduler`.
    clock
        Returns the time in milliseconds since 1970.
    """

    def __init__(self, scheduler: Any, clock: Callable[[], int] = now) -> None:
        self._scheduler = scheduler
        self._clock = clock
        self._next: dict[str, tuple[object, int | None]] = {}
        deadline = scheduler.starting_deadline_seconds * 1000
        self._latest = max(deadline, GRACE)
        self._since = clock() - deadline
        """Only what is due after this is looked at; what a server did not see while it was off, lies before."""

    def start_due(self) -> None:
        """Start a run of each active definition whose moment has come."""
        moment = self._clock()
        upcoming: dict[str, tuple[object, int | None]] = {}
        for row in self._scheduler.database.schedules():
            if not row["active"] or not row["schedule"]:
                continue
            definition_id, key = row["job_definition_id"], (row["schedule"], row["timezone"])
            known = self._next.get(definition_id)
            try:
                schedule = schedules.parse(*key)
            except InvalidJob:  # stored by another backend
                continue
            if known is None or known[0] != key:
                known = (key, schedule.after(max(self._since, row["update_time"])))
            due = known[1]
            if due is not None and due <= moment:
                following = schedule.after(due)
                while following is not None and following <= moment:  # of several missed ones, the last
                    due, following = following, schedule.after(following)
                if moment - due <= self._latest:
                    self._start(definition_id, due)
                known = (key, following)
            upcoming[definition_id] = known
        self._next = upcoming
        self._since = moment

    def _start(self, definition_id: str, due: int) -> None:
        scheduler, database = self._scheduler, self._scheduler.database
        job_id = str(uuid.uuid5(uuid.UUID(definition_id), str(due)))
        if database.job(job_id):
            return
        before = [job for job in database.live_runs(definition_id) if is_scheduled(job)]
        if before and scheduler.concurrency_policy == "Forbid":
            return
        if scheduler.concurrency_policy == "Replace":
            for job in before:
                database.stopped(job["job_id"], REPLACED)
                scheduler.runs_on.stop(job["job_id"])
        definition = database.definition(definition_id)
        if definition is None:
            return
        written = (job_id, definition_id, self._clock(), run_token(definition_id, due // 1000))
        mine = scheduler.runs_on.new_row()
        try:  # the folder comes first: a row of this machine may be taken at once
            copy_input(scheduler.staging_path, {**definition, "job_id": job_id})
            folder = RunFolder(scheduler.staging_path, job_id)  # with the configuration as it is now
            environment, path = (
                definition["runtime_environment_name"],
                folder.path / definition["input_filename"],
            )
            settings = scheduler.settings_of_run(environment, path)
            folder.write("run.json", {**folder.read("run.json"), **settings})
        except (RunError, OSError) as error:
            if database.create_run(*written):
                job, observation = database.job(job_id), Observation(ended=True, message=str(error))
                # In a thread, since it may wait for Slack, and other runs are due.
                threading.Thread(target=scheduler.mender.end, args=(job, observation)).start()
            return
        if database.create_run(*written, **mine):
            scheduler.runs_on.submit(job_id)

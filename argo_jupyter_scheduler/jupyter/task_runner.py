"""The task runner: the server's loop that mends rows and, without Argo, starts scheduled runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from jupyter_scheduler.task_runner import BaseTaskRunner
from traitlets import Float

from argo_jupyter_scheduler.domain import schedules
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, InvalidJob, RunError
from argo_jupyter_scheduler.domain.identity import run_token
from argo_jupyter_scheduler.domain.messages import REPLACED
from argo_jupyter_scheduler.engines.base import Observation
from argo_jupyter_scheduler.steps.create_job_id import copy_input
from argo_jupyter_scheduler.storage import deleted_runs
from argo_jupyter_scheduler.storage.staging import RunFolder

IDLE = 4
"""How many times longer the interval is while nothing is under way."""

LONGEST = 60.0
"""Seconds between two tries while the engine does not answer."""

GRACE = int(2 * LONGEST) * 1000
"""Milliseconds that a moment may be seen late because looks failed; what was missed in this machine's sleep is later."""

AT_ONCE = 8
"""How many runs are started at the same time: each may have a folder to copy."""

log = logging.getLogger("argo_jupyter_scheduler")


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
            self._schedules = LocalSchedules(self.scheduler)
            loops.append(self._repeat(self._start_due, self.poll_interval))
        await asyncio.gather(*loops)

    def _start_due(self) -> None:
        self._schedules.start_due()

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

    All servers of one database find the same moments, and a run's id is derived from its definition and its moment, so a second
    server, or the same one after a restart, does not start it again.

    Parameters
    ----------
    scheduler
        The `ArgoScheduler`.
    clock
        Returns the time in milliseconds since 1970.
    """

    def __init__(self, scheduler: Any, clock: Callable[[], int] = now_ms) -> None:
        self._scheduler = scheduler
        self._clock = clock
        self._next: dict[str, tuple[object, int | None]] = {}
        self._owed: dict[str, int] = {}
        """The moment of each definition whose run is not being started yet."""
        self._starting: dict[str, tuple[int, Future[None]]] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE)
        deadline = scheduler.starting_deadline_seconds * 1000
        self._latest = max(deadline, GRACE)
        self._since = clock() - deadline
        """Only what is due after this is looked at; what a server did not see while it was off, lies before."""

    def start_due(self) -> list[Future[None]]:
        """Begin to start a run of each active definition whose moment has come; return the starts, which may copy for long.

        While a definition's run is being started, its next one waits, however late it gets.
        """
        moment = self._clock()
        if moment < self._since:  # the clock was wrong, and is set back: what comes next was found too late
            self._next, self._since = {}, moment
        self._look_after_starts(moment)
        upcoming: dict[str, tuple[object, int | None]] = {}
        for row in self._scheduler.database.list_schedules():
            if not row["active"] or not row["schedule"]:
                continue
            definition_id, changed = row["job_definition_id"], row["update_time"]
            try:
                schedule = schedules.parse(row["schedule"], row["timezone"])
            except InvalidJob:  # stored by another backend
                continue
            key = (schedule, changed if schedule.every else None)  # `@every` counts from there
            known = self._next.get(definition_id)
            if known is None or known[0] != key:
                self._owed.pop(definition_id, None)
                known = (key, schedule.after(max(self._since, changed), changed))
            due = known[1]
            while due is not None and due <= moment:
                if moment - due <= self._latest:
                    self._owed[definition_id] = due  # of several missed ones, the last
                due = schedule.after(due, changed)
            upcoming[definition_id] = (key, due)
        self._next, self._since = upcoming, moment
        self._owed = {one: due for one, due in self._owed.items() if one in upcoming}
        for definition_id in self._owed.keys() - self._starting.keys():
            due = self._owed.pop(definition_id)
            self._starting[definition_id] = (due, self._pool.submit(self._start, definition_id, due))
        return [start for _, start in self._starting.values()]

    def _look_after_starts(self, moment: int) -> None:
        for definition_id, (due, start) in list(self._starting.items()):
            if not start.done():
                continue
            del self._starting[definition_id]
            if error := start.exception():
                log.error("A run of job definition %s could not be started.", definition_id, exc_info=error)
                if moment - due <= self._latest:  # it is tried again
                    self._owed.setdefault(definition_id, due)

    def _start(self, definition_id: str, due: int) -> None:
        scheduler, database = self._scheduler, self._scheduler.database
        job_id = str(uuid.uuid5(uuid.UUID(definition_id), str(due)))
        definition = self._wanted(definition_id, due, job_id)
        if definition is None:
            return
        before = database.list_earlier_runs(definition_id, due // 1000)
        if before and scheduler.concurrency_policy == "Forbid":
            return
        if scheduler.concurrency_policy == "Replace":
            for job in before:
                database.mark_stopped(job["job_id"], REPLACED)
                scheduler.runs_on.stop(job["job_id"])
        # The folder comes first, since a row of this machine may be taken at once; and it appears whole, since another server may
        # copy it too.
        beside = RunFolder(scheduler.staging_path, f"{job_id}.{uuid.uuid4()}.new")
        try:
            problem = self._copy(definition, beside)
            if self._wanted(definition_id, due, job_id) == definition:
                self._line_up(job_id, definition_id, due, beside, problem)
                return
        finally:
            beside.delete()
        self._start(definition_id, due)  # it was changed meanwhile, or deleted, or started by another server

    def _wanted(self, definition_id: str, due: int, job_id: str) -> dict[str, Any] | None:
        """Return the definition's row if a run of that moment is still to be started."""
        definition: dict[str, Any] | None = self._scheduler.database.get_definition(definition_id)
        if definition is None or not definition["active"] or self._scheduler.database.get_job(job_id):
            return None
        folder = RunFolder(self._scheduler.staging_path, definition_id)
        return None if deleted_runs.was_deleted(folder, due // 1000) else definition

    def _copy(self, definition: dict[str, Any], folder: RunFolder) -> str:
        """Fill a run's folder; return what was in the way, empty if nothing was."""
        scheduler = self._scheduler
        try:
            copy_input(scheduler.staging_path, {**definition, "job_id": folder.path.name})
            scheduler.tell_runs(folder, definition)  # the configuration as it is now
        except (RunError, OSError) as error:
            return str(error)
        return ""

    def _line_up(self, job_id: str, definition_id: str, due: int, copied: RunFolder, problem: str) -> None:
        scheduler, database = self._scheduler, self._scheduler.database
        written = (job_id, definition_id, self._clock(), run_token(definition_id, due // 1000))
        if problem:
            if database.insert_run(*written):
                scheduler.mender.end(database.get_job(job_id), Observation(ended=True, message=problem))
            return
        folder = RunFolder(scheduler.staging_path, job_id)
        with contextlib.suppress(OSError):  # not empty: another server was as fast
            os.rename(copied.path, folder.path)
        if database.insert_run(*written, **scheduler.runs_on.new_row()):
            scheduler.runs_on.submit(job_id)
        elif database.get_job(job_id) is None:  # the definition was deleted just now
            folder.delete()

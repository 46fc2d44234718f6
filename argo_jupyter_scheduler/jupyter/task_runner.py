"""The server's loop: reconciles rows, reports late runs and, without Argo, starts scheduled runs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any, Protocol

from jupyter_scheduler.task_runner import BaseTaskRunner
from sqlalchemy.exc import DBAPIError
from traitlets import Float

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError
from argo_jupyter_scheduler.jobs.late_runs import LateRuns
from argo_jupyter_scheduler.jobs.local_schedules import LocalSchedules
from argo_jupyter_scheduler.jobs.reconciler import Reconciler
from argo_jupyter_scheduler.jobs.service import JobService

IDLE_FACTOR = 4
"""How many times longer the interval is while nothing is in progress."""

MAX_WAIT_SECONDS = 60.0
"""Longest time between two attempts while the engine does not answer."""


class Services(Protocol):
    """The part of `ArgoScheduler` that the loop needs."""

    jobs: JobService
    reconciler: Reconciler

    def start(self) -> None:
        """Do what needs the network before the first run."""


class ArgoTaskRunner(BaseTaskRunner):
    """Reconciles every few seconds, reports late runs, and starts runs where the engine does not do so itself."""

    mend_interval = Float(
        5.0,
        min=0.1,
        config=True,
        help="""Seconds between two checks of the runs that are in progress. While Argo does not answer, the interval grows up
        to a minute.""",
    )
    poll_interval = Float(
        1.0,
        min=0.1,
        config=True,
        help="Without Argo: seconds between two checks for due job definitions.",
    )

    def __init__(self, scheduler: Services, config: Any = None) -> None:
        super().__init__(config=config)
        self.scheduler = scheduler

    async def start(self) -> None:
        """Run until the server ends."""
        await self._start_scheduler()
        spare_garbage_collector()
        late_runs = LateRuns(self.scheduler.jobs)
        loops = [
            self._repeat(self._reconcile, self.mend_interval),
            # A loop of its own: Slack may keep it waiting, and Argo must not. Runs that were due before this server
            # started get the time to begin, so that they are not reported as missing.
            self._repeat(
                lambda: self._report_late_runs(late_runs),
                self.mend_interval,
                self.mend_interval * IDLE_FACTOR,
            ),
        ]
        if not self.scheduler.jobs.engine.keeps_schedules:
            local_schedules = LocalSchedules(self.scheduler.jobs, self.scheduler.reconciler)
            loops.append(self._repeat(lambda: self._start_due(local_schedules), self.poll_interval))
        await asyncio.gather(*loops)

    async def _start_scheduler(self) -> None:
        try:
            await asyncio.to_thread(self.scheduler.start)
        except Exception as error:  # the first job that needs it gets the same error, in the dialog
            self.log.error("%s", error)

    def _start_due(self, local_schedules: LocalSchedules) -> float:
        local_schedules.start_due()
        return float(self.poll_interval)

    def _report_late_runs(self, late_runs: LateRuns) -> float:
        late_runs.report()
        return float(self.mend_interval) * IDLE_FACTOR

    def _reconcile(self) -> float:
        return float(self.mend_interval) * (1 if self.scheduler.reconciler.reconcile() else IDLE_FACTOR)

    async def _repeat(self, call: Callable[[], float], interval: float, first_wait: float = 0) -> None:
        """Call a function again and again; it returns the seconds to wait."""
        await asyncio.sleep(first_wait)
        wait = interval
        while True:
            try:
                wait = await asyncio.to_thread(call)
            except ArgoSchedulerError as error:
                if wait <= interval * IDLE_FACTOR:  # logged once, not each time
                    self.log.warning("%s", messages.argo.checks_interrupted(error))
                wait = min(max(wait, interval * IDLE_FACTOR) * 2, MAX_WAIT_SECONDS)
            except DBAPIError as error:
                self.log.warning("%s", messages.server.database_waits(error.orig))
                wait = min(wait * 2, MAX_WAIT_SECONDS)
            except Exception:
                self.log.exception("Jobs could not be checked; retrying.")
                wait = min(wait * 2, MAX_WAIT_SECONDS)
            await asyncio.sleep(wait)


def spare_garbage_collector() -> None:
    """Keep Python from looking at all modules of JupyterLab again and again.

    A full collection stops every thread, JupyterLab's event loop too, for 0.2 s on a slow machine. Objects that exist
    after the start live as long as the server, so later collections skip them. Once is enough: a second server of one process is
    not frozen.
    """
    if not gc.get_freeze_count():
        gc.freeze()

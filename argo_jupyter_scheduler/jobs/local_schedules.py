"""Starts the scheduled runs of this machine, where the engine does not keep schedules."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from argo_jupyter_scheduler.domain import messages, schedules
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import InvalidJob, RunError
from argo_jupyter_scheduler.domain.identity import local_run_id, run_token
from argo_jupyter_scheduler.domain.options import read_concurrency
from argo_jupyter_scheduler.engines.base import Observation
from argo_jupyter_scheduler.jobs.reconciler import Reconciler
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.steps.create_job_id import copy_input
from argo_jupyter_scheduler.storage.deleted_runs import was_run_deleted
from argo_jupyter_scheduler.storage.folders import NEW_SUFFIX, RunFolder
from argo_jupyter_scheduler.storage.markers import STARTS, ChangeMarkers
from argo_jupyter_scheduler.storage.schema import DefinitionRow

LATENESS_MS = 120_000
"""How late a scheduled time may be noticed and still run. Covers failed polls, not a machine that slept."""

MAX_CONCURRENT_STARTS = 8
"""How many runs are started at the same time: each may have a folder to copy."""

log = logging.getLogger("argo_jupyter_scheduler")


class LocalSchedules:
    """Starts the runs of definitions on this machine.

    All servers of one database find the same moments, and a run's id is derived from its definition and its moment, so a second
    server, or the same one after a restart, does not start it again.

    Parameters
    ----------
    jobs
        The service of the jobs.
    reconciler
        Ends a run that cannot begin.
    clock
        Returns the time in milliseconds since 1970.
    """

    def __init__(self, jobs: JobService, reconciler: Reconciler, clock: Callable[[], int] = now_ms) -> None:
        self._jobs = jobs
        self._database = jobs.database
        self._reconciler = reconciler
        self._clock = clock
        self._next: dict[str, tuple[object, int | None]] = {}
        self._overdue: dict[str, int] = {}
        """The moment of each definition whose run is due and is not being started yet."""
        self._starting: dict[str, tuple[int, Future[None]]] = {}
        self._pool = ThreadPoolExecutor(MAX_CONCURRENT_STARTS)
        self._markers = ChangeMarkers(jobs.settings.staging_path, STARTS)
        deadline = jobs.settings.starting_deadline_seconds * 1000
        self._latest = max(deadline, LATENESS_MS)
        self._since = clock() - deadline
        """Only what is due after this is considered; what a server did not see while it was off, was before."""

    def start_due(self) -> list[Future[None]]:
        """Begin to start a run of each active definition whose moment has come; return the starts, which may copy for long.

        While a definition's run is being started, its next one waits, however late it gets.
        """
        moment = self._clock()
        if moment < self._since:  # the clock was wrong, and is set back: what comes next was found too late
            self._next, self._since = {}, moment
        self._collect_starts(moment)
        self._next = self._find_next(moment)
        self._resume_starts(moment)
        self._since = moment
        self._overdue = {key: due for key, due in self._overdue.items() if key in self._next}
        for definition_id in self._overdue.keys() - self._starting.keys():
            due = self._overdue.pop(definition_id)
            self._starting[definition_id] = (due, self._pool.submit(self._start_marked, definition_id, due))
        return [start for _, start in self._starting.values()]

    def _find_next(self, moment: int) -> dict[str, tuple[object, int | None]]:
        """Return the next moment of each active definition, and note those that are overdue."""
        upcoming: dict[str, tuple[object, int | None]] = {}
        for row in self._database.list_schedules():
            if not row.active or not row.schedule:
                continue
            definition_id, changed = row.job_definition_id, row.update_time
            try:
                schedule = schedules.parse(row.schedule, row.timezone)
            except InvalidJob:  # stored by another backend
                continue
            key = (schedule, changed if schedule.every else None)  # `@every` counts from there
            known = self._next.get(definition_id)
            if known is None or known[0] != key:
                self._overdue.pop(definition_id, None)
                known = (key, schedule.after(max(self._since, changed), changed))
            due = known[1]
            while due is not None and due <= moment:
                if moment - due <= self._latest:
                    self._overdue[definition_id] = due  # of several missed ones, the last
                due = schedule.after(due, changed)
            upcoming[definition_id] = (key, due)
        return upcoming

    def _collect_starts(self, moment: int) -> None:
        """Forget starts that are done, and let those that failed be tried again."""
        for definition_id, (due, start) in list(self._starting.items()):
            if not start.done():
                continue
            del self._starting[definition_id]
            if error := start.exception():
                log.error("A run of job definition %s could not be started.", definition_id, exc_info=error)
                if moment - due <= self._latest:
                    self._overdue.setdefault(definition_id, due)

    def _resume_starts(self, moment: int) -> None:
        """Start again what a server was killed at: its moment is not looked at after a restart."""
        for mark in self._markers.find_abandoned():
            due = int(mark.action)
            job_id = local_run_id(mark.id, due)
            folder = self._jobs.folder(job_id)
            for copied in folder.leftovers(NEW_SUFFIX):
                copied.delete()
            if moment - due <= self._latest:
                self._overdue.setdefault(mark.id, due)
            elif self._database.get_job(job_id) is None:
                folder.delete()
            self._markers.remove(mark)

    def _start_marked(self, definition_id: str, due: int) -> None:
        with self._markers.mark_change(definition_id, str(due)):
            self._start(definition_id, due)

    def _start(self, definition_id: str, due: int) -> None:
        job_id = local_run_id(definition_id, due)
        while (definition := self._find_due(definition_id, due, job_id)) is not None:
            policy = read_concurrency(
                definition.tags,
                definition.runtime_environment_parameters,
                self._jobs.settings.concurrency_policy,
            )
            before = self._database.list_earlier_runs(definition_id, due // 1000)
            if before and policy == "Forbid":
                return
            if policy == "Replace":
                for job in before:
                    self._database.mark_stopped(job.job_id, messages.runs.REPLACED)
                    self._jobs.engine.stop(job)
            # The folder comes first, since a row of this machine may be taken at once. It appears whole, since another server may
            # copy it too.
            copied = self._jobs.folder(job_id).beside(NEW_SUFFIX)
            try:
                problem = self._copy(definition, copied)
                if self._find_due(definition_id, due, job_id) == definition:
                    self._enqueue(job_id, definition_id, due, copied, problem)
                    return
            finally:
                copied.delete()
            # It was changed meanwhile, or deleted, or started by another server.

    def _find_due(self, definition_id: str, due: int, job_id: str) -> DefinitionRow | None:
        """Return the definition's row if a run of that moment is still to be started."""
        definition = self._database.get_definition(definition_id)
        if definition is None or not definition.active or self._database.get_job(job_id):
            return None
        return None if was_run_deleted(self._jobs.folder(definition_id), due // 1000) else definition

    def _copy(self, definition: DefinitionRow, folder: RunFolder) -> str:
        """Fill a run's folder; return the problem, empty if there was none."""
        try:
            copy_input(self._jobs.folder(definition.job_definition_id), folder, definition)
            self._jobs.staging.refresh_run_settings(folder, definition)  # the configuration as it is now
        except (RunError, OSError) as error:
            return str(error)
        return ""

    def _enqueue(self, job_id: str, definition_id: str, due: int, copied: RunFolder, problem: str) -> None:
        """Write a run's row and submit it, or end it with the problem."""
        created, token = self._clock(), run_token(definition_id, due // 1000)
        if problem:
            if self._database.insert_run(job_id, definition_id, created, token) and (
                job := self._database.get_job(job_id)
            ):
                self._reconciler.finish_run(job, Observation(ended=True, message=problem))
                # Only now: a row that waits and is this machine's may be started.
                self._database.update_job(job_id, pid=self._jobs.engine.new_job_pid)
            return
        folder = self._jobs.folder(job_id)
        with contextlib.suppress(OSError):  # not empty: another server was as fast
            os.rename(copied.path, folder.path)
        pid = self._jobs.engine.new_job_pid
        written = self._database.insert_run(job_id, definition_id, created, token, pid)
        job = self._database.get_job(job_id)
        if job is None:  # the definition was deleted just now
            folder.delete()
        elif written:
            self._jobs.engine.submit(job)

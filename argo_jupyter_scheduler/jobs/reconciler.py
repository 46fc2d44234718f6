"""Brings rows in line with what the engine knows, where no run could write them, and finishes interrupted changes.

A run writes its own state. What no run can write (its process was killed, its pod never started) is written here. Each change is
guarded by the status that was read, so old information changes nothing, and any number of servers may do this on one database.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.exc import SQLAlchemyError

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, EngineRefused
from argo_jupyter_scheduler.domain.status import COMPLETED
from argo_jupyter_scheduler.engines.base import Observation, Snapshot
from argo_jupyter_scheduler.jobs.definitions import DefinitionService
from argo_jupyter_scheduler.jobs.retention import Retention
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.steps import failure, rename_files, send_notifications, send_to_slack
from argo_jupyter_scheduler.steps.context import Context
from argo_jupyter_scheduler.storage.schema import JobRow

MAX_CONCURRENT_ENDINGS = 8
"""How many ended runs are finished at the same time: each may have to wait for Slack."""

REPAIR_PERIOD_SECONDS = 60.0
"""Time between two looks at whether each active definition has its schedule."""

WAIT_BEFORE_STOPPING_AGAIN_MS = 10_000
"""How long a run may take to end after its row became STOPPED; then the engine is asked to stop it again."""

WAIT_FOR_OTHER_BACKEND_MS = 60_000
"""How old a live job of another backend must be before it counts as left: that backend writes its process at once."""

RETENTION_PERIOD_SECONDS = 3600.0
"""Time between two searches for jobs that the rules do not keep."""

RETENTION_DELAY_SECONDS = 30.0
"""Time between a server's start and its first look for them."""

RETENTION_PASS_SECONDS = 2.0
"""How long one pass may delete, before runs are observed again."""

WATCH_AFTER_STOP_MS = 3_600_000
"""How long after a stop runs are looked for, though none is live."""

log = logging.getLogger("argo_jupyter_scheduler")


class Reconciler:
    """Reconciles rows, runs and schedules.

    Parameters
    ----------
    jobs, definitions
        The services whose rows are reconciled.
    repair_period
        Seconds between two passes of `repair_schedules`.
    retention_delay
        Seconds until the first pass of `apply_retention`.
    retention_pass
        Seconds that each of its passes may take.
    """

    def __init__(
        self,
        jobs: JobService,
        definitions: DefinitionService,
        repair_period: float = REPAIR_PERIOD_SECONDS,
        retention_delay: float = RETENTION_DELAY_SECONDS,
        retention_pass: float = RETENTION_PASS_SECONDS,
    ) -> None:
        self._jobs = jobs
        self._database = jobs.database
        self._engine = jobs.engine
        self._definitions = definitions
        self._repair_period = repair_period
        self._repaired_at = time.monotonic()
        self._retention = Retention(jobs)
        self._retention_pass = retention_pass
        self._retention_due = time.monotonic() + retention_delay
        self._is_up_to_date = False
        self._refusal = ""

    def reconcile(self) -> bool:
        """Do the passes that are due; return whether a run is live.

        Raises
        ------
        EngineUnavailable, EngineRefused
            The engine does not answer.
        """
        self.finish_interrupted_changes()
        if not self._is_up_to_date:
            self._definitions.pause_impossible_schedules()
            self._unless_refused(self._definitions.update_outdated_schedules)
            self._is_up_to_date = True
        if time.monotonic() - self._repaired_at >= self._repair_period:
            self._repaired_at = time.monotonic()
            self.repair_schedules()
        is_live = self.observe_runs()
        if time.monotonic() >= self._retention_due:
            self.apply_retention()
        return is_live

    def finish_interrupted_changes(self) -> None:
        """Finish changes of jobs and definitions that a process left half done."""
        self._jobs.finish_changes()
        self._definitions.finish_changes()

    def repair_schedules(self) -> None:
        """Create schedules again that somebody deleted in the engine."""
        self._unless_refused(self._definitions.restore_schedules)

    def apply_retention(self) -> None:
        """Delete jobs that the rules do not keep, as many as one pass may; the next pass continues."""
        if self._retention.delete_expired(self._retention_pass):
            self._retention_due = time.monotonic() + RETENTION_PERIOD_SECONDS

    def observe_runs(self) -> bool:
        """Write into rows what the engines know of their runs; return whether a run is live."""
        live = self._database.list_live_jobs()
        # Looked at after the rows: a job that is being created has no workflow yet.
        changing = self._jobs.find_changing_jobs()
        live = [job for job in live if job.job_id not in changing]
        definition_ids = [row.job_definition_id for row in self._database.list_schedules()]
        was_stopped = self._database.was_stopped_since(now_ms() - WATCH_AFTER_STOP_MS)
        snapshot = self._engine.observe(live, definition_ids, look_for_others=was_stopped)
        observations = {**snapshot.jobs, **self._observe_local_leftovers(live)}
        self._write_missing_rows(snapshot)
        self._fail_foreign_jobs(live)
        ended: list[tuple[JobRow, Observation]] = []
        for job in live:
            observation = observations.get(job.job_id)
            if observation is None:
                continue
            if observation.ended:
                ended.append((job, observation))
            elif observation.message != job.status_message:
                self._database.explain_waiting(job.job_id, observation.message)
        if ended:
            with ThreadPoolExecutor(MAX_CONCURRENT_ENDINGS) as pool:
                for finished in [pool.submit(self.finish_run, *pair) for pair in ended]:
                    finished.result()
        self._unless_refused(lambda: self._stop_runs_again(snapshot))
        return bool(live)

    def finish_run(self, job: JobRow, observation: Observation) -> None:
        """Give a run that could not do it itself its end, judged by its files; publish what exists, and notify.

        Parameters
        ----------
        job
            The run's row, as it was when the engine was asked.
        observation
            What the engine knows of it.
        """
        context = Context(
            job.job_id,
            self._database,
            self._jobs.folder(job.job_id),
            reason=observation.message,
            stopped=observation.stopped,
            attempt=observation.attempts - 1,
            slack_token=self._jobs.settings.slack_token,
            addresses=self._jobs.settings.notification_targets,
        )
        context.folder.restore_rights()
        try:
            rename_files.run(context)
        except SQLAlchemyError:  # the next pass finds the database well again
            raise
        except Exception as error:
            # For example, the disk is full, or the notebook damaged its folder: the run still ends, and others get their turn.
            log.warning("The outputs of run %s could not be published: %s", job.job_id, error)
            if context.outcome()[0] == COMPLETED:
                is_ours = isinstance(error, ArgoSchedulerError)
                context.error = str(error) if is_ours else messages.outputs.outputs_unpublished(error)
        send_to_slack.run(context)
        send_notifications.run(context)
        failure.end(context, only_if=[job.status])

    def _observe_local_leftovers(self, live: list[JobRow]) -> dict[str, Observation]:
        """Return what is known of this machine's jobs from before Argo was configured."""
        local = self._jobs.local_engine
        left = [job for job in live if local.owns(job)] if local is not self._engine else []
        return local.observe(left, []).jobs if left else {}

    def _fail_foreign_jobs(self, live: list[JobRow]) -> None:
        """End jobs that another backend began on this database and left."""
        before = now_ms() - WAIT_FOR_OTHER_BACKEND_MS
        engines = (self._engine, self._jobs.local_engine)
        for job in live:
            is_ours = (
                any(engine.owns(job) for engine in engines) or self._jobs.folder(job.job_id).has_settings()
            )
            if not is_ours and max(job.update_time, job.create_time) < before:
                self._database.mark_failed(job.job_id, messages.runs.OTHER_BACKEND, only_if=[job.status])

    def _write_missing_rows(self, snapshot: Snapshot) -> None:
        """Give runs whose pod could not do it a row; the next pass finds out what became of them."""
        known = self._database.find_known_jobs(run.job_id for run in snapshot.runs)
        for run in snapshot.runs:
            if run.job_id in known:
                continue
            written = self._database.insert_run(run.job_id, run.job_definition_id, run.create_time, run.token)
            job = self._database.get_job(run.job_id) if written else None
            # A user who deletes a job deletes its workflow first, so a row that is written too late is found out here.
            if job and not self._engine.exists(job):
                self._database.delete_job(run.job_id)

    def _stop_runs_again(self, snapshot: Snapshot) -> None:
        """Stop runs that go on though their row is STOPPED: replaced by another one, or a stop that Argo did not hear."""
        before = now_ms() - WAIT_BEFORE_STOPPING_AGAIN_MS
        for job in self._database.find_stopped_before(snapshot.others, before):
            self._engine.stop(job)

    def _unless_refused(self, call: Callable[[], None]) -> None:
        """Call a function; without the right to it, everything else is still reconciled."""
        try:
            call()
        except EngineRefused as error:
            if self._refusal != str(error):
                log.warning("%s", messages.argo.checks_refused(error))
            self._refusal = str(error)

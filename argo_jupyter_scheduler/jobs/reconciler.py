"""Brings rows in line with what the engine knows, where no run could write them, and completes changes that were interrupted.

A run writes its own state. What no run can write (its process was killed, its pod never started) is written here. Each change is
guarded by the status that was read, so old information changes nothing, and any number of servers may do this on one database.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import EngineRefused
from argo_jupyter_scheduler.domain.status import COMPLETED
from argo_jupyter_scheduler.engines.base import Engine, Observation, Sight
from argo_jupyter_scheduler.jobs.definitions import Definitions
from argo_jupyter_scheduler.steps import failure, rename_files, send_to_slack
from argo_jupyter_scheduler.steps.context import Context
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.staging import RunFolder

AT_ONCE = 8
"""How many ended runs are tended at the same time."""

CYCLES = 12
"""Every so many cycles, schedules are looked at instead of runs: one list call a cycle, whichever."""

STOP_PATIENCE = 10_000
"""Milliseconds that a run may take to end after its row said STOPPED; then it is told again."""

STOP_WATCH = 3_600_000
"""Milliseconds after a stop in which is looked whether the run has ended, though no other one is under way."""

log = logging.getLogger("argo_jupyter_scheduler")


class Mender:
    """Mends rows, one cycle a call.

    Parameters
    ----------
    database, engine, here, staging_path, definitions, slack_token
        The scheduler's; `here` is this machine's engine, which may have jobs from before Argo was configured.
    """

    def __init__(
        self,
        database: Database,
        engine: Engine,
        here: Engine,
        staging_path: str,
        definitions: Definitions,
        slack_token: str,
    ) -> None:
        self._database = database
        self._engine = engine
        self._here = here
        self._staging_path = staging_path
        self._definitions = definitions
        self._slack_token = slack_token
        self._cycle = 0
        self._is_up_to_date = False
        self._refusal = ""

    def mend(self) -> bool:
        """Do one cycle; return whether anything is under way.

        Raises
        ------
        EngineUnavailable, EngineRefused
            The engine does not tell.
        """
        self._definitions.settle()
        if not self._is_up_to_date:
            self._as_far_as_allowed(self._definitions.bring_up_to_date)
            self._is_up_to_date = True
        self._cycle += 1
        if self._cycle % CYCLES == 0:
            self._as_far_as_allowed(self._definitions.schedule_what_is_missing)
            return True
        live = self._database.list_live_jobs()
        left = [job for job in live if job["pid"] is not None] if self._here is not self._engine else []
        definitions = [row["job_definition_id"] for row in self._database.list_schedules()]
        lately = self._database.was_stopped_since(now_ms() - STOP_WATCH)
        sight = self._engine.observe(live, definitions, anyway=lately)
        seen = {**sight.jobs, **(self._here.observe(left, []).jobs if left else {})}
        self._write_missing_rows(sight)
        ended = []
        for job in live:
            observation = seen.get(job["job_id"])
            if observation is None:
                continue
            if observation.ended:
                ended.append((job, observation))
            elif observation.message != job["status_message"]:
                self._database.explain_waiting(job["job_id"], observation.message)
        if ended:  # side by side: each may have to wait for Slack
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for done in [pool.submit(self.end, job, observation) for job, observation in ended]:
                    done.result()
        self._as_far_as_allowed(lambda: self._end_what_has_ended(sight))
        return bool(live)

    def _as_far_as_allowed(self, what: Callable[[], None]) -> None:
        """Do `what`; without the right to it, all else is looked after all the same."""
        try:
            what()
        except EngineRefused as error:
            if self._refusal != str(error):
                log.warning("Not all can be looked after: %s", error)
            self._refusal = str(error)

    def _end_what_has_ended(self, sight: Sight) -> None:
        """Stop runs that go on though their row says STOPPED: replaced by another one, or a stop that was not heard."""
        for job_id in self._database.find_stopped_before(sight.others, now_ms() - STOP_PATIENCE):
            self._engine.stop(job_id)

    def _write_missing_rows(self, sight: Sight) -> None:
        """Give runs whose pod could not do it a row; the next cycle says what became of them."""
        known = self._database.find_known_jobs(run.job_id for run in sight.runs)
        for run in sight.runs:
            if run.job_id in known:
                continue
            written = self._database.insert_run(run.job_id, run.job_definition_id, run.create_time, run.token)
            # A user who deletes a job deletes its workflow first, so a row that is written too late is found out here.
            if written and not self._engine.exists(run.job_id):
                self._database.delete_job(run.job_id)

    def end(self, job: dict[str, Any], observation: Observation) -> None:
        """Give a run that could not do it itself its end, judged by its files; publish what there is, and tell.

        Parameters
        ----------
        job
            The run's row, as it was when the engine was asked.
        """
        context = Context(
            job["job_id"],
            self._database,
            RunFolder(self._staging_path, job["job_id"]),
            reason=observation.message,
            stopped=observation.stopped,
            slack_token=self._slack_token,
        )
        try:
            rename_files.run(context)
        except OSError as error:  # a full disk: the run ends all the same, and others get their turn
            log.exception("The outputs of run %s could not be published", job["job_id"])
            if context.outcome()[0] == COMPLETED:
                context.error = f"The outputs could not be published: {error}"
        send_to_slack.run(context)
        failure.end(context, only_if=[job["status"]])

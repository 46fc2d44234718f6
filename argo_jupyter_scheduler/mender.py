"""Brings rows in line with what the engine knows, where no run could write them, and completes changes that were interrupted.

A run writes its own state. What no run can write (its process was killed, its pod never started) is written here. Each change is
guarded by the status that was read, so old information changes nothing, and any number of servers may do this on one database.
"""

from __future__ import annotations

from typing import Any

from argo_jupyter_scheduler.database import Database
from argo_jupyter_scheduler.definitions import Definitions
from argo_jupyter_scheduler.engines.base import Engine, Observation, Sight
from argo_jupyter_scheduler.files import RunFolder
from argo_jupyter_scheduler.steps import rename_files
from argo_jupyter_scheduler.steps.context import Context

CYCLES = 12
"""Every so many cycles, schedules are looked at instead of runs: one list call a cycle, whichever."""


class Mender:
    """Mends rows, one cycle a call.

    Parameters
    ----------
    database, engine, staging_path, definitions
        The scheduler's.
    """

    def __init__(
        self, database: Database, engine: Engine, staging_path: str, definitions: Definitions
    ) -> None:
        self._database = database
        self._engine = engine
        self._staging_path = staging_path
        self._definitions = definitions
        self._cycle = 0
        self._is_up_to_date = False

    def mend(self) -> bool:
        """Do one cycle; return whether anything is under way.

        Raises
        ------
        EngineUnavailable, EngineRefused
            The engine does not tell.
        """
        self._definitions.settle()
        if not self._is_up_to_date:
            self._definitions.bring_up_to_date()
            self._is_up_to_date = True
        self._cycle += 1
        if self._cycle % CYCLES == 0:
            self._definitions.schedule_what_is_missing()
            return True
        live = self._database.live_jobs()
        definitions = [row["job_definition_id"] for row in self._database.schedules()]
        sight = self._engine.observe(live, definitions)
        self._write_missing_rows(sight)
        for job in live:
            observation = sight.jobs.get(job["job_id"])
            if observation is None:
                continue
            if observation.ended:
                self._end(job, observation)
            elif observation.message != job["status_message"]:
                self._database.waiting_because(job["job_id"], observation.message)
        return bool(live)

    def _write_missing_rows(self, sight: Sight) -> None:
        """Give runs whose pod could not do it a row; the next cycle says what became of them."""
        known = self._database.known(run.job_id for run in sight.runs)
        for run in sight.runs:
            if run.job_id in known:
                continue
            written = self._database.create_run(run.job_id, run.job_definition_id, run.create_time, run.token)
            # A user who deletes a job deletes its workflow first, so a row that is written too late is found out here.
            if written and not self._engine.exists(run.job_id):
                self._database.delete_job(run.job_id)

    def _end(self, job: dict[str, Any], observation: Observation) -> None:
        """Give a run that could not do it itself its end, judged by its files, and publish what there is."""
        job_id = job["job_id"]
        folder = RunFolder(self._staging_path, job_id)
        rename_files.run(Context(job_id, self._database, folder))
        result = folder.read("result.json")
        if result.get("succeeded"):
            self._database.completed(job_id)
        elif observation.stopped and not result.get("error"):
            self._database.stopped(job_id, observation.message)
        else:
            message = result.get("error") or observation.message
            self._database.failed(job_id, message, only_if=[job["status"]])

"""The engine of this machine: one detached process a run, see `steps.local_queue`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.run_settings import ComputeLimits, RunSettings
from argo_jupyter_scheduler.engines.base import Engine, Observation, Snapshot
from argo_jupyter_scheduler.notify import slack, targets
from argo_jupyter_scheduler.steps import local_queue
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.schema import LOCAL_WAITING, JobRow


class LocalEngine(Engine):
    """Runs notebooks on this machine.

    Parameters
    ----------
    database
        Where the rows are.
    staging_path
        The staging folder.
    max_concurrent_runs
        How many runs may be in progress at once.
    compute_types
        The limits of each compute type here, by its name.
    environment
        Environment variables of the runs' processes, in addition to the server's own. Secrets belong here: they are on no command
        line and in no file.
    """

    name = "local"
    keeps_schedules = False
    new_job_pid = LOCAL_WAITING
    shares_machine = True
    no_images = "runs on this machine have none."

    def __init__(
        self,
        database: Database,
        staging_path: str,
        max_concurrent_runs: int,
        compute_types: Mapping[str, ComputeLimits] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._database = database
        self._staging_path = str(staging_path)
        self._max_concurrent_runs = max_concurrent_runs
        self._compute_types = compute_types or {}
        self._environment = environment or {}
        self.description = f"this machine, up to {max_concurrent_runs} at once"

    @property
    def has_slack_token(self) -> bool:  # noqa: D102 (the base class says it)
        return bool(self._environment.get(slack.TOKEN))

    @property
    def notification_targets(self) -> tuple[str, ...]:  # noqa: D102
        return tuple(targets.read_environment(self._environment))

    def owns(self, job: JobRow) -> bool:  # noqa: D102
        return job.pid is not None

    def complete_settings(self, settings: RunSettings) -> RunSettings:  # noqa: D102
        return replace(
            settings,
            engine="local",
            max_concurrent_runs=self._max_concurrent_runs,
            compute_types=self._compute_types,
        )

    def submit(self, job: JobRow) -> None:  # noqa: D102
        self._start_waiting_jobs()

    def stop(self, job: JobRow) -> None:  # noqa: D102
        current = self._database.get_job(job.job_id) or job  # the process may have claimed the job meanwhile
        process = local_queue.find_process(self._folder(current), current.pid) if current.pid else None
        local_queue.kill_run(job.job_id, process)
        self._start_waiting_jobs()

    def delete(self, job: JobRow) -> None:  # noqa: D102
        self.stop(job)

    def observe(
        self, jobs: Sequence[JobRow], definition_ids: Sequence[str], look_for_others: bool = False
    ) -> Snapshot:
        """Return an end for each job whose process is gone, and start those whose turn has come."""
        gone = {}
        for job in jobs:
            if job.pid is None or job.pid == LOCAL_WAITING:
                continue
            folder = self._folder(job)
            folder.restore_rights()
            if local_queue.is_process_gone(folder, job.pid):
                local_queue.kill_run(job.job_id)  # its kernel may have outlived it
                message = messages.runs.PROCESS_GONE if folder.private.is_dir() else messages.runs.FOLDER_GONE
                gone[job.job_id] = Observation(ended=True, message=message)
        self._start_waiting_jobs()
        return Snapshot(gone)

    def _start_waiting_jobs(self) -> None:
        local_queue.start_waiting_jobs(
            self._database, self._staging_path, self._max_concurrent_runs, self._environment
        )

    def _folder(self, job: JobRow) -> RunFolder:
        return RunFolder(self._staging_path, job.job_id)

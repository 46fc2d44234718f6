"""The engine of this machine: one detached process a run.

A run's process outlives the server that started it. At most `places` runs are under way at once; the others wait as QUEUED, the
oldest first. Whoever has a reason to (a submit, a run that ended, the task runner of a server that came back) starts processes for
the jobs at the head of the queue, and each process takes its job itself, in one database statement: two starts of one job are
harmless, and a crash leaves no half-taken job.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import psutil

from argo_jupyter_scheduler.domain import plan
from argo_jupyter_scheduler.domain.run_settings import ComputeLimits, RunSettings
from argo_jupyter_scheduler.domain.status import WAITING
from argo_jupyter_scheduler.engines.base import Engine, Observation, Snapshot
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.locks import is_locked, locked
from argo_jupyter_scheduler.storage.schema import LOCAL_WAITING, JobRow

JOB_VARIABLE = "ARGO_JUPYTER_SCHEDULER_JOB_ID"
"""Set in a run's process and in everything it starts: finds what a killed run left behind."""

GRACE = 3.0
"""Seconds between TERM and KILL."""

KILLED = "The run's process is gone: it was killed, or this machine was restarted, before the notebook had finished."


_children: dict[str, subprocess.Popen[bytes]] = {}
"""Started by this process and not yet reaped, by their job."""

_children_lock = threading.Lock()
"""A submit and the task runner look at the queue in different threads, often for the same job."""


class LocalEngine(Engine):
    """Runs notebooks on this machine.

    Parameters
    ----------
    database
        Where the rows are.
    staging_path
        The staging area.
    places
        How many runs may be under way at once.
    compute_types
        What each limits here, see `local_limits`.
    environment
        What the runs' processes get as environment variables beside the server's own, such as secrets: they are on no command
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
        places: int,
        compute_types: Mapping[str, ComputeLimits] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._database = database
        self._staging_path = staging_path
        self._places = places
        self._compute_types = compute_types or {}
        self._environment = environment or {}

    def owns(self, job: JobRow) -> bool:  # noqa: D102 (the base class says it)
        return job.pid is not None

    def complete_settings(self, settings: RunSettings) -> RunSettings:  # noqa: D102
        return replace(
            settings, engine="local", max_concurrent_runs=self._places, compute_types=self._compute_types
        )

    def submit(self, job: JobRow) -> None:  # noqa: D102
        self._start_waiting()

    def stop(self, job: JobRow) -> None:  # noqa: D102
        current = self._database.get_job(job.job_id)
        _kill(job.job_id, self._process_of(current) if current else None)
        self._start_waiting()

    def delete(self, job: JobRow) -> None:  # noqa: D102
        self.stop(job)

    def observe(
        self, jobs: Sequence[JobRow], definition_ids: Sequence[str], look_for_others: bool = False
    ) -> Snapshot:
        """Return an end for each job whose process is gone, and start those whose turn has come."""
        gone = {}
        for job in jobs:
            if job["pid"] is None or job["pid"] == LOCAL_WAITING:
                continue
            if self._is_gone(job):
                _kill(job["job_id"], None)  # its kernel may have outlived it
                gone[job["job_id"]] = Observation(ended=True, message=KILLED)
        self._start_waiting()
        return Snapshot(gone)

    def _start_waiting(self) -> None:
        start_waiting(self._database, self._staging_path, self._places, self._environment)

    def _is_gone(self, job: JobRow) -> bool:
        """Return whether a run's process is gone, also one of another machine or container that shares the staging area."""
        held = is_locked(RunFolder(self._staging_path, job["job_id"]).private / _process_file(job["pid"]))
        return self._process_of(job) is None if held is None else not held

    def _process_of(self, job: JobRow) -> psutil.Process | None:
        folder = RunFolder(self._staging_path, job["job_id"])
        return _process(folder.read(_process_file(job["pid"]))) if job["pid"] else None


def start_waiting(database: Database, staging_path: str, places: int, environment: Mapping[str, str]) -> None:
    """Start a process for each job at the head of the queue for which there is a place.

    Parameters
    ----------
    environment
        Environment variables that it gets beside this process's own.
    """
    jobs = [job for job in database.list_live_jobs() if job["pid"] is not None]
    waiting = [job for job in jobs if job["pid"] == LOCAL_WAITING and job["status"] in WAITING]
    free = places - (len(jobs) - len(waiting))
    for job in waiting[: max(free, 0)]:
        with _children_lock:
            _start(database, staging_path, job["job_id"], environment)


def _start(database: Database, staging_path: str, job_id: str, environment: Mapping[str, str]) -> None:
    folder = RunFolder(staging_path, job_id)
    if not folder.private.is_dir():
        database.mark_failed(job_id, "The run's folder in the staging area is gone.")
        return
    for other, child in list(_children.items()):
        if child.poll() is not None:  # which reaps it
            _children.pop(other, None)
    if job_id in _children:
        return  # it is on its way; on a busy machine that takes longer than the next look
    _children[job_id] = subprocess.Popen(
        [
            sys.executable,
            *("-m", "argo_jupyter_scheduler.steps", *plan.STEPS, "--local"),
            *(
                "--db-url",
                quote(database.url),
                "--staging-path",
                quote(str(staging_path)),
                "--job-id",
                job_id,
            ),
        ],
        env={**os.environ, **database.environment, **environment, JOB_VARIABLE: job_id},
        cwd=folder.private,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # the steps write their log themselves
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # neither the server's end nor its terminal's ends the run
    )


@contextlib.contextmanager
def own_run(database: Database, staging_path: str, job_id: str) -> Iterator[bool]:
    """Take a job for this process, and start the next one in the end; yields False if it is not this job's turn."""
    folder = RunFolder(staging_path, job_id)
    me = psutil.Process()
    places = int(folder.read("run.json").get("places", 1))
    # Written before the row names this process, in a file of its own: no reader of the row finds it missing.
    folder.write(_process_file(me.pid), {"pid": me.pid, "create_time": me.create_time()})
    with locked(folder.private / _process_file(me.pid)):
        if not database.claim(job_id, me.pid, places):
            (folder.private / _process_file(me.pid)).unlink(missing_ok=True)
            yield False
            return
        try:
            yield True
        finally:
            start_waiting(database, staging_path, places, {})  # its own environment has what is needed


def _process_file(pid: int) -> str:
    return f"process-{pid}.json"


def _process(identity: dict[str, Any]) -> psutil.Process | None:
    """Return the process with this pid *and* this start, None if it is gone; a pid alone is soon another's."""
    try:
        process = psutil.Process(int(identity["pid"]))
        # The clock may have been set since: psutil counts from the boot time that the system tells.
        same = abs(process.create_time() - float(identity["create_time"])) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (KeyError, psutil.NoSuchProcess):
        return None


def _kill(job_id: str, process: psutil.Process | None) -> None:
    """End a run's process and all it started, first kindly."""
    family = {one.pid: one for one in psutil.process_iter() if _mark(one) == job_id}
    if process is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in [process, *process.children(recursive=True)]:
                # A run that ends starts the next one, which is not to be ended with it.
                if _mark(one) in (job_id, None):
                    family[one.pid] = one
    family.pop(os.getpid(), None)
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for one in family.values():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                end(one)
        _, left = psutil.wait_procs(list(family.values()), timeout=GRACE)
        if not left:
            return
        family = {one.pid: one for one in left}


def _mark(process: psutil.Process) -> str | None:
    """Return the job that a process belongs to, also when it left the run's process tree."""
    try:
        mark: str | None = process.environ().get(JOB_VARIABLE)
    except (psutil.Error, OSError):
        return None
    return mark

"""The queue of this machine: which waiting job runs next, in a process of its own.

A run's process outlives the server that started it. At most `max_concurrent_runs` runs are in progress; the others wait as QUEUED,
the oldest first. Anything with a reason to (a submit, a run that ended, a task runner that came back) starts processes
for the jobs at the head of the queue. Each process claims its job itself, in one database statement. So two starts of one job are
harmless, and a crash leaves no half-claimed job.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from urllib.parse import quote

import psutil

from argo_jupyter_scheduler.domain import messages, plan
from argo_jupyter_scheduler.domain.status import WAITING
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.locks import is_locked, locked
from argo_jupyter_scheduler.storage.schema import LOCAL_WAITING

JOB_VARIABLE = "ARGO_JUPYTER_SCHEDULER_JOB_ID"
"""Set in a run's process and in everything that it starts: finds what a killed run left behind."""

SERVER_SECRETS = ("ARGO_TOKEN", "ARGO_TOKEN_FILE", "CONDA_STORE_TOKEN")
"""Variables of the server that no run needs, and no notebook is to see."""

KILL_AFTER_SECONDS = 3.0
"""How long a run's processes have between TERM and KILL."""

CLOCK_TOLERANCE_SECONDS = 1.0
"""How far two readings of one process's start may differ: psutil counts from a boot time that follows the clock."""

_children: dict[str, subprocess.Popen[bytes]] = {}
"""Started by this process and not yet reaped, by their job."""

_children_lock = threading.Lock()
"""A submit and the task runner read the queue in different threads, often for the same job."""


def start_waiting_jobs(
    database: Database,
    staging_path: str,
    max_concurrent_runs: int,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Start a process for each job at the head of the queue, as many as may run now.

    Parameters
    ----------
    max_concurrent_runs
        How many runs may be in progress at once.
    environment
        Environment variables that the processes get in addition to this process's own.
    """
    reap_children()
    jobs = [job for job in database.list_live_jobs() if job.pid is not None]
    waiting = [job.job_id for job in jobs if job.pid == LOCAL_WAITING and job.status in WAITING]
    free = max_concurrent_runs - (len(jobs) - len(waiting))
    for job_id in waiting[: max(free, 0)]:
        with _children_lock:
            _start(database, staging_path, job_id, environment or {})


def reap_children() -> None:
    """Forget the processes that have ended, so that none stays as a zombie."""
    with _children_lock:
        for job_id, child in list(_children.items()):
            if child.poll() is not None:
                del _children[job_id]


def _start(database: Database, staging_path: str, job_id: str, environment: Mapping[str, str]) -> None:
    folder = RunFolder(staging_path, job_id)
    if not folder.private.is_dir():
        database.mark_failed(job_id, messages.runs.FOLDER_GONE)
        return
    if job_id in _children:
        return  # it is on its way; on a busy machine that takes longer than the next look
    command = [sys.executable, "-m", "argo_jupyter_scheduler.steps", *plan.STEPS, "--local"]
    command += ["--db-url", quote(database.url), "--staging-path", quote(staging_path), "--job-id", job_id]
    inherited = {name: value for name, value in os.environ.items() if name not in SERVER_SECRETS}
    _children[job_id] = subprocess.Popen(
        command,
        env={**inherited, **database.environment, **environment, JOB_VARIABLE: job_id},
        cwd=folder.private,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # the steps write their log themselves
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # neither the server's end nor its terminal's ends the run
    )


@contextlib.contextmanager
def claimed_job(database: Database, staging_path: str, job_id: str) -> Iterator[bool]:
    """Claim a job for this process, and start the next one at the end; yields False if it is not this job's turn."""
    folder = RunFolder(staging_path, job_id)
    process = psutil.Process()
    max_concurrent_runs = folder.read_settings().max_concurrent_runs
    # Written before the row names this process, in a file of its own: no reader of the row finds it missing.
    folder.write(_identity_file(process.pid), {"pid": process.pid, "create_time": process.create_time()})
    identity = folder.private / _identity_file(process.pid)
    with locked(identity):
        if not database.claim_job(job_id, process.pid, max_concurrent_runs):
            identity.unlink(missing_ok=True)
            yield False
            return
        try:
            yield True
        finally:
            # This process's own environment has what the next one needs.
            start_waiting_jobs(database, staging_path, max_concurrent_runs)
            kill_run(job_id)  # what the notebook left behind: a pod's end would end it, too


def find_process(folder: RunFolder, pid: int) -> psutil.Process | None:
    """Return the process that claimed a run; None if it is gone.

    The pid *and* the start must match: a pid alone soon belongs to another process.
    """
    identity = folder.read(_identity_file(pid))
    try:
        process = psutil.Process(int(identity["pid"]))
        difference = abs(process.create_time() - float(identity["create_time"]))
        is_same = difference < CLOCK_TOLERANCE_SECONDS and process.status() != psutil.STATUS_ZOMBIE
        return process if is_same else None
    except (KeyError, TypeError, ValueError, OverflowError, psutil.NoSuchProcess):
        return None


def is_process_gone(folder: RunFolder, pid: int) -> bool:
    """Return whether the process that claimed a run is gone, also one of another machine that shares the staging folder."""
    identity = folder.private / _identity_file(pid)
    if not identity.is_file():  # somebody deleted it
        return not psutil.pid_exists(pid) or read_job_id(psutil.Process(pid)) != folder.path.name
    is_held = is_locked(identity)
    return find_process(folder, pid) is None if is_held is None else not is_held


def read_job_id(process: psutil.Process) -> str | None:
    """Return the job that a process belongs to, also one that left the run's process tree; None for none, or unknown."""
    try:
        return process.environ().get(JOB_VARIABLE)
    except (psutil.Error, OSError):
        return None


def kill_run(job_id: str, process: psutil.Process | None = None) -> None:
    """End a run's process and everything that it started, first with TERM.

    Parameters
    ----------
    process
        The run's process, where it is known; its descendants are ended even if their environment cannot be read.
    """
    family = {other.pid: other for other in psutil.process_iter() if read_job_id(other) == job_id}
    if process is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for member in [process, *process.children(recursive=True)]:
                # A run that ends starts the next one, which must go on.
                if read_job_id(member) in (job_id, None):
                    family[member.pid] = member
    family.pop(os.getpid(), None)
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for member in family.values():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                end(member)
        _, alive = psutil.wait_procs(list(family.values()), timeout=KILL_AFTER_SECONDS)
        if not alive:
            return
        family = {member.pid: member for member in alive}


def _identity_file(pid: int) -> str:
    return f"process-{pid}.json"

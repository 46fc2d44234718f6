"""Processes of runs."""

from __future__ import annotations

import contextlib
import os

import psutil

from argo_jupyter_scheduler.steps.local_queue import JOB_VARIABLE


def marked(job_id: str) -> list[psutil.Process]:
    """Return all processes of a run."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(JOB_VARIABLE) == job_id:
                found.append(process)
    return found


def find_first(job_id: str) -> psutil.Process:
    """Return the process of a run that started the others, which look the same until they execute their own program."""
    return min(marked(job_id), key=lambda process: process.create_time())


def has_children() -> bool:
    """Return whether this process has any, which is known at once; `psutil.Process.children` reads about all processes."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def started_runs() -> dict[int, str]:
    """Return the jobs of the runs that this process started, by the pid of their process."""
    found: dict[int, str] = {}
    if not has_children():
        return found
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if job_id := process.environ().get(JOB_VARIABLE):
                found[process.pid] = job_id
    return found

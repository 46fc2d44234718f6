"""Processes of runs."""

from __future__ import annotations

import contextlib

import psutil

from argo_jupyter_scheduler.engines.local import JOB_VARIABLE


def marked(job_id: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(JOB_VARIABLE) == job_id:
                found.append(process)
    return found

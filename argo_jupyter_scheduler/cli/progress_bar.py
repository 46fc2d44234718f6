"""Waits for a job, for whoever started it from a shell."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

from tqdm import tqdm

from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError
from argo_jupyter_scheduler.domain.status import COMPLETED, LIVE
from argo_jupyter_scheduler.storage.folders import RunFolder

POLL_SECONDS = 0.1
MEND_SECONDS = 5.0


def wait(scheduler: Any, job_id: str, title: str, timeout: float = float("inf"), leave: bool = True) -> bool:
    """Show a bar that counts cells until a job has ended; return whether it has.

    Parameters
    ----------
    scheduler
        The `ArgoScheduler`.
    job_id
        The job.
    title
        What stands before the bar.
    timeout
        Seconds after which it is waited no longer.
    leave
        Whether the bar stays in the end.
    """
    folder = RunFolder(scheduler.staging_path, job_id)
    quiet = False if leave else None  # None: unless it is a terminal, where a bar can go away again
    begun = mended = time.monotonic()
    shown = None
    with tqdm(
        desc=title, unit="cell", total=0, file=sys.stderr, mininterval=0, leave=leave, disable=quiet
    ) as bar:
        while True:
            row = scheduler.database.get_job(job_id)
            status = row["status"] if row else "deleted"
            progress = folder.read("progress.json")
            cells = progress.get("cells", 0)
            done = cells if status == COMPLETED else max(progress.get("cell", 1) - 1, 0)
            if (status, done) != shown:
                shown = (status, done)
                bar.total, bar.n = cells, done
                bar.set_postfix_str(status)
            if status not in LIVE:
                return True
            if time.monotonic() - begun > timeout:
                return False
            if time.monotonic() - mended > MEND_SECONDS:
                with contextlib.suppress(ArgoSchedulerError):  # Argo is away for the moment
                    scheduler.mender.mend()
                mended = time.monotonic()
            time.sleep(POLL_SECONDS)

"""The queue of this machine, with real processes."""

from __future__ import annotations

import threading
from pathlib import Path

from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.steps import local_queue
from argo_jupyter_scheduler.storage.database import Database
from tests.support.eventually import eventually
from tests.support.processes import started_runs
from tests.support.runs import Run


def test_a_job_that_several_threads_see_gets_one_process(database: Database, staging_path: Path) -> None:
    """A submit and the task runner read the queue at the same moment."""
    settings = RunSettings(max_concurrent_runs=1)
    # Their notebook cannot be read, so their processes end soon.
    first, second = (Run(database, staging_path, "{}", settings, create_time=moment) for moment in (1, 2))
    barrier = threading.Barrier(4)

    def start() -> None:
        barrier.wait()
        local_queue.start_waiting_jobs(database, str(staging_path), 1)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(started_runs().values()) == [first.id]
    # Its process starts the next one, in its own turn.
    eventually(lambda: second.row.status == "FAILED")
    assert first.row.status == "FAILED"

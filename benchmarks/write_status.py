"""A step's process that only writes the status of its job, for `scale.py`: ``python write_status.py DB_URL JOB_ID``.

It waits for a line on its input, then answers with one of JSON: whether each write changed the row, and the seconds that each took.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from argo_jupyter_scheduler.storage.database import Database


def main() -> None:
    """Write what a run writes, with a connection for each statement, as steps do."""
    url, job_id = sys.argv[1:]
    database = Database(url, keep_connections=False)
    writes: list[Callable[[], bool]] = [
        lambda: database.mark_started(job_id),
        lambda: database.report_failed_attempt(job_id, "The first of two attempts failed."),
        lambda: database.mark_completed(job_id),
    ]
    print(flush=True)
    sys.stdin.readline()
    done, seconds = [], []
    for write in writes:
        begun = time.perf_counter()
        done.append(write())
        seconds.append(time.perf_counter() - begun)
    print(json.dumps({"done": all(done), "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()

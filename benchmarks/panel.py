"""How long the panel's request for changes takes with 10,000 jobs, and how late a change is answered.

``python benchmarks/panel.py [--runs 20] [--json FILE]``
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from common import Server, keep, options_of, server, timed

from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow

JOBS, DEFINITIONS = 10_000, 100


def fill(database: Database) -> None:
    """Write the rows of many jobs, of which half are runs of definitions."""
    for number in range(DEFINITIONS):
        database.insert_definition(
            DefinitionRow(job_definition_id=f"d{number}", schedule="0 0 * * *", name="nightly")
        )
    for number in range(JOBS):
        definition_id = f"d{number % DEFINITIONS}" if number % 2 else None
        row = JobRow(
            job_id=f"{number}",
            job_definition_id=definition_id,
            status="COMPLETED",
            name="a job",
            create_time=number,
        )
        database.insert_job(row)


def delay(running: Server, database: Database, number: int) -> float:
    """Return the seconds from a change by another process to the answer of the request that waits for it."""
    token = running.request("GET", "argo-scheduler/changes")["token"]
    written = [0.0]

    def write() -> None:
        time.sleep(1 + number % 10 / 25)
        database.update_job(f"{JOBS - 1}", name=f"changed {number} {now_ms()}")
        written[0] = time.perf_counter()

    writer = threading.Thread(target=write)
    writer.start()
    answer = running.request("GET", f"argo-scheduler/changes?since={token}")
    answered = time.perf_counter()
    writer.join()
    if len(answer["jobs"]) != 1:
        raise SystemExit("A change was not answered.")
    return answered - written[0]


def measure(runs: int) -> dict[str, Any]:
    """Measure everything once."""
    results: dict[str, Any] = {"jobs": JOBS}
    with (
        tempfile.TemporaryDirectory() as folder,
        server(f"--SchedulerApp.db_url=sqlite:///{folder}/s.sqlite") as here,
    ):
        database = Database(f"sqlite:///{Path(folder) / 's.sqlite'}")
        fill(database)
        path = "argo-scheduler/changes"
        results["first_seconds"] = timed(lambda: here.request("GET", path))
        token = here.request("GET", path)["token"]
        results["all_seconds"] = statistics.median(
            timed(lambda: here.request("GET", path)) for _ in range(runs)
        )
        results["nothing_seconds"] = statistics.median(
            timed(lambda: here.request("GET", f"{path}?since={token}&wait=0")) for _ in range(runs)
        )
        results["status_seconds"] = statistics.median(
            timed(lambda: here.request("GET", "api/status")) for _ in range(runs)
        )
        results["delay_seconds"] = max(delay(here, database, number) for number in range(runs))
        database.dispose()
    return results


def main() -> None:
    """Measure, print a table, and write JSON where asked."""
    options = options_of(__doc__)
    results = measure(options.runs)
    rows = [
        ("changes, the first request", results["first_seconds"], ""),
        ("changes, everything", results["all_seconds"], ""),
        ("changes, nothing new", results["nothing_seconds"], "≤ 10 ms"),
        ("api/status, for comparison", results["status_seconds"], ""),
        ("from a change to its answer, at most", results["delay_seconds"], "≤ 1000 ms"),
    ]
    print("\n".join(f"{name:<42}{value * 1000:>8.0f} ms  {goal}" for name, value, goal in rows))
    keep(results, options.json)


if __name__ == "__main__":
    main()

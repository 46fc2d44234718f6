"""The cost of job definitions: lists of the panel, a cycle of the task runner, and on Argo the time from a schedule's minute.

``python benchmarks/schedules.py [--runs 5] [--json FILE]``

Lists are measured beside those of Jupyter-Scheduler's own backend on the same database. With ``ARGO_SERVER`` set, and the variables
that CONTRIBUTING.md names, a schedule of every minute is followed on the real Argo for `--runs` minutes.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import statistics
import tempfile
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from common import Server, keep, options_of, real_argo, server, timed

OWN = "--SchedulerApp.scheduler_class=jupyter_scheduler.scheduler.Scheduler"


def fill(database: Path, jobs: int, definitions: int, live: int = 0) -> list[str]:
    """Write rows as a year of use leaves them; return the ids of the live ones."""
    what = {
        "runtime_environment_name": "default",
        "input_filename": "analysis.ipynb",
        "output_formats": json.dumps(["ipynb", "html"]),
        "name": "analysis",
        "tags": json.dumps(["weekly", "sales"]),
        "parameters": json.dumps({"city": "Bergen", "days": "30"}),
        "package_input_folder": 0,
        "packaged_files": "[]",
    }
    moment = int(time.time() * 1000) - 120_000
    rows: dict[str, list[dict[str, Any]]] = {"jobs": [], "job_definitions": []}
    for number in range(jobs):
        ends = {} if number < live else {"start_time": moment + 2000, "end_time": moment + 5000}
        status = "IN_PROGRESS" if number < live else "COMPLETED"
        times = {"create_time": moment - number * 60_000, "update_time": moment}
        identity = {"job_id": str(uuid.uuid4()), "url": "/jobs/x"}
        rows["jobs"].append({**identity, **what, **times, **ends, "status": status})
    for number in range(definitions):
        times = {"create_time": moment - number * 60_000, "update_time": moment}
        schedule = {"schedule": "0 6 * * *", "timezone": "UTC", "active": 1}
        identity = {"job_definition_id": str(uuid.uuid4()), "url": "/job_definitions/x"}
        rows["job_definitions"].append({**identity, **what, **times, **schedule})
    with sqlite3.connect(database) as connection:
        for table, values in rows.items():
            for row in values:
                names = ", ".join(row)
                marks = ", ".join(f":{name}" for name in row)
                connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", row)
    return [row["job_id"] for row in rows["jobs"][:live]]


def median_of(running: Server, path: str, times: int = 30) -> float:
    """Seconds of a GET, the median of `times`."""
    running.call("GET", path)
    return statistics.median(timed(lambda: running.call("GET", path)) for _ in range(times))


def lists() -> dict[str, float]:
    """Measure the panel's lists with 10,000 jobs and 1,000 definitions, ours and Jupyter-Scheduler's own."""
    results = {}
    for prefix, options in (("", ()), ("own_", (OWN,))):
        with server(*options) as running:
            fill(running.folder / "data" / "scheduler.sqlite", 10_000, 1_000)
            results[f"{prefix}jobs_seconds"] = median_of(running, "jobs?max_items=25")
            results[f"{prefix}definitions_seconds"] = median_of(running, "job_definitions")
    return results


def _workflow(job_id: str) -> dict[str, Any]:
    node = {
        "type": "Pod",
        "phase": "Running",
        "templateScope": "local/job",
        "startedAt": "2026-11-01T06:00:00Z",
        "progress": "0/1",
        "hostNodeName": "node1",
    }
    nodes = {
        f"{job_id}-{name}": {**node, "displayName": name, "name": name} for name in ("job", "[0]", "main")
    }
    labels = {"jupyter-scheduler-job-id": job_id, "workflows.argoproj.io/phase": "Running"}
    metadata = {"name": f"job-{job_id}", "uid": job_id, "labels": labels}
    metadata["creationTimestamp"] = "2026-11-01T06:00:00Z"
    return {"metadata": metadata, "status": {"phase": "Running", "nodes": nodes}}


def _serve(answer: bytes, port: Any, calls: Any) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            calls.value += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.value = listening.server_port
    listening.serve_forever()


def task_runner(cycles: int = 9) -> dict[str, float]:
    """Measure the task runner's cycle with 1,000 jobs in the database, 500 of them live workflows in Argo."""
    from jupyter_scheduler.orm import create_tables

    from argo_jupyter_scheduler.jupyter.environment_manager import ArgoEnvironmentManager
    from argo_jupyter_scheduler.scheduler import ArgoScheduler

    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "scheduler.sqlite"
        create_tables(f"sqlite:///{database}")
        live = fill(database, 1_000, 100, live=500)
        answer = json.dumps({"items": [_workflow(job_id) for job_id in live]}).encode()
        port, calls = multiprocessing.Value("i", 0), multiprocessing.Value("i", 0)
        process = multiprocessing.Process(target=_serve, args=(answer, port, calls), daemon=True)
        process.start()
        while not port.value:
            time.sleep(0.01)
        scheduler = ArgoScheduler(
            root_dir=folder,
            environments_manager=ArgoEnvironmentManager(),
            db_url=f"sqlite:///{database}",
            staging_path=folder,
            argo_server=f"http://127.0.0.1:{port.value}",
        )
        used = []
        scheduler.reconciler.reconcile()
        calls.value = 0
        for _ in range(cycles):
            begun = time.process_time()
            scheduler.reconciler.reconcile()
            used.append(time.process_time() - begun)
        requests = calls.value / cycles
        process.terminate()
        process.join()
    return {"mender_cpu_seconds": statistics.median(used), "mender_requests": requests}


def on_argo(minutes: int) -> dict[str, float]:
    """Follow a schedule of every minute on the real Argo: seconds to the row, and to COMPLETED."""
    traits, environment = real_argo()
    to_row, to_end = [], []
    with server(environment=environment, traits=traits) as running:
        fields = {"input_uri": "hello.ipynb", "name": "hello", "output_formats": ["ipynb", "html"]}
        fields |= {
            "runtime_environment_name": running.environment_name,
            "schedule": "* * * * *",
            "timezone": "UTC",
        }
        definition_id = running.call("POST", "job_definitions", fields)["job_definition_id"]
        try:
            for _ in range(minutes):
                seen = len(running.call("GET", f"jobs?job_definition_id={definition_id}")["jobs"])
                minute = (time.time() // 60 + 1) * 60
                time.sleep(minute - time.time())
                while (
                    len(found := running.call("GET", f"jobs?job_definition_id={definition_id}")["jobs"])
                    == seen
                ):
                    time.sleep(0.05)
                to_row.append(time.time() - minute)
                newest = max(found, key=lambda job: job["create_time"])
                job = running.wait(newest["job_id"])
                to_end.append(time.time() - minute)
                if job["status"] != "COMPLETED":
                    raise SystemExit(f"A run failed: {job.get('status_message')}")
        finally:
            running.call("DELETE", f"job_definitions/{definition_id}")
    return {
        "minute_to_row_seconds": statistics.median(to_row),
        "minute_to_end_seconds": statistics.median(to_end),
    }


def main() -> None:
    """Measure, print a table, and write JSON where asked."""
    options = options_of(__doc__)
    results = {**lists(), **task_runner()}
    if "ARGO_SERVER" in os.environ:
        results.update(on_argo(options.runs))
    own = {
        name: f"(Jupyter-Scheduler's own: {results[f'own_{name}'] * 1000:.0f} ms)"
        for name in ("jobs_seconds", "definitions_seconds")
    }
    rows = [
        (
            "GET jobs?max_items=25 of 10,000",
            f"{results['jobs_seconds'] * 1000:.0f} ms",
            "≤ 15 ms",
            own["jobs_seconds"],
        ),
        (
            "GET job_definitions, 1,000",
            f"{results['definitions_seconds'] * 1000:.0f} ms",
            "≤ 50 ms",
            own["definitions_seconds"],
        ),
        (
            "task runner's cycle, 1,000 jobs, 500 live: CPU",
            f"{results['mender_cpu_seconds']:.3f} s",
            "≤ 0.5 s",
            "",
        ),
        ("task runner's cycle: HTTP requests", f"{results['mender_requests']:.1f}", "1", ""),
        (
            "schedule's minute → row, Argo",
            f"{results.get('minute_to_row_seconds', float('nan')):.1f} s",
            "≤ 3 s",
            "",
        ),
        (
            "schedule's minute → COMPLETED, Argo",
            f"{results.get('minute_to_end_seconds', float('nan')):.1f} s",
            "≤ 6 s",
            "",
        ),
    ]
    print("\n".join(f"{name:<46}{value:>10}  {goal:<8}{note}" for name, value, goal, note in rows))
    keep(results, options.json)


if __name__ == "__main__":
    main()

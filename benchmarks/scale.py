"""Measures the scheduler under load: many steps, jobs and definitions at once, a database of years, and large input folders.

``python benchmarks/scale.py [--only PART …] [--quick | --full] [--json FILE]``

Writes ``benchmarks/scale.json``; with `--only`, the other parts keep their figures there. `--quick` is small and writes no file by
default. `--full` copies an input folder of 2 GB. It fails where something is lost or doubled; times are printed beside their goals.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import LIVE, ROOT, Server, keep, parser_of, server, timed
from jupyter_scheduler.orm import create_tables

sys.path.insert(0, str(ROOT))
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import JobRow
from tests.stand_ins.argo import ArgoStandIn
from tests.stand_ins.argo.controller import Run

RESULTS = ROOT / "benchmarks" / "scale.json"
WATCHED: dict[str, str] = {
    "PYTHONPATH": f"{ROOT / 'benchmarks'}{os.pathsep}{os.environ.get('PYTHONPATH') or ROOT}"
}
"""Environment variables of a server with `loop_watch`."""

WATCH = "--ServerApp.jpserver_extensions={'jupyter_scheduler': True, 'loop_watch': True}"

START_SECONDS = 5.0
"""How long a server goes on with its start after its first answer."""

NEWEST = "sort_by=desc(create_time)&max_items=25"
"""How the panel asks for a page of a list: the newest first."""

Results = dict[str, float]


@dataclass(frozen=True)
class Scale:
    """How much of everything there is.

    Attributes
    ----------
    writers, batch
        Step processes, and how many of them write at once.
    submitted
        Jobs that are submitted as fast as the server takes them.
    due
        Definitions that are due at the same moment.
    jobs, definitions
        Rows of the database.
    requests
        How often each request of the panel is sent.
    idle_seconds
        How long the idle server is watched.
    files, folder_bytes
        The input folder.
    """

    writers: int = 200
    batch: int = 50
    submitted: int = 500
    due: int = 100
    jobs: int = 10_000
    definitions: int = 1_000
    requests: int = 100
    idle_seconds: float = 45.0
    files: int = 5_000
    folder_bytes: int = 100_000_000


QUICK = Scale(
    writers=10,
    batch=10,
    submitted=20,
    due=10,
    jobs=500,
    definitions=50,
    requests=5,
    idle_seconds=2.0,
    files=200,
    folder_bytes=2_000_000,
)
FULL = Scale(folder_bytes=2_000_000_000)


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile of at least two values."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def watch(running: Server) -> Results:
    """Return what the server's event loop and process did since the last call."""
    return dict(running.request("GET", "loop-watch"))


def settle(running: Server) -> Results:
    """Let a server finish its start, during which it imports much; return what was seen of that."""
    time.sleep(START_SECONDS)
    return watch(running)


# Steps that write their status at once


def write_at_once(url: str, job_ids: list[str]) -> list[dict[str, Any]]:
    """Let a process for each job write its status at the same moment; return their answers, without those that failed."""
    command = [sys.executable, str(ROOT / "benchmarks" / "write_status.py"), url]
    steps = [
        subprocess.Popen([*command, job_id], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for job_id in job_ids
    ]
    for step in steps:
        assert step.stdout
        step.stdout.readline()
    for step in steps:
        assert step.stdin
        step.stdin.write("\n")
        step.stdin.flush()
    answers = [step.communicate()[0] for step in steps]
    return [json.loads(answer) for answer in answers if answer]


def measure_writers(scale: Scale) -> Results:
    """Let the processes of many runs write at once."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/scheduler.sqlite"
        create_tables(url)
        database = Database(url)
        database.create_indices()
        job_ids = [str(uuid.uuid4()) for _ in range(scale.writers)]
        for job_id in job_ids:
            database.insert_job(
                JobRow(job_id=job_id, status="QUEUED", input_filename="n.ipynb", runtime_environment_name="e")
            )
        answers = []
        for first in range(0, scale.writers, scale.batch):
            answers += write_at_once(url, job_ids[first : first + scale.batch])
        completed = sum(job.status == "COMPLETED" for job_id in job_ids if (job := database.get_job(job_id)))
        database.dispose()
    taken = [seconds for answer in answers for seconds in answer["seconds"]]
    return {
        "processes": scale.writers,
        "at_once": scale.batch,
        "succeeded": min(sum(answer["done"] for answer in answers), completed),
        "p50_seconds": percentile(taken, 50),
        "p99_seconds": percentile(taken, 99),
        "longest_seconds": max(taken),
    }


# Jobs that are submitted at once


class HeldArgo(ArgoStandIn):
    """An Argo whose pods run nothing, until all of them are lost at once."""

    def __init__(self) -> None:
        super().__init__()
        self.are_lost = threading.Event()

    def __enter__(self) -> HeldArgo:
        super().__enter__()
        return self

    def _pod(self, run: Run, display: str, container: dict[str, Any], variables: dict[str, str]) -> bool:
        nodes = run.workflow["status"]["nodes"]
        node = nodes.setdefault(display, {"displayName": display, "type": "Pod", "message": ""})
        node["phase"] = "Running"
        self.are_lost.wait()
        node.update(phase="Failed", message="pod deleted")
        return False


@contextlib.contextmanager
def polled(running: Server, taken: list[float]) -> Iterator[None]:
    """Ask for the panel's list again and again meanwhile, at least twice, and collect the seconds of each answer."""
    over = threading.Event()

    def poll() -> None:
        while not over.wait(0.1) or len(taken) < 2:
            taken.append(timed(lambda: running.call("GET", f"jobs?{NEWEST}")))

    poller = threading.Thread(target=poll)
    poller.start()
    try:
        yield
    finally:
        over.set()
        poller.join()


def count_live(database: Path) -> int:
    """Return how many jobs have not ended."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=60)) as connection:
        marks = ", ".join("?" * len(LIVE))
        query = f"SELECT count(*) FROM jobs WHERE status IN ({marks})"
        return int(connection.execute(query, LIVE).fetchone()[0])


def measure_submitted(scale: Scale) -> Results:
    """Submit many jobs to Argo's stand-in, then lose all of their pods."""
    posts: list[float] = []
    lists: list[float] = []
    with HeldArgo() as argo:
        traits: dict[str, Any] = {"argo_server": argo.url, "image": "stand-in"}
        traits |= {"volumes": [{"name": "tmp", "hostPath": {"path": "/tmp"}}]}
        traits |= {"volume_mounts": [{"name": "tmp", "mountPath": "/tmp"}]}
        environment = {**WATCHED, "ARGO_TOKEN": f"Bearer {argo.token}"}
        with server(WATCH, environment=environment, traits=traits) as running:
            before = settle(running)
            begun = time.perf_counter()
            with polled(running, lists), ThreadPoolExecutor(8) as pool:
                creations = pool.map(lambda _: posts.append(timed(running.create)), range(scale.submitted))
                list(creations)
            seconds = time.perf_counter() - begun
            during = watch(running)
            submitted = len(argo.runs)
            rows = running.call("GET", "jobs?max_items=1")["total_count"]
            argo.are_lost.set()
            begun = time.perf_counter()
            database = running.folder / "data" / "scheduler.sqlite"
            while count_live(database) and time.perf_counter() - begun < 300:
                time.sleep(0.1)
            ended = time.perf_counter() - begun
            after = watch(running)
            jobs = running.call("GET", f"jobs?status=FAILED&max_items={2 * scale.submitted}")["jobs"]
    return {
        "jobs": scale.submitted,
        "rows": rows,
        "workflows": submitted,
        "seconds": seconds,
        "post_p95_seconds": percentile(posts, 95),
        "list_p95_seconds": percentile(lists, 95),
        "failed_with_reason": sum("pod deleted" in str(job.get("status_message")) for job in jobs),
        "seconds_until_all_have_ended": ended,
        "blocked_seconds": during["blocked_seconds"],
        "ending_blocked_seconds": after["blocked_seconds"],
        "megabytes_grown": after["megabytes"] - before["megabytes"],
    }


# Definitions that are due at the same moment


def measure_due(scale: Scale) -> Results:
    """Let many definitions of this machine be due at once."""
    lists: list[float] = []
    with server(WATCH, environment=WATCHED, traits={"max_concurrent_runs": 1}) as running:
        body = running.describe(schedule="@every 10m", timezone="UTC")
        ids = [running.call("POST", "job_definitions", body)["job_definition_id"] for _ in range(scale.due)]
        database = running.folder / "data" / "scheduler.sqlite"
        moment = int(time.time()) + 5
        with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection, connection:
            # From there `@every` counts.
            connection.execute("UPDATE job_definitions SET update_time = ?", ((moment - 600) * 1000,))
        watch(running)
        with polled(running, lists):
            time.sleep(max(moment - time.time(), 0))
            started: dict[str, int] = {}
            while len(started) < scale.due and time.time() - moment < 120:
                time.sleep(0.05)
                with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection:
                    query = "SELECT job_definition_id, count(*) FROM jobs GROUP BY job_definition_id"
                    started = dict(connection.execute(query).fetchall())
            seconds = time.time() - moment
            time.sleep(3)  # in which one could be started twice
        with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection:
            started = dict(connection.execute(query).fetchall())
        seen = watch(running)
        for definition_id in ids:
            running.call("DELETE", f"job_definitions/{definition_id}")
    return {
        "definitions": scale.due,
        "started_once": sum(count == 1 for count in started.values()),
        "started_twice": sum(count > 1 for count in started.values()),
        "seconds_until_all_are_started": seconds,
        "list_p95_seconds": percentile(lists, 95),
        "blocked_seconds": seen["blocked_seconds"],
    }


# A database of years


def fill(running: Server, scale: Scale) -> tuple[str, str]:
    """Write rows and run folders as years of use leave them; return ids of a job and of the definition with most runs."""
    what = {
        "runtime_environment_name": running.environment_name,
        "input_filename": "hello.ipynb",
        "output_formats": json.dumps(["ipynb", "html"]),
        "name": "hello",
        "tags": json.dumps(["weekly", "sales"]),
        "parameters": json.dumps({"city": "Bergen", "days": "30"}),
        "package_input_folder": 0,
        "packaged_files": "[]",
    }
    now = int(time.time() * 1000)
    definitions = [str(uuid.uuid4()) for _ in range(scale.definitions)]
    tables: dict[str, list[dict[str, object]]] = {"job_definitions": [], "jobs": []}
    for number, definition_id in enumerate(definitions):
        when = {"schedule": "0 6 * * *", "timezone": "Europe/Oslo", "active": 1}
        times = {"create_time": now - number * 60_000, "update_time": now}
        tables["job_definitions"].append(
            {"job_definition_id": definition_id, "url": "/job_definitions/x", **what, **when, **times}
        )
    for number in range(scale.jobs):
        # A tenth was started by hand, a tenth belongs to one definition.
        definition = (
            None if number % 10 == 0 else definitions[0 if number % 10 == 1 else number % len(definitions)]
        )
        created = now - (number + 2) * 3_600_000
        times = {"create_time": created, "start_time": created + 2000, "end_time": created + 9000}
        status = "FAILED" if number % 7 == 0 else "STOPPED" if number % 11 == 0 else "COMPLETED"
        identity: dict[str, object] = {"job_id": str(uuid.uuid4()), "job_definition_id": definition}
        tables["jobs"].append(
            {
                **identity,
                **what,
                **times,
                "update_time": created + 9000,
                "status": status,
                "pid": 1,
                "url": "/jobs/x",
            }
        )
    with contextlib.closing(sqlite3.connect(running.folder / "data" / "scheduler.sqlite")) as connection:
        for table, rows in tables.items():
            columns = ", ".join(rows[0])
            marks = ", ".join(f":{name}" for name in rows[0])
            connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
        connection.commit()
    staging = running.folder / "data" / "scheduler_staging_area"
    for name in (str(row["job_id"]) for row in tables["jobs"]):
        private = staging / name / ".argo-jupyter-scheduler"
        private.mkdir(parents=True)
        (private / "suffixes.json").write_text('{"html": "html"}')
    return str(tables["jobs"][0]["job_id"]), definitions[0]


def measure_database(scale: Scale) -> Results:
    """Send the panel's requests to a server with many rows, then watch it while nothing happens."""
    with server(WATCH, environment=WATCHED) as running:
        started = settle(running)
        job_id, definition_id = fill(running, scale)
        paths = {
            "jobs": f"jobs?{NEWEST}",
            "jobs_page_40": f"jobs?{NEWEST}&next_token={scale.jobs // 10}",
            "jobs_by_name": "jobs?sort_by=asc(name)&sort_by=desc(create_time)&max_items=25",
            "jobs_by_status": "jobs?sort_by=asc(status)&sort_by=desc(create_time)&max_items=25",
            "count": "jobs/count?status=IN_PROGRESS",
            "job": f"jobs/{job_id}",
            "definitions": f"job_definitions?{NEWEST}",
            "definition": f"job_definitions/{definition_id}",
            "runs": f"jobs?job_definition_id={definition_id}&{NEWEST}",
            "environments": "runtime_environments",
        }

        def seconds_of(path: str) -> float:
            return timed(lambda: running.call("GET", path))

        for path in paths.values():
            seconds_of(path)
        before = watch(running)
        taken: dict[str, list[float]] = {name: [] for name in paths}
        for _ in range(scale.requests):
            for name, path in paths.items():
                taken[name].append(seconds_of(path))
        asked = watch(running)
        thousand_jobs, thousand_definitions = seconds_of("jobs"), seconds_of("job_definitions")
        whole = watch(running)
        time.sleep(scale.idle_seconds)
        idle = watch(running)
    results = {f"{name}_p95_seconds": percentile(values, 95) for name, values in taken.items()}
    return {
        **results,
        "jobs": scale.jobs,
        "definitions": scale.definitions,
        "slowest_p95_seconds": max(results.values()),
        "start_blocked_seconds": started["blocked_seconds"],
        "blocked_seconds": asked["blocked_seconds"],
        "thousand_jobs_seconds": thousand_jobs,
        "thousand_definitions_seconds": thousand_definitions,
        "thousand_blocked_seconds": whole["blocked_seconds"],
        "megabytes_grown": idle["megabytes"] - before["megabytes"],
        "idle_blocked_seconds": idle["blocked_seconds"],
        "idle_cpu_share": (idle["cpu_seconds"] - whole["cpu_seconds"]) / scale.idle_seconds,
    }


# An input folder


def measure_folder(scale: Scale) -> Results:
    """Run a notebook with a large folder."""
    with server(WATCH, environment=WATCHED) as running:
        folder = running.folder / "large"
        content = os.urandom(max(scale.folder_bytes // scale.files, 1))
        for number in range(scale.files):
            path = folder / f"part {number % 50}" / f"{number}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        shutil.copy(running.folder / "hello.ipynb", folder)
        copy = ["cp", "-r", "--reflink=never", str(folder), str(running.folder / "copy")]
        plain = timed(lambda: subprocess.run(copy, check=True))
        shutil.rmtree(running.folder / "copy")
        settle(running)
        lists: list[float] = []
        with polled(running, lists):
            begun = time.perf_counter()
            job_id = running.create(input_uri="large/hello.ipynb", package_input_folder=True)
            posted = time.perf_counter() - begun
            time.sleep(0.3)
        job = running.wait(job_id)
        seen = watch(running)
        staged = running.folder / "data" / "scheduler_staging_area" / job_id
        copied = sum(path.suffix == ".bin" for path in staged.rglob("*"))
        downloading = timed(lambda: running.call("GET", f"jobs/{job_id}/download_files"))
        downloaded = watch(running)
        deleting = timed(lambda: running.call("DELETE", f"jobs/{job_id}"))
    return {
        "files": scale.files,
        "megabytes": scale.folder_bytes / 1e6,
        "copied": copied,
        "completed": job["status"] == "COMPLETED",
        "cp_seconds": plain,
        "post_seconds": posted,
        "list_p95_seconds": percentile(lists, 95),
        "blocked_seconds": seen["blocked_seconds"],
        "download_seconds": downloading,
        "download_blocked_seconds": downloaded["blocked_seconds"],
        "delete_seconds": deleting,
    }


PARTS: dict[str, Callable[[Scale], Results]] = {
    "writers": measure_writers,
    "submitted": measure_submitted,
    "due": measure_due,
    "database": measure_database,
    "folder": measure_folder,
}


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Attributes
    ----------
    part, key
        The measured values.
    text
        Its name; ``{…}`` stand for figures of the part.
    unit
        s, ms, MB, % or nothing for a number.
    goal
        The highest acceptable value; for a number the figure that it should equal. None where there is no goal.
    """

    part: str
    key: str
    text: str
    unit: str = ""
    goal: float | str | None = None

    def show(self, results: Results) -> str:
        """Return the line."""
        factor = {"ms": 1000.0, "%": 100.0}.get(self.unit, 1.0)
        value = results[self.key] * factor
        shown = f"{value:.0f}" if self.unit in ("", "ms", "MB") else f"{value:.1f}"
        if isinstance(self.goal, str):
            goal = f"{results[self.goal]:.0f}"
        else:
            goal = "" if self.goal is None else f"≤ {self.goal * factor:.0f} {self.unit}"
        return f"{self.text.format(**results):<72}{shown + ' ' + self.unit:>10}  {goal}"

    def is_lost(self, results: Results) -> bool:
        """Return whether a number is not what it must be, on any machine."""
        return isinstance(self.goal, str) and results[self.key] != results[self.goal]


LINES = (
    Line(
        "writers",
        "succeeded",
        "{processes} steps write their status, {at_once} at once: succeeded",
        "",
        "processes",
    ),
    Line("writers", "p99_seconds", "… a write, p99", "s", 5),
    Line("submitted", "workflows", "{jobs} jobs submitted to Argo: workflows", "", "jobs"),
    Line("submitted", "rows", "… rows", "", "jobs"),
    Line("submitted", "seconds", "… until the last was taken", "s", 60),
    Line("submitted", "post_p95_seconds", "… POST of a job, 8 clients at once, p95", "ms"),
    Line("submitted", "list_p95_seconds", "… the panel's list meanwhile, p95", "ms"),
    Line("submitted", "failed_with_reason", "… all pods lost at once: FAILED with the reason", "", "jobs"),
    Line("submitted", "seconds_until_all_have_ended", "… until the last row said so", "s", 20),
    Line(
        "submitted",
        "blocked_seconds",
        "… longest pause of the event loop while they were submitted",
        "ms",
        0.2,
    ),
    Line("submitted", "ending_blocked_seconds", "… the same while they ended", "ms", 0.2),
    Line("submitted", "megabytes_grown", "… growth of the server's memory", "MB", 100),
    Line("due", "started_once", "{definitions} definitions due at once: started once", "", "definitions"),
    Line("due", "seconds_until_all_are_started", "… until the last row was there", "s", 60),
    Line("due", "list_p95_seconds", "… the panel's list meanwhile, p95", "ms"),
    Line("due", "blocked_seconds", "… longest pause of the event loop", "ms", 0.2),
    Line(
        "database",
        "jobs_p95_seconds",
        "{jobs} jobs, {definitions} definitions: the panel's list of jobs, p95",
        "ms",
        0.15,
    ),
    Line("database", "jobs_page_40_p95_seconds", "… a later page of it", "ms", 0.15),
    Line("database", "jobs_by_name_p95_seconds", "… sorted by name", "ms", 0.15),
    Line("database", "jobs_by_status_p95_seconds", "… sorted by status", "ms", 0.15),
    Line("database", "runs_p95_seconds", "… the runs of a definition", "ms", 0.15),
    Line("database", "job_p95_seconds", "… one job", "ms", 0.15),
    Line("database", "count_p95_seconds", "… the number of jobs in progress", "ms", 0.15),
    Line("database", "definitions_p95_seconds", "… the panel's list of definitions", "ms", 0.15),
    Line("database", "definition_p95_seconds", "… one definition", "ms", 0.15),
    Line("database", "environments_p95_seconds", "… the environments", "ms", 0.15),
    Line("database", "blocked_seconds", "… longest pause of the event loop", "ms", 0.2),
    Line(
        "database",
        "thousand_blocked_seconds",
        "… the same for lists of 1,000, which the panel never asks for",
        "ms",
        0.2,
    ),
    Line("database", "idle_blocked_seconds", "… the same while nothing happens", "ms", 0.2),
    Line("database", "start_blocked_seconds", "… the same while JupyterLab starts", "ms"),
    Line("database", "idle_cpu_share", "… a core's share that the idle server uses", "%"),
    Line("database", "megabytes_grown", "… growth of the server's memory", "MB", 100),
    Line("folder", "copied", "input folder of {files} files, {megabytes:.0f} MB: copied", "", "files"),
    Line("folder", "post_seconds", "… POST of the job", "s"),
    Line("folder", "cp_seconds", "… `cp -r` of the same folder", "s"),
    Line("folder", "list_p95_seconds", "… the panel's list meanwhile, p95", "ms", 0.15),
    Line("folder", "blocked_seconds", "… longest pause of the event loop", "ms", 0.2),
    Line("folder", "download_blocked_seconds", "… the same during the download", "ms", 0.2),
)


def main() -> None:
    """Measure, print a table, and write JSON."""
    parser = parser_of(__doc__)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_const", dest="scale", const=QUICK, default=Scale())
    size.add_argument("--full", action="store_const", dest="scale", const=FULL)
    options = parser.parse_args()
    file = options.json or (None if options.scale is QUICK else RESULTS)
    results: dict[str, Results] = json.loads(file.read_text()) if file and file.is_file() else {}
    lost = []
    for part in options.only:
        results[part] = PARTS[part](options.scale)
        lines = [line for line in LINES if line.part == part]
        print("\n".join(line.show(results[part]) for line in lines), flush=True)
        lost += [line.text for line in lines if line.is_lost(results[part])]
        keep(results, file)
    if lost:
        raise SystemExit(f"Lost or doubled: {lost}")


if __name__ == "__main__":
    main()

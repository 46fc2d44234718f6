"""How long *run now* takes for the smallest notebook, beside bare papermill and nbconvert in a shell.

``python benchmarks/run_now.py [--runs 5] [--json FILE]``

Everything is measured in one run, and figures of runs are ratios against the shell's median, since machines are noisy. With
``ARGO_SERVER`` set, and the variables that CONTRIBUTING.md names, the real Argo is measured too.
"""

from __future__ import annotations

import concurrent.futures
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from common import ROOT, Server, keep, options_of, real_argo, server, timed

BIN = Path(sys.executable).parent


def shell() -> float:
    """Seconds for the same work in a shell."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "hello.ipynb").write_bytes((ROOT / "examples" / "hello.ipynb").read_bytes())
        line = "papermill hello.ipynb out.ipynb && jupyter nbconvert --to html out.ipynb"
        environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
        return timed(
            lambda: subprocess.run(
                line, shell=True, cwd=folder, env=environment, check=True, capture_output=True
            )
        )


def completed(running: Server) -> tuple[float, float]:
    """Seconds of one POST, and from it to COMPLETED."""
    begun = time.perf_counter()
    job_id = running.create()
    posted = time.perf_counter() - begun
    job = running.wait(job_id)
    if job["status"] != "COMPLETED":
        raise SystemExit(f"A run failed: {job['status_message']}")
    return posted, time.perf_counter() - begun


def crowd(running: Server, jobs: int) -> dict[str, float]:
    """Run many jobs at once; return what they took at most, and how long all together."""
    worst = {"api_seconds": 0.0, "run_megabytes": 0.0}
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            worst["api_seconds"] = max(
                worst["api_seconds"], timed(lambda: running.call("GET", "jobs?max_items=25"))
            )
            for process in psutil.process_iter(["cmdline"]):
                if "argo_jupyter_scheduler.steps" in (process.info["cmdline"] or []):
                    try:
                        family = [process, *process.children(recursive=True)]
                        used = sum(one.memory_info().rss for one in family) / 1e6
                    except psutil.NoSuchProcess:
                        continue
                    worst["run_megabytes"] = max(worst["run_megabytes"], used)
            time.sleep(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        ids = list(pool.map(lambda _: running.create(), range(jobs)))
        ends = list(pool.map(lambda job_id: running.wait(job_id, interval=0.5), ids))
    seconds = time.perf_counter() - begun
    done.set()
    watcher.join()
    return {
        **worst,
        "seconds": seconds,
        "jobs": jobs,
        "completed": sum(end["status"] == "COMPLETED" for end in ends),
    }


def import_seconds() -> float:
    """Seconds of imports of the step `failure` alone."""
    code = "import argo_jupyter_scheduler.steps.__main__, argo_jupyter_scheduler.steps.failure"
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], check=True, capture_output=True, text=True
    )
    rows = re.findall(r"import time:\s+(\d+) \|", answer.stderr)
    return sum(map(int, rows)) / 1e6


def measure(runs: int) -> dict[str, Any]:
    """Measure everything once; a warm-up is not counted."""
    results: dict[str, Any] = {"failure_import_seconds": import_seconds()}
    argo = "ARGO_SERVER" in os.environ
    traits, environment = real_argo() if argo else ({}, {})
    shells, local, posts, on_argo = [], [], [], []
    with server() as here, server(environment=environment, traits=traits) as there:
        for number in range(runs + 1):
            figures = (shell(), completed(here), completed(there) if argo else (0.0, 0.0))
            if number:
                shells.append(figures[0])
                posts.append(figures[1][0])
                local.append(figures[1][1])
                on_argo.append(figures[2][1])
        results["crowd"] = crowd(here, 20)
        results["ten_local"] = crowd(here, 10)
        if argo:
            results["ten_argo"] = crowd(there, 10)
    results["shell_seconds"] = statistics.median(shells)
    results["local_seconds"] = statistics.median(local)
    results["post_seconds"] = statistics.median(posts)
    results["local_ratio"] = results["local_seconds"] / results["shell_seconds"]
    if argo:
        results["argo_seconds"] = statistics.median(on_argo)
        results["argo_ratio"] = results["argo_seconds"] / results["shell_seconds"]
    return results


def main() -> None:
    """Measure, print a table, and write JSON where asked."""
    options = options_of(__doc__)
    results = measure(options.runs)
    rows = [
        ("papermill && nbconvert in a shell", f"{results['shell_seconds']:.2f} s", ""),
        ("create → COMPLETED, this machine, over the shell", f"{results['local_ratio']:.2f}", "≤ 0.45"),
        (
            "create → COMPLETED, Argo, over the shell",
            f"{results.get('argo_ratio', float('nan')):.2f}",
            "≤ 0.8",
        ),
        ("POST /scheduler/jobs, this machine", f"{results['post_seconds'] * 1000:.0f} ms", "≤ 150 ms"),
        ("imports of the step failure", f"{results['failure_import_seconds']:.2f} s", "≤ 0.5 s"),
        ("10 jobs at once, this machine", f"{results['ten_local']['seconds']:.1f} s", "≤ 14 s"),
        (
            "10 jobs at once, Argo",
            f"{results.get('ten_argo', {}).get('seconds', float('nan')):.1f} s",
            "≤ 18 s",
        ),
        ("20 jobs at once: completed", str(results["crowd"]["completed"]), "20"),
        ("20 jobs at once: memory of a run", f"{results['crowd']['run_megabytes']:.0f} MB", "≤ 250 MB"),
        ("20 jobs at once: slowest answer", f"{results['crowd']['api_seconds']:.2f} s", "≤ 1 s"),
    ]
    print("\n".join(f"{name:<52}{value:>10}  {goal}" for name, value, goal in rows))
    keep(results, options.json)


if __name__ == "__main__":
    main()

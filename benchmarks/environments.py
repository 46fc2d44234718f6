"""How long the picker takes with 300 environments, and what choosing one costs a run.

``python benchmarks/environments.py [--runs 5] [--json FILE]``

The environments: 100 of conda, 100 virtual ones in projects, 100 kernel specs. The one that is chosen is conda's, with an
activation script and the same packages as the server's own, beside which it is measured.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import Server, keep, options_of, server, timed

EACH = 100
LISTS = 50


def make_environments(folder: Path) -> None:
    """Make 300 environments: 299 that only look like it, and one that works."""
    for number in range(EACH):
        (folder / "envs" / f"conda-{number:03}" / "conda-meta").mkdir(parents=True)
        project = folder / "projects" / f"project-{number:03}" / ".venv"
        project.mkdir(parents=True)
        (project / "pyvenv.cfg").touch()
        kernel_spec(folder / "share", f"kernel-{number:03}", "none", ["true"])
    chosen = folder / "envs" / "conda-000"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(chosen)], check=True)
    [site] = chosen.glob("lib/python*/site-packages")
    (site / "shared.pth").write_text(f"{next(Path(sys.prefix).glob('lib/python*/site-packages'))}\n")
    argv = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel_spec(chosen / "share" / "jupyter", "python3", "python", argv)
    scripts = chosen / "etc" / "conda" / "activate.d"
    scripts.mkdir(parents=True)
    (scripts / "package.sh").write_text("export PACKAGE_DATA=$CONDA_PREFIX/share\n")


def kernel_spec(folder: Path, name: str, language: str, argv: list[str]) -> None:
    """Write a kernel spec below a folder of Jupyter's data."""
    file = folder / "kernels" / name / "kernel.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"argv": argv, "display_name": name, "language": language}))


def run_seconds(running: Server, environment: str) -> float:
    """Seconds from create to COMPLETED."""

    def run() -> None:
        job = running.wait(running.create(environment))
        if job["status"] != "COMPLETED":
            raise SystemExit(f"A run failed: {job['status_message']}")

    return timed(run)


def measure(runs: int) -> dict[str, Any]:
    """Measure everything; a warm-up is not counted."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_environments(folder)
        options = [
            f"--ArgoScheduler.environment_patterns={folder}/envs/{{name}}",
            f"--ArgoScheduler.environment_folders={folder}/projects",
        ]
        with server(*options, environment={"JUPYTER_PATH": str(folder / "share")}) as running:
            results: dict[str, Any] = {"cold_seconds": running.first_list_seconds}
            results["environments"] = len(running.call("GET", "runtime_environments"))
            lists = [timed(lambda: running.call("GET", "runtime_environments")) for _ in range(LISTS)]
            results["warm_seconds"] = statistics.median(lists)
            pairs = [[run_seconds(running, one) for one in ("", "conda-000")] for _ in range(runs + 1)][1:]
    results["own_seconds"] = statistics.median(own for own, _ in pairs)
    results["chosen_costs_seconds"] = statistics.median(chosen - own for own, chosen in pairs)
    return results


def main() -> None:
    """Measure, print a table, and write JSON where asked."""
    options = options_of(__doc__)
    results = measure(options.runs)
    rows = [
        ("environments in the list", str(results["environments"]), "301"),
        ("GET runtime_environments, cold", f"{results['cold_seconds'] * 1000:.0f} ms", "≤ 1000 ms"),
        ("GET runtime_environments, warm", f"{results['warm_seconds'] * 1000:.0f} ms", "≤ 50 ms"),
        ("a run in the server's own environment", f"{results['own_seconds']:.2f} s", ""),
        ("a chosen environment costs a run", f"{results['chosen_costs_seconds']:.2f} s", "≤ 0.5 s"),
    ]
    print("\n".join(f"{name:<44}{value:>10}  {goal}" for name, value, goal in rows))
    keep(results, options.json)


if __name__ == "__main__":
    main()

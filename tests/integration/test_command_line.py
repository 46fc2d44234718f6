"""The commands about jobs, with real runs on this machine; no server runs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest

from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import DefinitionRow
from tests.stand_ins.argo import ArgoStandIn
from tests.support.eventually import eventually
from tests.support.jobs import notebook, outputs
from tests.support.machine import Machine

COMMAND = [sys.executable, "-m", "argo_jupyter_scheduler.cli.app"]


def write(machine: Machine, name: str, *cells: str, **options: Any) -> str:
    path = machine.home / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(notebook(*cells, **options))
    return str(path)


def jobs(machine: Machine) -> list[dict[str, Any]]:
    return list(json.loads(machine.command("jobs", "--json")))


def start(machine: Machine, *arguments: str) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    environment = {**os.environ, "JUPYTER_DATA_DIR": str(machine.data)}
    # A process in the background may have been started with SIGINT ignored, which its children inherit.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
    finally:
        signal.signal(signal.SIGINT, before)


def wait_for_job(machine: Machine, status: str) -> str:
    """Return the id of the newest job once it has a status."""
    eventually((machine.data / "scheduler.sqlite").exists)
    eventually(lambda: [job["status"] for job in jobs(machine)[:1]] == [status])
    return str(jobs(machine)[0]["job_id"])


def test_nothing_was_stored_yet(machine: Machine) -> None:
    assert machine.command("jobs") == "No jobs.\n"
    assert machine.command("jobs", "--json") == "[]\n"
    assert machine.command("definitions") == "No job definitions.\n"
    for options in ((), ("--orphans",), ("--older-than", "1d"), ("--dry-run",)):
        assert machine.command("purge", *options) == "Nothing to delete.\n"
        assert machine.exit_code == 0
    assert json.loads(machine.command("purge", "--json"))["freed_bytes"] == 0
    for command in ("logs", "outputs", "stop", "rerun"):
        assert machine.command(command, "3f2a") == ""
        assert machine.exit_code == 1
    assert "jupyter argo-scheduler: No jobs yet" in machine.output
    assert machine.files() == []


def test_a_job_from_run_to_rerun(machine: Machine) -> None:
    source = write(
        machine,
        "work/analysis.ipynb",
        "print(days, open('helper.txt').read())\nopen('table.csv', 'w').write('made')",
        parameters="days = 1",
    )
    helper = machine.home / "work" / "helper.txt"
    helper.write_text("helper")
    printed = machine.command(
        *("run", source, "-p", "days", "30", "--name", "Thirty days", "--tag", "mine", "--format", "ipynb"),
        *("--format", "html", "--input-folder"),
    )
    assert machine.exit_code == 0, machine.output

    # The files that were made, beside the notebook; the input folder's own are not.
    folder = machine.home / "work" / "analysis"
    paths = [Path(line) for line in printed.splitlines()]
    assert [path.suffix for path in paths] == [".ipynb", ".html", ".csv"]
    assert [path.parent for path in paths] == [folder] * 3
    assert sorted(paths) == sorted(folder.iterdir())
    assert outputs(paths[0]) == "30 helper\n"
    assert (paths[2].name, paths[2].read_text()) == ("table.csv", "made")

    # Plain lines, since this is not a terminal; the last one is the panel's.
    lines = [line for line in machine.output.splitlines() if line not in printed.splitlines()]
    assert lines[0] == "analysis.ipynb: QUEUED, cell 0 of 2"
    assert lines[-2:] == ["analysis.ipynb: COMPLETED, cell 2 of 2", "COMPLETED"]

    # What other commands say about it.
    [job] = jobs(machine)
    assert (job["name"], job["status"], job["tags"]) == ("Thirty days", "COMPLETED", ["mine"])
    job_id = job["job_id"]
    [_, line] = machine.command("jobs").splitlines()
    assert line.startswith(f"{job_id[:8]}  COMPLETED  20")
    assert line.endswith("Thirty days")
    staged = machine.command("outputs", job_id[:6]).splitlines()
    assert [Path(path).name for path in staged] == [path.name for path in paths]
    assert all(Path(path).is_relative_to(machine.data) for path in staged)
    copies = json.loads(
        machine.command("outputs", job_id, "--output-dir", str(machine.home / "copies"), "--json")
    )
    assert [copy["format"] for copy in copies] == ["ipynb", "html", ""]
    assert all(Path(copy["path"]).parent == machine.home / "copies" for copy in copies)
    assert "Cell 1 of" in machine.command("logs", job_id[:6])
    log = json.loads(machine.command("logs", job_id, "--json"))
    assert (log["job_id"], log["status"], bool(log["lines"])) == (job_id, "COMPLETED", True)
    assert machine.command("stop", job_id[:6]) == f"{job_id} COMPLETED\n"

    # Once more, as the notebook was then, with another parameter.
    Path(source).write_text(notebook("raise SystemExit(1)"))
    helper.unlink()
    answer = json.loads(machine.command("rerun", job_id[:6], "-p", "days=7", "--json"))
    assert (machine.exit_code, answer["status"]) == (0, "COMPLETED")
    assert [file["format"] for file in answer["files"]] == ["ipynb", "html", ""]
    assert outputs(answer["files"][0]["path"]) == "7 helper\n"
    again = jobs(machine)[0]
    assert (again["job_id"], again["name"]) == (answer["job_id"], "Thirty days")
    assert again["parameters"] == {"days": "7"}
    folders = sorted(path.name for path in (machine.data / "scheduler_staging_area").iterdir())
    assert folders == sorted([job_id, answer["job_id"]])


def test_a_job_that_fails(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(machine, "n.ipynb", "print('here')", "1 / 0")
    monkeypatch.chdir(machine.home)
    printed = machine.command("run", source, "--output-dir", "out", "--json")
    assert machine.exit_code == 1
    answer = json.loads(printed)
    message = "ZeroDivisionError: division by zero (cell 2, In [2])"
    assert (answer["status"], answer["status_message"]) == ("FAILED", message)
    [executed, _] = answer["files"]
    assert Path(executed["path"]).parent == Path("out")
    assert outputs(executed["path"]) == "here\n"
    assert machine.output.endswith(f"FAILED: {message}\n")
    assert machine.command("logs", answer["job_id"], "--follow").endswith(f"{message}\n")
    assert machine.command("jobs", "--status", "COMPLETED") == "No jobs.\n"


def test_a_folder_that_cannot_be_written(machine: Machine) -> None:
    source = write(machine, "n.ipynb", "1")
    (machine.home / "n").write_text("a file is in the way")
    [path] = machine.command("run", source, "--format", "ipynb").splitlines()
    assert machine.exit_code == 0
    assert Path(path).is_relative_to(machine.data / "scheduler_staging_area")
    assert f"{machine.home / 'n'} cannot be written: " in machine.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.ipynb"], "Input path 'missing.ipynb' does not exist."),
        (["n.ipynb", "--env", "nowhere"], "Environment 'nowhere' not found."),
        (["n.ipynb", "--compute-type", "huge"], "Compute type 'huge' not found."),
        (["n.ipynb", "--format", "gif"], "Output format 'gif' not found."),
    ],
)
def test_a_job_that_is_refused_is_one_line(machine: Machine, arguments: list[str], words: str) -> None:
    write(machine, "n.ipynb", "1")
    assert machine.command("run", str(machine.home / arguments[0]), *arguments[1:]) == ""
    assert (machine.exit_code, machine.output.count("\n")) == (1, 1), machine.output
    assert machine.output.startswith(f"jupyter argo-scheduler: {words}")


def test_a_job_is_followed_and_stopped(machine: Machine) -> None:
    source = write(machine, "n.ipynb", "print('begun', flush=True)", "import time; time.sleep(600)")
    with start(machine, "run", source) as run:
        job_id = wait_for_job(machine, "IN_PROGRESS")
        with start(machine, "logs", job_id[:8], "--follow") as logs:
            assert logs.stdout
            for line in logs.stdout:
                if "Cell 1 of" in line:
                    break
            answer = json.loads(machine.command("stop", job_id[:8], "--json"))
            assert answer == {"job_id": job_id, "status": "STOPPED"}
            _, errors = logs.communicate(timeout=60)
            assert (logs.returncode, errors) == (0, "STOPPED\n")
        _, errors = run.communicate(timeout=60)
        assert run.returncode == 1
        assert re.search(r"n.ipynb: STOPPED, cell [12] of 2\nSTOPPED\n$", errors), errors
    [job] = jobs(machine)
    assert (job["status"], job["duration_seconds"] > 0) == ("STOPPED", True)


def test_control_c_stops_the_job(machine: Machine) -> None:
    source = write(machine, "n.ipynb", "import time; time.sleep(600)")
    with start(machine, "run", source) as run:
        wait_for_job(machine, "IN_PROGRESS")
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=60)
    assert (run.returncode, errors.splitlines()[-1]) == (130, "Stopped.")
    assert [job["status"] for job in jobs(machine)] == ["STOPPED"]


def test_traits_on_the_command_line_win(machine: Machine) -> None:
    source = write(machine, "n.ipynb", "1")
    machine.configure(ArgoScheduler={"staging_path": str(machine.home / "configured")})
    staging = f"--ArgoScheduler.staging_path={machine.home / 'given'}"
    machine.command("run", source, "--format", "ipynb", staging, "--ArgoScheduler.max_concurrent_runs=1")
    assert machine.exit_code == 0, machine.output
    [job] = jobs(machine)
    assert [path.name for path in (machine.home / "given").iterdir()] == [job["job_id"]]
    assert machine.command("outputs", job["job_id"], staging).count("\n") == 1
    assert machine.command("outputs", job["job_id"]) == ""
    assert machine.command("run", source, "--ArgoScheduler.imag=x") == ""
    assert (machine.exit_code, "ArgoScheduler has no trait 'imag'. Available: image" in machine.output) == (
        2,
        True,
    )


def test_a_configuration_file_of_ones_own(machine: Machine) -> None:
    machine.configure(ArgoScheduler={"max_concurrent_runs": 3})
    named = machine.home / "mine.py"
    named.write_text("c.ArgoScheduler.max_concurrent_runs = 5")
    assert "up to 3 runs at once" in machine.doctor()["engine"][0]["message"]
    assert "up to 5 runs at once" in machine.doctor("--config", str(named))["engine"][0]["message"]
    machine.command("jobs", "--config", str(machine.home / "none.py"))
    assert machine.exit_code == 1
    assert "none.py' not found." in machine.output


def test_the_doctor_reports_formats_and_a_channel_without_a_token(machine: Machine) -> None:
    machine.configure(ArgoScheduler={"slack_channel": "team"})
    found = machine.doctor()
    [finding] = found["formats"]
    assert (finding["status"], "html" in finding["message"]) == ("ok", True)
    assert [finding["status"] for finding in found["configuration"]] == ["ok", "warning"]
    assert "without a token" in found["configuration"][1]["message"]


def test_definitions(machine: Machine) -> None:
    write(machine, "n.ipynb", "1")
    machine.doctor("--run")  # which makes the database
    database = Database(f"sqlite:///{machine.data / 'scheduler.sqlite'}")
    row = DefinitionRow(
        job_definition_id="9c1e0000-1",
        name="Daily",
        schedule="@daily",
        timezone="Europe/Berlin",
        create_time=1,
    )
    database.insert_definition(row)
    database.dispose()
    [_, line] = machine.command("definitions").splitlines()
    assert line.split()[:4] == ["9c1e0000", "active", "@daily", "Europe/Berlin"]
    [definition] = json.loads(machine.command("definitions", "--json"))
    assert (definition["schedule"], definition["next_run_time"] > time.time() * 1000) == ("@daily", True)
    assert machine.command("jobs", "--definition", "9c1e") == "No jobs.\n"


def test_on_argo(machine: Machine, argo: ArgoStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in a pod: its progress, its files and, before it has a log, its pods' lines."""
    monkeypatch.setenv("ARGO_TOKEN", f"Bearer {argo.token}")
    kept = ("PATH", "HOME", "IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")
    machine.configure(
        ArgoScheduler={
            "argo_server": argo.url,
            "image": "stand-in",
            "environment": {name: os.environ[name] for name in kept},
            "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "home"}}],
            "volume_mounts": [{"name": "home", "mountPath": str(machine.home)}],
        }
    )
    source = write(machine, "n.ipynb", "print('in a pod')")
    [path] = machine.command("run", source, "--format", "ipynb").splitlines()
    assert (machine.exit_code, outputs(path)) == (0, "in a pod\n")
    assert nbformat.read(path, as_version=4)
    [job] = jobs(machine)
    assert "Cell 1 of" in machine.command("logs", job["job_id"])
    answer = json.loads(machine.command("rerun", job["job_id"], "--json"))
    assert (answer["status"], len(argo.runs)) == ("COMPLETED", 2)


def test_a_format_that_cannot_be_made_says_what_to_install(machine: Machine) -> None:
    """In a process of its own, whose PATH has neither program."""
    source = write(machine, "n.ipynb", "1")
    environment = {**os.environ, "JUPYTER_DATA_DIR": str(machine.data), "PATH": str(machine.home)}
    command = [*COMMAND, "run", source, "--format", "pdf"]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1] == (
        "jupyter argo-scheduler: Output format 'pdf' cannot be made: xelatex and pandoc are missing. Install what is missing "
        "(apt-get install texlive-xetex texlive-fonts-recommended texlive-plain-generic, apt-get install pandoc), then restart "
        "JupyterLab."
    )
    assert jobs(machine) == []

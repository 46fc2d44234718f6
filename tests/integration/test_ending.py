"""What ends a run from outside, whatever its notebook does: its time is over, or its process is told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_scheduler.orm import Job, create_session

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.steps.context import PROGRESS
from argo_jupyter_scheduler.steps.local_queue import JOB_VARIABLE
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder
from tests.support.environments import program, with_ipykernel
from tests.support.eventually import eventually
from tests.support.jobs import notebook, outputs
from tests.support.processes import marked

STUBBORN = """
import signal, subprocess
print('so far')
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen("trap '' TERM; sleep 600 & sleep 600", shell=True)
while True:
    try:
        print('x' * 200, flush=True)
    except BaseException:
        pass
"""
SHELL = "echo so far; trap '' TERM; while true; do echo xxxxxxxxxxxxxxxx; done"

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def folder(staging_path: Path) -> RunFolder:
    return RunFolder(staging_path, str(uuid.uuid4()))


@pytest.fixture
def start(database: Database, db_url: str, folder: RunFolder, jp_environ: None) -> Iterator[Start]:
    """Start a run's process, as this machine's engine or, with `pod`, as Argo does."""
    session = create_session(db_url)
    processes = []

    def make(source: str, pod: bool = False, settings: dict[str, Any] | None = None, **fields: Any) -> Any:
        folder.create()
        folder.write("run.json", {"places": 1, **(settings or {})})
        (folder.path / "n.ipynb").write_text(source)
        row: dict[str, Any] = {
            "name": "n",
            "input_filename": "n.ipynb",
            "runtime_environment_name": "e",
            "status": "QUEUED",
        }
        row |= {"output_formats": ["ipynb", "html", "log"], "pid": None if pod else 0, **fields}
        with session() as open_session:
            open_session.add(Job(job_id=folder.path.name, **row))
            open_session.commit()
        command = [sys.executable, "-m", "argo_jupyter_scheduler.steps", "main", "rename-files", "failure"]
        command += [
            "--db-url",
            db_url,
            "--staging-path",
            str(folder.path.parent),
            "--job-id",
            folder.path.name,
        ]
        environment = {**os.environ, JOB_VARIABLE: folder.path.name}
        processes.append(subprocess.Popen([*command, *([] if pod else ["--local"])], env=environment))
        return processes[-1]

    yield make
    for process in processes:
        process.kill()
        process.wait()
    for left in marked(folder.path.name):
        left.kill()
    session.kw["bind"].dispose()


def check(
    process: subprocess.Popen[bytes], database: Database, folder: RunFolder, end: tuple[str, str | None]
) -> None:
    """See that a run has ended, what it said, that it published what there is, and left nothing behind."""
    assert process.wait(40) == 1
    assert marked(folder.path.name) == []
    row = database.get_job(folder.path.name)
    assert row
    assert (row.status, row.status_message) == end
    assert list(folder.path.glob("n-*.html"))
    [executed] = folder.path.glob("n-*.ipynb")
    assert outputs(executed).startswith("so far\n")


def wait_for_text(path: Path, text: str) -> None:
    eventually(lambda: path.exists() and text in path.read_text())


@pytest.mark.parametrize("inside", [False, True], ids=["", "papermill-in-environment"])
def test_a_run_whose_time_is_over_ends_whatever_it_does(
    start: Start, database: Database, folder: RunFolder, tmp_path: Path, inside: bool
) -> None:
    settings: dict[str, Any] = {}
    if inside:
        prefix = with_ipykernel(tmp_path / "e", "papermill")
        settings = {
            "environment": {"name": "e", "prefix": str(prefix)},
            "run_papermill_in_environment": True,
        }
    process = start(notebook(STUBBORN), settings=settings, tags=["timeout:1h"])
    wait_for_text(folder.log, "so far")
    wait_for_text(folder.private / PROGRESS, '"cell": 1')
    process.send_signal(signal.SIGALRM)  # as the timer does
    check(process, database, folder, ("FAILED", messages.runs.timed_out(3600, cell=1)))


@pytest.mark.parametrize("language", ["python", "bash"])
def test_a_pod_that_is_told_to_end_publishes_what_there_is(
    start: Start, database: Database, folder: RunFolder, bash_kernel: dict[str, str], language: str
) -> None:
    source = notebook(STUBBORN) if language == "python" else notebook(SHELL, kernel=bash_kernel)
    process = start(source, pod=True)
    wait_for_text(folder.log, "so far")
    for _ in range(3):  # once would be enough
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    check(process, database, folder, ("IN_PROGRESS", None))  # Argo knows better why


def test_a_conversion_that_hangs_is_ended_too(
    start: Start, database: Database, folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin" / "xelatex", f"echo $$ > {tmp_path}/pid\nexec sleep 600")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    process = start(notebook("print('so far')"), tags=["timeout:1h"], output_formats=["html", "ipynb", "pdf"])
    wait_for_text(tmp_path / "pid", "\n")
    process.send_signal(signal.SIGALRM)
    check(process, database, folder, ("FAILED", messages.runs.timed_out(3600)))

"""What only this machine's engine does: a queue, and runs whose process is gone."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.engines.base import Observation
from argo_jupyter_scheduler.engines.local import LocalEngine
from argo_jupyter_scheduler.steps.kernel.manager import LOWEST_PORT, PORT_BLOCKS, PORT_NAMES, choose_ports
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.output_names import output_filename
from argo_jupyter_scheduler.storage.schema import JobRow
from tests.support.eventually import eventually_async
from tests.support.jobs import Jobs, notebook, outputs
from tests.support.processes import find_first, marked


@pytest.fixture
def scheduler_config() -> dict[str, Any]:
    return {"max_concurrent_runs": 1}


WAIT_FOR = "import pathlib, time\nwhile not pathlib.Path({!r}).exists(): time.sleep(.05)"


async def test_runs_wait_for_their_turn_in_order(jobs: Jobs, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    first = await jobs.create("first.ipynb", notebook(WAIT_FOR.format(str(gate))))
    log = tmp_path / "order"
    later = [
        await jobs.create(f"{n}.ipynb", notebook(f"open({str(log)!r}, 'a').write('{n}')")) for n in range(3)
    ]
    await jobs.wait(first, until="IN_PROGRESS")
    assert [(await jobs.get(job_id))["status"] for job_id in later] == ["QUEUED"] * 3
    await jobs.request("PATCH", "jobs", later[1], body={"status": "STOPPED"})
    gate.touch()
    ends = [(await jobs.wait(job_id))["status"] for job_id in [first, *later]]
    assert ends == ["COMPLETED", "COMPLETED", "STOPPED", "COMPLETED"]
    assert log.read_text() == "02"


async def test_a_killed_run_is_failed_and_the_next_one_starts(
    jobs: Jobs, database: Database, staging_path: Path
) -> None:
    """Whatever state its folder was left in: the disk was full, the power failed."""
    killed = await jobs.create("k.ipynb", notebook("import time; time.sleep(60)"))
    following = await jobs.create("n.ipynb", notebook("print('next')"))
    await jobs.wait(killed, until="IN_PROGRESS")
    process = find_first(killed)
    folder = RunFolder(staging_path, killed)
    await eventually_async(folder.output("ipynb").exists)
    create_time = row_of(database, killed).create_time
    (folder.path / output_filename("k.ipynb", create_time, "ipynb")).mkdir()  # nothing can be published
    for name in ("run.json", "result.json", f"process-{process.pid}.json"):
        (folder.private / name).write_text("")
    process.kill()
    job = await jobs.wait(killed)
    assert (job["status"], job["status_message"]) == ("FAILED", messages.runs.PROCESS_GONE)
    assert (await jobs.wait(following))["status"] == "COMPLETED"
    assert marked(killed) == []
    await jobs.request("DELETE", "jobs", killed)


async def test_stop_ends_also_what_left_the_process_tree(jobs: Jobs, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    away = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)"
    code = f"import subprocess, sys, time, pathlib\nsubprocess.run([sys.executable, '-c', {away!r}])\npathlib.Path({str(flag)!r}).touch()\ntime.sleep(60)"
    job_id = await jobs.create("t.ipynb", notebook(code))
    await eventually_async(flag.exists)
    assert len(marked(job_id)) >= 3
    await jobs.request("PATCH", "jobs", job_id, body={"status": "STOPPED"})
    assert marked(job_id) == []
    assert (await jobs.get(job_id))["status"] == "STOPPED"


OTHER_MACHINE = """
import pathlib, sys, time
from argo_jupyter_scheduler.storage.locks import locked
with locked(pathlib.Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(600)
"""


def test_a_run_of_another_machine_lives_as_long_as_its_lock(database: Database, staging_path: Path) -> None:
    """Two containers that share a home: no process of the one can be seen in the other."""
    engine = LocalEngine(database, str(staging_path), 1)
    pid = 2**22 + 1
    job = JobRow(job_id="a", pid=pid, status="IN_PROGRESS")
    folder = RunFolder(staging_path, "a")
    folder.create()
    folder.write(f"process-{pid}.json", {"pid": pid, "create_time": time.time()})
    command = [sys.executable, "-c", OTHER_MACHINE, str(folder.private / f"process-{pid}.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        assert engine.observe([job], []).jobs == {}
        process.kill()
    assert engine.observe([job], []).jobs["a"] == Observation(ended=True, message=messages.runs.PROCESS_GONE)


def test_a_reused_pid_is_not_taken_for_the_run(
    database: Database, staging_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LocalEngine(database, str(staging_path), 1)
    me = psutil.Process()
    job = JobRow(job_id="a", pid=me.pid, status="IN_PROGRESS")
    folder = RunFolder(staging_path, "a")
    folder.create()
    folder.write(f"process-{me.pid}.json", {"pid": me.pid, "create_time": me.create_time()})
    assert engine.observe([job], []).jobs["a"].ended

    monkeypatch.setitem(sys.modules, "fcntl", None)  # a system that locks no files
    assert engine.observe([job], []).jobs == {}
    folder.write(f"process-{me.pid}.json", {"pid": me.pid, "create_time": me.create_time() - 60})
    assert engine.observe([job], []).jobs["a"].ended


async def test_the_steps_import_none_of_the_users_modules(jobs: Jobs) -> None:
    jobs.write("folder/json.py", "raise SystemExit('the wrong json')")
    jobs.write("folder/logging.py", "raise SystemExit('the wrong logging')")
    source = notebook("print(open('json.py').read())")
    job_id = await jobs.create("folder/n.ipynb", source, package_input_folder=True)
    job = await jobs.wait(job_id)
    # The kernel runs in the user's folder and sees the user's modules; that is the user's own affair.
    assert job["status"] in ("COMPLETED", "FAILED")
    assert "SystemExit" not in (job["status_message"] or "")


def test_the_executor_alone_serves_jupyter_schedulers_own_scheduler(
    database: Database, db_url: str, staging_path: Path
) -> None:
    from jupyter_scheduler.orm import Job, create_session

    from argo_jupyter_scheduler.executor import ArgoExecutor

    folder = RunFolder(staging_path, "own")
    folder.create()
    (folder.path / "n.ipynb").write_text(notebook("print('here')"))
    common = {
        "name": "n",
        "input_filename": "n.ipynb",
        "runtime_environment_name": "e",
        "output_formats": ["ipynb"],
    }
    with create_session(db_url)() as session:
        session.add(Job(job_id="own", status="QUEUED", **common))
        session.commit()
    ArgoExecutor("own", str(staging_path), db_url, {"input": str(folder.path / "n.ipynb")}).process()
    assert row_of(database, "own").status == "COMPLETED"
    [executed] = folder.path.glob("n-*.ipynb")
    assert outputs(executed) == "here\n"


async def test_a_server_that_goes_away_takes_no_run_with_it(tmp_path: Path) -> None:
    """The command is killed in the middle of a run; the run ends all the same."""
    gate = tmp_path / "gate"
    (tmp_path / "n.ipynb").write_text(notebook(WAIT_FOR.format(str(gate)), "print('done')"))
    environment = {"JUPYTER_DATA_DIR": str(tmp_path / "data"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "argo_jupyter_scheduler.cli.app", "run", str(tmp_path / "n.ipynb")]
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    database_file = tmp_path / "data" / "scheduler.sqlite"
    await eventually_async(database_file.exists)
    database = Database(f"sqlite:///{database_file}")
    await eventually_async(lambda: [job for job in rows(database) if job.status == "IN_PROGRESS"])
    process.kill()
    await process.wait()
    gate.touch()
    await eventually_async(lambda: not rows(database))
    [folder] = (tmp_path / "data" / "scheduler_staging_area").iterdir()
    [executed] = folder.glob("n-*.ipynb")
    assert outputs(executed) == "done\n"
    assert row_of(database, folder.name).status == "COMPLETED"


def row_of(database: Database, job_id: str) -> JobRow:
    row = database.get_job(job_id)
    assert row is not None
    return row


def rows(database: Database) -> list[JobRow]:
    from sqlalchemy.exc import OperationalError

    try:
        return database.list_live_jobs()
    except OperationalError:  # the tables are just being made
        return []


def test_runs_share_no_port() -> None:
    ports = [port for process in range(4711, 4731) for port in choose_ports(process)]
    assert len(set(ports)) == 100
    taken = choose_ports(4711)
    with socket.socket() as other:
        other.bind(("127.0.0.1", taken[2]))
        assert not set(choose_ports(4711)) & set(taken)


async def test_a_runs_kernel_is_reached_on_choose_ports_its_own(jobs: Jobs) -> None:
    code = "import json, ipykernel; print(json.load(open(ipykernel.get_connection_file()))['shell_port'])"
    job_id = await jobs.create("p.ipynb", notebook(code))
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"
    port = int(outputs((await jobs.download(job_id))["ipynb"]))
    assert LOWEST_PORT <= port < LOWEST_PORT + len(PORT_NAMES) * PORT_BLOCKS

"""The queue of this machine, with a real database."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.steps import local_queue
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import LOCAL_WAITING
from tests.support.eventually import eventually
from tests.support.processes import marked
from tests.support.runs import Run


@pytest.fixture
def make(database: Database, staging_path: Path) -> Callable[[], Run]:
    """Make jobs whose notebook cannot be read: their processes end soon."""
    moments = iter(range(1_700_000_000_000, 1_700_000_000_100))

    settings = RunSettings(max_concurrent_runs=1)
    return lambda: Run(database, staging_path, "{}", settings, create_time=next(moments))


def test_the_oldest_job_is_claimed_first_and_only_once(
    make: Callable[[], Run], database: Database, staging_path: Path
) -> None:
    first, second = make(), make()
    with local_queue.claimed_job(database, str(staging_path), second.id) as is_claimed:
        assert not is_claimed
    assert second.row.pid == LOCAL_WAITING
    assert not list(second.folder.private.glob("process-*"))
    with database.engine.connect():  # a reader disturbs nobody
        assert database.claim_job(first.id, 4711, 1)
    assert not database.claim_job(first.id, 4712, 1)
    assert database.claim_job(second.id, 4713, 2)


def test_a_claimed_run_is_recognised_by_its_process(
    make: Callable[[], Run], database: Database, staging_path: Path
) -> None:
    run = make()
    me = psutil.Process()
    with local_queue.claimed_job(database, str(staging_path), run.id) as is_claimed:
        assert is_claimed
        assert run.row.pid == me.pid
        assert local_queue.find_process(run.folder, me.pid) == me
        assert not local_queue.is_process_gone(run.folder, me.pid)
    assert local_queue.is_process_gone(run.folder, me.pid)  # nobody holds the lock
    content = run.folder.read(f"process-{me.pid}.json")
    run.folder.write(f"process-{me.pid}.json", {**content, "create_time": content["create_time"] - 60})
    assert local_queue.find_process(run.folder, me.pid) is None  # the pid is another process's now
    assert local_queue.find_process(run.folder, me.pid + 1) is None


def test_a_run_has_no_token_of_the_server(
    make: Callable[[], Run], database: Database, staging_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGO_TOKEN", "argo-secret")
    monkeypatch.setenv("CONDA_STORE_TOKEN", "conda-secret")
    run = make()
    local_queue.start_waiting_jobs(database, str(staging_path), 1, {"SHOWN": "x"})
    environment = eventually(lambda: [process.environ() for process in marked(run.id)])[0]
    assert environment["SHOWN"] == "x"
    assert not {"argo-secret", "conda-secret"} & set(environment.values())


def test_a_pipe_in_the_place_of_a_runs_identity_keeps_nobody_waiting(make: Callable[[], Run]) -> None:
    run = make()
    os.mkfifo(run.folder.private / f"process-{os.getpid()}.json")
    assert local_queue.is_process_gone(run.folder, os.getpid())


def test_a_job_without_a_folder_is_failed(
    make: Callable[[], Run], database: Database, staging_path: Path
) -> None:
    run = make()
    run.folder.delete()
    local_queue.start_waiting_jobs(database, str(staging_path), 1)
    assert (run.row.status, run.row.status_message) == ("FAILED", messages.runs.FOLDER_GONE)

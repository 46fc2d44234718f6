from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import settings
from jupyter_scheduler.orm import create_tables

from argo_jupyter_scheduler.jobs.local_schedules import LocalSchedules
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.steps import local_queue
from argo_jupyter_scheduler.storage.database import Database
from tests.stand_ins.argo import ArgoStandIn
from tests.support.jobs import PLACES, Jobs, Minutes, real_argo, stand_in_argo
from tests.support.processes import started_runs

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 30))
settings.register_profile(
    "any machine", deadline=None, max_examples=EXAMPLES
)  # a busy one takes long for what is quick
settings.load_profile("any machine")

pytest_plugins = ["pytest_jupyter.jupyter_server", "tests.support.machine", "tests.faults.table"]


@pytest.fixture(autouse=True)
def jp_asyncio_loop(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.AbstractEventLoop]:
    """End what a test's server has left in its loop, such as the task runner, before the loop is closed."""
    yield jp_asyncio_loop
    tasks = asyncio.all_tasks(jp_asyncio_loop)
    for task in tasks:
        task.cancel()
    if tasks:
        jp_asyncio_loop.run_until_complete(asyncio.wait(tasks))


@pytest.fixture(autouse=True)
def no_argo(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """No test but those of a real Argo may reach one that the environment names, and none a real Slack."""
    for name in list(os.environ):
        if name.startswith("SLACK_"):
            monkeypatch.delenv(name)
    if not request.node.get_closest_marker("argo"):
        for name in list(os.environ):
            if name.startswith("ARGO_"):
                monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_run_is_left() -> Iterator[None]:
    """End the runs on this machine that a test did not wait for."""
    yield
    for pid, job_id in started_runs().items():
        local_queue.kill_run(job_id, psutil.Process(pid))
    local_queue.reap_children()


@pytest.fixture
def staging_path(tmp_path: Path) -> Path:
    path = tmp_path / "staging area"
    path.mkdir()
    return path


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with tables, made once: each statement that makes them waits for the disk."""
    path = tmp_path_factory.mktemp("database") / "scheduler.sqlite"
    create_tables(f"sqlite:///{path}")
    return path


@pytest.fixture
def db_url(tmp_path: Path, empty_database: Path) -> str:
    path = tmp_path / "scheduler.sqlite"
    shutil.copy(empty_database, path)
    return f"sqlite:///{path}"


@pytest.fixture
def database(db_url: str) -> Iterator[Database]:
    database = Database(db_url)
    yield database
    database.dispose()


@pytest.fixture
def argo() -> Iterator[ArgoStandIn]:
    with ArgoStandIn() as argo:
        yield argo


@pytest.fixture
def argo_config(
    argo: ArgoStandIn, jp_environ: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Traits that point the scheduler at the stand-in; a pod gets what a shared home would give it, and sees this machine."""
    monkeypatch.setenv("ARGO_TOKEN", f"Bearer {argo.token}")
    return stand_in_argo(argo.url, tmp_path)


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> str:
    """The places where a run can happen."""
    return str(request.param)


@pytest.fixture
def scheduler_config(request: pytest.FixtureRequest, place: str, jp_environ: None) -> dict[str, Any]:
    """Traits of `ArgoScheduler`."""
    if place == "local":
        return {}
    if place == "real-argo":
        return real_argo()
    return {**request.getfixturevalue("argo_config"), "pod_per_step": place == "argo-pod-per-step"}


@pytest.fixture
def jp_server_config(staging_path: Path, db_url: str, scheduler_config: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for installed in (Path(__file__).parent.parent / "jupyter-config").iterdir():
        config.update(json.loads(installed.read_text()))
    config["SchedulerApp"]["db_url"] = db_url
    config["ServerApp"]["jpserver_extensions"]["jupyter_scheduler"] = True
    config["ArgoScheduler"] = {"staging_path": str(staging_path), **scheduler_config}
    # Tests of schedules move the time themselves.
    config["ArgoTaskRunner"] = {"mend_interval": 0.3, "poll_interval": 3600.0}
    return config


@pytest.fixture
def bash_kernel(jp_data_dir: Path) -> dict[str, str]:
    """A second real kernel, and what a notebook's metadata says of it."""
    spec = {"argv": [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"]}
    spec |= {"display_name": "Bash", "language": "bash"}  # type: ignore[dict-item]
    folder = jp_data_dir / "kernels" / "bash"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec))
    return {"name": "bash", "display_name": "Bash", "language": "bash"}


@pytest.fixture
def jobs(
    jp_fetch: Callable[..., Any], jp_root_dir: Path, scheduler: ArgoScheduler, request: pytest.FixtureRequest
) -> Iterator[Jobs]:
    yield Jobs(jp_fetch, jp_root_dir, scheduler.jobs.settings.staging_path)
    if request.node.get_closest_marker("argo"):  # whose schedules would go on for ever
        for row in scheduler.jobs.database.list_schedules():
            scheduler.definitions.delete(row.job_definition_id)


@pytest.fixture
def scheduler(jp_serverapp: Any) -> ArgoScheduler:
    return jp_serverapp.web_app.settings["scheduler"]  # type: ignore[no-any-return]


@pytest.fixture
def next_minute(
    place: str, request: pytest.FixtureRequest, scheduler: ArgoScheduler
) -> Callable[[], Awaitable[None]]:
    """Let a minute pass: at once, but on a real Argo."""
    if place == "local":
        minutes = Minutes()
        schedules = LocalSchedules(scheduler.jobs, scheduler.reconciler, clock=minutes)
        return lambda: minutes.pass_one(schedules)

    if place == "real-argo":
        return lambda: asyncio.sleep(65 - time.time() % 60)

    async def stand_in() -> None:
        await asyncio.to_thread(request.getfixturevalue("argo").tick)

    return stand_in

"""conda-store's environments: what its real server tells different users, and what becomes of one that does not tell."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import Any

import pytest

from argo_jupyter_scheduler.config.environments import EnvironmentSettings, EnvironmentTraits
from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import EnvironmentsUnknown
from argo_jupyter_scheduler.environments.locations import locate
from argo_jupyter_scheduler.environments.sources.conda_store import CondaStore
from argo_jupyter_scheduler.jupyter.environment_manager import ArgoEnvironmentManager
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from tests.stand_ins import conda_store
from tests.support.environments import as_conda_leaves_it, with_ipykernel
from tests.support.jobs import Jobs, notebook, outputs

BULK = [f"bulk/e{number:03}" for number in range(105)]
SEEDED = [
    "default/public",
    "analyst/analytics",
    "global/base",
    "nebari-git/dashboard",
    "nebari/git-dashboard",
]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[conda_store.Server]:
    with conda_store.server(tmp_path_factory.mktemp("conda-store")) as server:
        server.seed(*SEEDED, *BULK, "!analyst/being-built")
        as_conda_leaves_it(with_ipykernel(server.state / "home/conda/analyst/envs/analyst-analytics"))
        (server.state / "home/conda/nebari/envs").mkdir(parents=True)
        yield server


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "local"))


def names(store: conda_store.Server, token: str) -> tuple[list[str], str]:
    environments, trouble = CondaStore(store.url, token, store.prefix).environments()
    return [one.name for one in environments], trouble


ANALYST = {"default-public", "analyst-analytics", "global-base"}


@pytest.mark.parametrize("bearer", ["", "Bearer "])
def test_each_user_is_offered_what_that_user_may_use(store: conda_store.Server, bearer: str) -> None:
    everything = {*ANALYST, *(one.replace("/", "-") for one in BULK), "nebari-git/dashboard"}
    for token in ("admin-token", "viewer-token"):
        found, trouble = names(store, bearer + token)
        assert (len(found), set(found), trouble) == (109, everything, "")
    assert [sorted(found) for found in names(store, f"{bearer}analyst-token")[:1]] == [sorted(ANALYST)]
    found, trouble = names(store, bearer)
    assert (found, "there is no token" in trouble) == (["default-public"], True)
    found, trouble = names(store, f"{bearer}revoked-token\n")
    assert (found, "its token (CONDA_STORE_TOKEN) is not valid" in trouble) == (["default-public"], True)


def test_ambiguous_names_are_settled_by_what_exists(store: conda_store.Server, tmp_path: Path) -> None:
    def named(*existing: str) -> dict[str, str]:
        root = tmp_path / str(len(existing))
        for path in existing:
            (root / path).mkdir(parents=True)
        pattern = f"{root}/{{namespace}}/envs/{{namespace}}-{{name}}"
        found, _ = CondaStore(store.url, "viewer-token", pattern).environments()
        return {one.name: one.prefix.removeprefix(f"{root}/") for one in found if "dashboard" in one.name}

    one, other = "nebari-git/envs/nebari-git-dashboard", "nebari/envs/nebari-git-dashboard"
    assert named() == {"nebari-git/dashboard": one, "nebari/git-dashboard": other}
    assert named(other) == {"nebari-git/dashboard": one, "nebari-git-dashboard": other}
    assert named(one, other) == {"nebari-git/dashboard": one, "nebari/git-dashboard": other}


@pytest.fixture
def scheduler_config(
    scheduler_config: dict[str, Any], store: conda_store.Server, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("CONDA_STORE_TOKEN", "analyst-token")
    config = {"use_conda_store_env": True, "conda_store_url": store.url, "conda_store_prefix": store.prefix}
    return {**scheduler_config, **config}


@pytest.mark.parametrize("place", ["local", "argo"], indirect=True)
async def test_a_notebook_runs_in_an_environment_of_conda_store(
    jobs: Jobs, store: conda_store.Server, scheduler: ArgoScheduler, staging_path: Path
) -> None:
    scheduler.environments_manager.wait(20)
    offered = [one["name"] for one in await jobs.request("GET", "runtime_environments")]
    assert set(offered) >= ANALYST
    code = "import sys, os; print(os.path.realpath(sys.prefix), os.environ['SEEN'])"
    job_id = await jobs.create("n.ipynb", notebook(code), runtime_environment_name="analyst-analytics")
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"
    printed = outputs((await jobs.download(job_id))["ipynb"])
    assert printed == f'{store.state}/home/conda/analyst/envs/analyst-analytics it\'s {{here}} "package"\n'
    settings = (staging_path / job_id / ".argo-jupyter-scheduler" / "run.json").read_text()
    assert "analyst-token" not in settings

    # Here nothing tells whether its folder is there for the run: global's are not seen.
    job = await jobs.wait(
        await jobs.create("n.ipynb", notebook(code), runtime_environment_name="global-base")
    )
    assert job["status"] == "FAILED"
    missing = f"{store.state}/home/conda/global/envs/global-base"
    assert f"Environment 'global-base' is not there: looked for {missing}" in job["status_message"]
    assert "analyst-analytics" in job["status_message"]


def test_a_step_settles_ambiguous_names_too(tmp_path: Path) -> None:
    patterns = [f"{tmp_path}/{{namespace}}/envs/{{namespace}}-{{name}}"]
    settings = {"environment_patterns": patterns, "own_environment": "conda"}
    one, other = (tmp_path / name / "envs" / "a-b-c" for name in ("a", "a-b"))
    one.mkdir(parents=True)
    assert locate("a-b-c", settings) == Environment("a-b-c", str(one))
    assert locate("conda", settings).is_own
    other.mkdir(parents=True)
    with pytest.raises(Exception, match="ambiguous"):
        locate("a-b-c", settings)
    assert locate("a-b/c", settings) == Environment("a-b/c", str(other))


class Answering:
    """A server that answers each request in the same way."""

    def __init__(self, status: int, body: str, seconds: float = 0.0) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                time.sleep(seconds)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/conda-store"

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self.url

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()


GARBAGE = [
    "<html>",
    "[]",
    "{}",
    '{"data": 3}',
    '{"data": {"authenticated": true}}',
    '{"data": [{"name": 1}]}',
]


@pytest.mark.parametrize(
    ("status", "body"), [(500, "{}"), (403, "no"), (404, "{}"), *((200, body) for body in GARBAGE)]
)
def test_a_server_that_does_not_tell_is_said_once_and_the_dialog_opens(
    tmp_path: Path, status: int, body: str
) -> None:
    (tmp_path / "a" / "envs" / "a-kept").mkdir(parents=True)
    prefix = f"{tmp_path}/{{namespace}}/envs/{{namespace}}-{{name}}"
    with Answering(status, body) as url:
        store = CondaStore(url, "secret-token", prefix)
        with pytest.raises(EnvironmentsUnknown):
            store.environments()
        manager, said = watched(EnvironmentSettings(conda_store=store))
        for _ in range(3):
            manager.wait(10)
            # What lies on disk is offered meanwhile.
            assert "a-kept" in [one.name for one in manager.list_environments()]
            manager._refresh()
        manager.wait(10)
    [message] = [one for one in said() if "conda-store" in one]
    assert url in message
    assert "secret-token" not in message


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_a_server_that_hangs_or_is_not_there(seconds: float) -> None:
    with Answering(200, "{}", seconds) as url:
        address = url if seconds else "http://127.0.0.1:9/conda-store"
        manager, _ = watched(EnvironmentSettings(conda_store=CondaStore(address, "t", "/nowhere/{name}")))
        begun = time.monotonic()
        assert manager.list_environments()
        assert time.monotonic() - begun < 5


def watched(settings: EnvironmentSettings) -> tuple[ArgoEnvironmentManager, Callable[[], list[str]]]:
    """Return a manager and what it says."""
    handler = BufferingHandler(1000)
    log = logging.Logger("environments")
    log.addHandler(handler)
    manager = ArgoEnvironmentManager()
    manager.configure(settings, log=log)
    return manager, lambda: [one.getMessage() for one in handler.buffer]


@pytest.mark.parametrize("token", ["a\nb", "tökén…"])
def test_a_token_that_is_none_is_not_shown(token: str) -> None:
    with Answering(200, "{}") as url, pytest.raises(EnvironmentsUnknown) as error:
        CondaStore(url, token, "/x/{name}").environments()
    assert token not in str(error.value)
    assert token not in repr(CondaStore(url, token, "/x/{name}"))


def test_nebaris_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    class Site(EnvironmentTraits):
        pass

    assert Site().environment_settings().conda_store is None
    Site.use_conda_store_env = True  # type: ignore[assignment]
    monkeypatch.setenv("CONDA_STORE_SERVICE", "nebari-conda-store-server:5000")
    monkeypatch.setenv("CONDA_STORE_SERVICE_NAMESPACE", "dev")
    monkeypatch.setenv("CONDA_STORE_TOKEN", "t")
    assert Site().environment_settings().conda_store == CondaStore(
        "http://nebari-conda-store-server.dev.svc:5000/conda-store",
        "t",
        "/home/conda/{namespace}/envs/{namespace}-{name}",
    )
    assert len(Site().patterns_of_runs()) == 2


def test_nebaris_settings_reach_the_server(tmp_path: Path, db_url: str) -> None:
    class Site(ArgoScheduler):
        pass

    Site.use_conda_store_env = True  # type: ignore[assignment]
    manager = ArgoEnvironmentManager()
    site = Site(str(tmp_path), manager, db_url)
    assert site.use_conda_store_env is True
    assert manager._settings.conda_store  # type: ignore[union-attr]
    assert json.dumps(site.patterns_of_runs())

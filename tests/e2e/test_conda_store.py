"""conda-store's environments: what its real server offers to different users."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
    environments, trouble = CondaStore(store.url, token, store.prefix).find_environments()
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
    assert (found, "is missing" in trouble) == (["default-public"], True)
    found, trouble = names(store, f"{bearer}revoked-token\n")
    assert (found, "its token (CONDA_STORE_TOKEN) is not valid" in trouble) == (["default-public"], True)


def test_ambiguous_names_are_settled_by_what_exists(store: conda_store.Server, tmp_path: Path) -> None:
    def named(*existing: str) -> dict[str, str]:
        root = tmp_path / str(len(existing))
        for path in existing:
            (root / path).mkdir(parents=True)
        pattern = f"{root}/{{namespace}}/envs/{{namespace}}-{{name}}"
        found, _ = CondaStore(store.url, "viewer-token", pattern).find_environments()
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
    scheduler.environments_manager.catalog.wait(20)
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
    assert f"Environment 'global-base' not found. Searched: {missing}" in job["status_message"]
    assert "analyst-analytics" in job["status_message"]


def test_nebaris_settings_reach_the_server(tmp_path: Path, db_url: str) -> None:
    class Site(ArgoScheduler):
        pass

    Site.use_conda_store_env = True  # type: ignore[assignment]  # on the class, as Nebari does
    manager = ArgoEnvironmentManager()
    site = Site(str(tmp_path), manager, db_url)
    assert site.use_conda_store_env is True
    manager.catalog.wait(10)
    assert "conda-store" in manager.catalog.find_troubles()  # whose address is not configured
    assert json.dumps(site.patterns_of_runs())

"""What the dialog's picker offers, and how fast, whatever its sources do."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

import argo_jupyter_scheduler
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.environments.catalog import EnvironmentCatalog
from argo_jupyter_scheduler.jupyter.environment_manager import ArgoEnvironmentManager
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from tests.support.environments import program, virtual_environment
from tests.support.eventually import eventually_async
from tests.support.jobs import Jobs
from tests.support.logs import recorded_log

OWN = Path(sys.prefix).name


def conda_prefix(path: Path) -> Path:
    (path / "conda-meta").mkdir(parents=True)
    return path


@pytest.fixture
def place() -> str:
    return "local"


@pytest.fixture
def traits(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Traits of a test's own."""
    return dict(getattr(request, "param", {}))


@pytest.fixture
def scheduler_config(
    jp_environ: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, traits: dict[str, Any]
) -> dict[str, Any]:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("CONDA_EXE", "MAMBA_EXE", "CONDA_STORE_TOKEN", "CONDA_STORE_SERVICE"):
        monkeypatch.delenv(name, raising=False)
    return {"environment_patterns": [f"{tmp_path}/envs/{{name}}"], **traits}


def catalog_of(scheduler: ArgoScheduler) -> EnvironmentCatalog:
    catalog: EnvironmentCatalog = scheduler.environments_manager.catalog
    return catalog


async def offered(jobs: Jobs) -> list[str]:
    """Return the names in the picker, which opens in time."""
    begun = time.monotonic()
    answer = await jobs.request("GET", "runtime_environments")
    assert time.monotonic() - begun < 5  # a source that hangs does so for longer
    assert all(one["name"] == one["label"] for one in answer)
    return [one["name"] for one in answer if one["name"] != "echo"]  # pytest-jupyter's kernel


@pytest.fixture
def said(scheduler: ArgoScheduler) -> Callable[[str], int]:
    """Begin anew with a log of this test's own; return how often it has some words."""
    log, messages = recorded_log()
    scheduler.environments_manager.configure(scheduler.environment_settings(), log=log)
    return lambda words: len([message for message in messages() if words in message])


async def until(jobs: Jobs, condition: Callable[[list[str]], bool]) -> list[str]:
    names: list[str] = []

    async def is_so() -> bool:
        names[:] = await offered(jobs)
        return condition(names)

    await eventually_async(is_so, 20, state=lambda: names)
    return names


@pytest.fixture
def conda_script(request: pytest.FixtureRequest) -> str:
    """What a test's conda does; empty for what conda does."""
    return str(getattr(request, "param", ""))


@pytest.fixture
def everything(
    tmp_path: Path, scheduler_config: dict[str, Any], jp_data_dir: Path, conda_script: str
) -> None:
    """Environments of every kind."""
    conda_prefix(tmp_path / "envs" / "zeta")
    for name, folder in (("latest", "zeta"), ("zoo", "zeta"), ("other", "../dirs/configured")):
        (tmp_path / "envs" / name).symlink_to(folder)
    (tmp_path / "envs" / "own").symlink_to(sys.prefix)
    (tmp_path / "envs" / "again").symlink_to("../envs")
    (tmp_path / "envs" / "empty").mkdir()
    (tmp_path / "envs" / "file").touch()
    projects = tmp_path / "projects"
    virtual_environment(projects / "shop" / ".venv")
    virtual_environment(projects / "tools")
    conda_prefix(projects / "weather" / ".pixi" / "envs" / "default")
    conda_prefix(projects / "weather" / ".pixi" / "envs" / "test")
    (projects / "plain").mkdir()
    scheduler_config["environment_folders"] = [str(projects), str(tmp_path / "missing")]
    conda_prefix(tmp_path / "home" / ".conda" / "envs" / "mine")
    conda_prefix(tmp_path / "dirs" / "configured")
    (tmp_path / "home" / ".condarc").write_text(f"envs_dirs:\n  - {tmp_path}/dirs\n")
    conda_prefix(tmp_path / "root")
    (tmp_path / "root" / "condabin").mkdir()
    conda_prefix(tmp_path / "other" / "zeta")
    listed = [tmp_path / "root", tmp_path / "envs" / "zeta", tmp_path / "other" / "zeta", tmp_path / "gone"]
    answer = json.dumps({"envs": [*map(str, listed), sys.prefix]})
    script = conda_script or f"[ \"$*\" = 'env list --json' ] && echo '{answer}'"
    program(tmp_path / "bin" / "conda", script)
    gone = ["/bin/no-such-program", "{connection_file}"]
    for name, argv in (("zeta", ["/bin/echo"]), ("ir", ["/bin/cat", "{connection_file}"]), ("gone", gone)):
        kernel = jp_data_dir / "kernels" / name
        kernel.mkdir(parents=True)
        spec = {"argv": argv, "display_name": name.upper(), "language": "R", "env": {"SECRET": "s"}}
        (kernel / "kernel.json").write_text(json.dumps(spec))
    virtual_environment(projects / "upgraded")
    for link in (projects / "upgraded" / "bin").glob("python*"):
        link.unlink()
        link.symlink_to("/usr/bin/no-such-python")
    (jp_data_dir / "kernels" / "spoilt").mkdir()
    (jp_data_dir / "kernels" / "spoilt" / "kernel.json").write_text("{")


@pytest.mark.usefixtures("everything")
async def test_environments_of_every_kind(jobs: Jobs, tmp_path: Path, said: Callable[[str], int]) -> None:
    names = await until(jobs, lambda names: len(names) >= 15)
    # The server's own first; a second one of a name is called by its path, a kernel by its display name, a link as it is.
    # What cannot start is left out.
    conda = [
        "base",
        "configured",
        "latest",
        "mine",
        "other",
        "shop",
        "tools",
        "weather",
        "weather:test",
        "zeta",
        "zoo",
    ]
    assert names == [OWN, f"{tmp_path}/other/zeta", *conda, "IR", "ZETA"]
    assert said("kernel spec 'spoilt' is broken") == 1


async def test_one_environment_is_not_worth_a_picker(jobs: Jobs) -> None:
    assert await offered(jobs) == [OWN]


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ({"environments_filter": "weather*"}, ["weather", "weather:test"]),
        ({"environments_filter": "^(shop|ir)$", "default_environment": "ir"}, ["IR", "shop"]),
        ({"environments_filter": "^(shop|tools)$", "default_environment": "tools"}, ["tools", "shop"]),
        ({"environments_filter": "nothing-fits"}, [OWN]),
    ],
    indirect=["traits"],
)
async def test_filter_and_default(jobs: Jobs, scheduler: ArgoScheduler, expected: list[str]) -> None:
    assert catalog_of(scheduler).default_name() in expected
    assert await until(jobs, lambda names: len(names) == len(expected)) == expected


@pytest.mark.parametrize("traits", [{"default_environment": "nope"}], indirect=True)
async def test_a_default_that_is_not_offered_is_told_once(
    scheduler: ArgoScheduler, said: Callable[[str], int]
) -> None:
    catalog = catalog_of(scheduler)
    for _ in range(3):
        catalog.wait(10)
        assert next(iter(catalog.list_offered())) == catalog.default_name() == OWN
    assert said("default_environment 'nope'") == 1


HANGS = "did not answer within 10 s"


@pytest.mark.parametrize(
    ("conda_script", "words"),
    [
        ("sleep 61 & sleep 61", HANGS),
        ("echo no >&2; exit 3", "failed (exit code 3)"),
        ("echo '[]'", "did not return a list"),
        ("echo 'Loading…'", "did not return a list"),
    ],
    indirect=["conda_script"],
)
@pytest.mark.usefixtures("everything")
async def test_a_conda_that_does_not_tell(
    jobs: Jobs, scheduler: ArgoScheduler, said: Callable[[str], int], words: str
) -> None:
    assert "zeta" in await until(jobs, lambda names: "zeta" in names)  # the others tell
    catalog = catalog_of(scheduler)
    for _ in range(3):
        catalog.wait(20)
        await offered(jobs)
    if words != HANGS:  # it would take another ten seconds
        with pytest.raises(InvalidJob) as error:
            await asyncio.to_thread(catalog_of(scheduler).find, "nope")
        assert words in str(error.value)
    assert said(words) == 1
    assert words in catalog.find_troubles()["conda"]
    assert not [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == ["sleep", "61"]]


@pytest.mark.usefixtures("everything")
async def test_a_source_that_fails_later_keeps_what_it_told(
    jobs: Jobs, scheduler: ArgoScheduler, tmp_path: Path, said: Callable[[str], int]
) -> None:
    await until(jobs, lambda names: "base" in names)
    program(tmp_path / "bin" / "conda", "exit 1")
    with pytest.raises(InvalidJob):
        await asyncio.to_thread(catalog_of(scheduler).find, "nope")
    assert "base" in await offered(jobs)
    assert said("exit code 1") == 1


def test_the_own_environment_is_called_as_conda_does(tmp_path: Path) -> None:
    prefix = virtual_environment(tmp_path / "conda")
    code = "from argo_jupyter_scheduler.environments.locations import own_environment; print(own_environment().name)"
    for name in ("conda", "base"):
        packages = {"PYTHONPATH": str(Path(argo_jupyter_scheduler.__file__).parent.parent)}
        command = [f"{prefix}/bin/python", "-c", code]
        answer = subprocess.run(command, env=packages, capture_output=True, text=True, check=True)
        assert answer.stdout == f"{name}\n"
        (prefix / "condabin").mkdir(exist_ok=True)


async def test_a_new_environment_can_be_used_at_once(scheduler: ArgoScheduler, tmp_path: Path) -> None:
    manager, catalog = scheduler.environments_manager, catalog_of(scheduler)
    catalog.wait(10)
    assert "new" not in [one.name for one in manager.list_environments()]
    conda_prefix(tmp_path / "envs" / "new")
    assert catalog.find("new").prefix == f"{tmp_path}/envs/new"
    assert "new" in [one.name for one in manager.list_environments()]


def test_a_manager_alone_offers_what_there_is() -> None:
    """As Jupyter-Scheduler's own `Scheduler` would use it."""
    manager = ArgoEnvironmentManager()
    assert manager.list_environments()[0].name == OWN
    assert manager.catalog.find(OWN).is_own


def test_run_settings_have_no_environment_variables_of_kernels(
    everything: None, scheduler: ArgoScheduler
) -> None:
    catalog = catalog_of(scheduler)
    catalog.wait(10)
    settings = scheduler.jobs.staging.run_settings(
        catalog.find("ir"), catalog.find_kernel("ir", catalog.own), None
    )
    assert settings.environment
    assert settings.environment.kernel
    assert settings.environment.kernel == settings.kernel
    assert settings.environment.kernel["argv"] == ["/bin/cat", "{connection_file}"]
    assert "SECRET" not in json.dumps(settings.to_json())

"""The environment that was picked: where a notebook is executed, at every place."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from tornado.httpclient import HTTPClientError

from tests.support.environments import as_conda_leaves_it, kernel_spec, virtual_environment, with_ipykernel
from tests.support.eventually import eventually_async
from tests.support.jobs import Jobs, Story, notebook, on_each_engine, outputs, refusal
from tests.support.processes import marked

WHERE = "import sys, os; print(os.path.realpath(sys.prefix), sys.executable)"


@pytest.fixture(scope="session")
def envs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of environments: with and without a kernel, as conda leaves it, and with a second kernel."""
    envs = tmp_path_factory.mktemp("conda") / "envs"
    with_ipykernel(envs / "analytics")
    as_conda_leaves_it(with_ipykernel(envs / "geo"))
    virtual_environment(envs / "bare")
    shell = virtual_environment(envs / "shell", "bash_kernel")
    kernel_spec(shell, "bash", "bash", ["python", "-m", "bash_kernel", "-f", "{connection_file}"])
    spoilt = virtual_environment(envs / "spoilt")
    kernel_spec(spoilt, "python3", "python", ["no-such-program"])
    kernel_spec(spoilt, "json", "python", ["python"]).write_text("{")
    for name, field in (("mode", {"interrupt_mode": "none"}), ("env", {"env": {"N": 1}})):
        file = kernel_spec(spoilt, name, "python", ["python"])
        file.write_text(json.dumps({**json.loads(file.read_text()), **field}))
    virtual_environment(envs / "shared", "ipykernel")  # without a kernel spec
    (envs / "dangling").mkdir()
    (envs / "dangling" / "pyvenv.cfg").touch()
    return envs


@pytest.fixture
def scheduler_config(
    scheduler_config: dict[str, Any], envs: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    monkeypatch.delenv("PYTHONPATH", raising=False)  # pytest-jupyter's, with this environment's packages
    return {**scheduler_config, "environment_patterns": [f"{envs}/{{name}}"]}


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "local"))


async def printed(jobs: Jobs, job_id: str) -> str:
    job = await jobs.wait(job_id)
    assert (job["status"], job["status_message"]) == ("COMPLETED", None)
    return outputs((await jobs.download(job_id))["ipynb"])


async def refused(jobs: Jobs, *words: str, content: str | None = None, **fields: Any) -> None:
    before = (await jobs.request("GET", "jobs"))["jobs"]
    with pytest.raises(HTTPClientError) as error:
        await jobs.create("r.ipynb", content or notebook("1"), **fields)
    message = refusal(error)
    for word in words:
        assert word in message
    assert (await jobs.request("GET", "jobs"))["jobs"] == before


@on_each_engine
async def test_the_kernel_runs_in_the_chosen_environment(jobs: Jobs, envs: Path) -> None:
    code = f"{WHERE}\nimport importlib.util, shutil; print(importlib.util.find_spec('papermill'), shutil.which('python'))"
    job_id = await jobs.create(
        "n.ipynb", notebook(code, parameters="a = 1"), runtime_environment_name="analytics"
    )
    prefix, executable, papermill, which = (await printed(jobs, job_id)).split()
    assert prefix == str(envs / "analytics")
    assert executable == which == str(envs / "analytics/bin/python")
    assert papermill == "None"


@pytest.fixture
def another_is_active(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the server were started in an environment of conda's, which has set what its kernels must not see."""
    other = as_conda_leaves_it(tmp_path / "other")
    scripts = other / "etc/conda/deactivate.d"
    scripts.mkdir()
    (scripts / "10-proj.sh").write_text('test "$LATER" && unset PROJ_DATA LATER; echo out\n')
    (scripts / "20-more.sh").write_text('test "$CONDA_PREFIX" = "${PROJ_DATA%/share/proj}" && LATER=1\n')
    active = {
        "CONDA_PREFIX": str(other),
        "CONDA_PREFIX_1": "/opt/conda",
        "PATH": f"{other}/bin:{os.environ['PATH']}",
        "PROJ_DATA": f"{other}/share/proj",
        "FROM_PACKAGE": "other's",
        "TWO_LINES": "1\n2=3",
    }
    for name, value in active.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("another_is_active")
@on_each_engine
async def test_an_environment_is_activated_as_conda_does_it(
    jobs: Jobs, envs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("TAKEN_AWAY", "1")
    code = "import os\nfor name in ('GDAL_DATA', 'SEEN', 'FROM_USER', 'CONDA_DEFAULT_ENV', 'CONDA_PREFIX', 'TAKEN_AWAY', 'VIRTUAL_ENV', 'NOT_FOR_BASH', 'PROJ_DATA', 'CONDA_PREFIX_1'): print(os.environ.get(name))"
    if place == "local":  # elsewhere it has not the server's variables
        code += f"\nassert os.environ['TWO_LINES'] == '1\\n2=3' and '{tmp_path}/other/bin' not in os.environ['PATH']"
    job_id = await jobs.create("n.ipynb", notebook(code), runtime_environment_name="geo")
    assert (await printed(jobs, job_id)).splitlines() == [
        f"{envs}/geo/share/gdal 0",
        'it\'s {here} "package"',
        "user",
        "geo",
        f"{envs}/geo",
        *("None", "None", "None", "None", "None"),
    ]


@on_each_engine
async def test_a_notebooks_own_language_is_kept(jobs: Jobs, envs: Path) -> None:
    kernel = {"name": "something-else", "display_name": "B", "language": "bash"}
    source = notebook("echo $BASH_VERSION $greeting; which python", kernel=kernel)
    job_id = await jobs.create(
        "b.ipynb", source, runtime_environment_name="shell", parameters={"greeting": "hej"}
    )
    text = await printed(jobs, job_id)
    assert "hej" in text
    assert f"{envs}/shell/bin/python" in text


async def test_a_notebook_without_a_kernel_gets_the_environments(jobs: Jobs) -> None:
    source = json.loads(notebook("echo $BASH_VERSION"))
    source["metadata"] = {}
    job_id = await jobs.create("b.ipynb", json.dumps(source), runtime_environment_name="shell")
    assert (await printed(jobs, job_id))[0] in "56789"


async def test_an_environment_that_shares_its_packages_needs_no_kernel_spec(jobs: Jobs, envs: Path) -> None:
    job_id = await jobs.create("n.ipynb", notebook(WHERE), runtime_environment_name="shared")
    assert (await printed(jobs, job_id)).split()[0] == str(envs / "shared")


@on_each_engine
async def test_what_cannot_be_is_refused_where_the_server_sees_it(jobs: Jobs, envs: Path) -> None:
    await refused(jobs, "Environment '../../etc' not found", runtime_environment_name="../../etc")
    await refused(
        jobs, "Environment 'analytic' not found. Available: analytics", runtime_environment_name="analytic"
    )
    await refused(
        jobs, "'bare'", "ipykernel is missing", "-m pip install ipykernel", runtime_environment_name="bare"
    )
    kernel = {"name": "bash", "display_name": "B", "language": "bash"}
    words: tuple[str, ...] = ("no kernel for bash, only python3 (python)", f"{envs}/geo")
    await refused(jobs, *words, content=notebook("1", kernel=kernel), runtime_environment_name="geo")
    nameless = {"name": "ir", "display_name": "R"}
    await refused(
        jobs, "no kernel for ir", content=notebook("1", kernel=nameless), runtime_environment_name="geo"
    )
    words = ("ipykernel is missing", "kernels/json/kernel.json is broken", "'no-such-program' does not exist")
    words += (
        "mode/kernel.json is broken (The 'interrupt_mode'",
        "env/kernel.json is broken",
        "'N' is not a text",
    )
    await refused(jobs, *words, runtime_environment_name="spoilt")
    await refused(jobs, "python does not exist, or is a broken link", runtime_environment_name="dangling")
    await refused(jobs, "Available: shared, bare.", runtime_environment_name="SHARED")


@on_each_engine
async def test_an_environment_that_disappears(
    jobs: Jobs, envs: Path, next_minute: Callable[[], Awaitable[None]]
) -> None:
    gone = envs / "gone"
    shutil.rmtree(gone, ignore_errors=True)  # of another place's test that failed
    shutil.copytree(envs / "analytics", gone, symlinks=True)
    (gone / "share" / "jupyter" / "kernels" / "python3" / "kernel.json").rename(gone / "kernel.json")
    (gone / "lib").rename(gone / "library")
    await refused(jobs, "ipykernel is missing", runtime_environment_name="gone")
    (gone / "library").rename(gone / "lib")
    definition = await jobs.define("n.ipynb", notebook(WHERE), runtime_environment_name="gone")
    story = Story(jobs, next_minute, definition)
    (gone / "lib").rename(gone / "library")
    job = await story.next_run()
    assert job["status"] == "FAILED"
    assert "ipykernel is missing" in job["status_message"]
    shutil.rmtree(gone)
    job = await story.next_run()
    assert job["status"] == "FAILED"
    for words in (f"Environment 'gone' not found. Searched: {gone}", "geo"):
        assert words in job["status_message"]
    await story.change(name="kept")
    await refused(jobs, "'gone'", runtime_environment_name="gone")
    await story.change(runtime_environment_name="analytics")
    job = await story.next_run()
    assert job["status"] == "COMPLETED", job


@on_each_engine
async def test_a_kernel_spec_can_be_picked(bash_kernel: dict[str, str], jobs: Jobs) -> None:
    """By its display name, or by its kernel's, which was its name once."""
    source = notebook("echo $BASH_VERSION $greeting", kernel=bash_kernel)
    listed = await jobs.request("GET", "runtime_environments")
    assert ("Bash", "Bash") in [(one["name"], one["label"]) for one in listed]
    for name in ("Bash", "bash"):
        job_id = await jobs.create(
            "b.ipynb", source, runtime_environment_name=name, parameters={"greeting": "hej"}
        )
        assert "hej" in await printed(jobs, job_id)
        assert (await jobs.get(job_id))["runtime_environment_name"] == name
        words = f"written in python, but kernel '{name}' runs bash"
        await refused(jobs, words, runtime_environment_name=name)

    untold = json.loads(source)
    untold["metadata"] = {"language_info": {"name": "bash"}}
    job_id = await jobs.create("own.ipynb", json.dumps(untold), parameters={"greeting": "hej"})
    assert "hej" in await printed(jobs, job_id)


class MadeUpKernelSpecs(KernelSpecManager):
    """Makes kernel specs up as nb_conda_kernels does: only the server has it."""

    def find_kernel_specs(self) -> dict[str, str]:
        return {**super().find_kernel_specs(), "conda-env-geo-py": "/nowhere"}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        if kernel_name != "conda-env-geo-py":
            return super().get_kernel_spec(kernel_name)
        assert self.parent
        geo = Path(self.parent.config.MadeUpKernelSpecs.prefix)
        runner = ["python", "-m", "nb_conda_kernels.runner", "/opt/conda", str(geo)]
        argv = [*runner, f"{geo}/bin/python", "-Xfrozen_modules=off", "-m", "ipykernel_launcher"]
        resources = str(self.parent.config.MadeUpKernelSpecs.resource_dir)
        return KernelSpec(
            argv=[*argv, "-f", "{connection_file}"],
            language="python",
            display_name="geo",
            resource_dir=resources,
        )


RUNNER = "import os, sys; del os.environ['PYTHONPATH']; os.execv(sys.argv[3], sys.argv[3:])"


@pytest.fixture
def made_up_kernels(jp_server_config: dict[str, Any], envs: Path, tmp_path: Path) -> None:
    """The real one's runner activates the environment; it is found where its kernel's variables say."""
    runner = tmp_path / "packages" / "nb_conda_kernels" / "runner.py"
    runner.parent.mkdir(parents=True)
    runner.write_text(RUNNER)
    variables = {"env": {"PYTHONPATH": f"{tmp_path}/packages"}}
    (tmp_path / "packages" / "kernel.json").write_text(json.dumps(variables))
    jp_server_config["ServerApp"]["kernel_spec_manager_class"] = MadeUpKernelSpecs
    jp_server_config["MadeUpKernelSpecs"] = {
        "prefix": f"{envs}/geo",
        "resource_dir": f"{tmp_path}/packages",
    }


@pytest.mark.usefixtures("made_up_kernels")
@on_each_engine
async def test_kernels_that_only_the_server_knows(jobs: Jobs, envs: Path) -> None:
    picked = await jobs.create("n.ipynb", notebook(WHERE), runtime_environment_name="conda-env-geo-py")
    kernel = {"name": "conda-env-geo-py", "display_name": "geo", "language": "python"}
    named = await jobs.create("m.ipynb", notebook(WHERE, kernel=kernel))
    for job_id in (picked, named):
        assert (await printed(jobs, job_id)).split()[0] == str(envs / "geo")


IN_BASH = 'echo "$BASH_VERSION $(realpath $(dirname $(which python))/..) $(ulimit -d)"'
IN_PYTHON = (
    "import sys, os, resource; "
    "print(sys.version.split()[0], os.path.realpath(sys.prefix), resource.getrlimit(resource.RLIMIT_DATA)[0] // 1024)"
)
POLYGLOT = f'''""":"; {IN_BASH}; : '"""; {IN_PYTHON} #\''''
"""Says in Python and in bash which version, which environment and how much memory (KiB) it has got."""


@pytest.fixture
def two_compute_types(scheduler_config: dict[str, Any]) -> None:
    scheduler_config["compute_types"] = {"small": {"mem_limit": "1G"}, "big": {"mem_limit": "2G"}}


@pytest.mark.usefixtures("two_compute_types")
@pytest.mark.parametrize("place", ["local", "argo"], indirect=True)  # a real Kubernetes limits in another way
async def test_one_notebook_in_three_environments_with_three_kernels_and_two_compute_types(
    jobs: Jobs, envs: Path
) -> None:
    source = json.loads(notebook(POLYGLOT))
    source["metadata"] = {}
    jobs.write("n.ipynb", json.dumps(source))
    own = await jobs.environment()
    prefixes = {own: sys.prefix, "geo": str(envs / "geo"), "shell": str(envs / "shell")}
    amounts = {"small": 1024**2, "big": 2 * 1024**2}
    for name, compute_type in ((own, "small"), ("geo", "big"), ("shell", "small"), ("shell", "big")):
        job_id = await jobs.create(
            "n.ipynb", runtime_environment_name=name, compute_type=compute_type, output_formats=["ipynb"]
        )
        version, prefix, amount = (await printed(jobs, job_id)).split()
        assert (prefix, int(amount)) == (os.path.realpath(prefixes[name]), amounts[compute_type])
        assert ("release" in version) == (name == "shell")


@pytest.fixture
def papermill_inside(scheduler_config: dict[str, Any], envs: Path) -> None:
    scheduler_config["run_papermill_in_environment"] = True
    if not (envs / "whole").exists():
        as_conda_leaves_it(with_ipykernel(envs / "whole", "papermill"))


@pytest.mark.usefixtures("papermill_inside")
@on_each_engine
async def test_papermill_runs_in_the_environment_where_that_is_wished(jobs: Jobs, envs: Path) -> None:
    parent = "import os; print(open(f'/proc/{os.getppid()}/cmdline').read().split(chr(0))[:3])"
    source = notebook(parent, "print(n + 1, x, os.environ['SEEN'])", "1 / 0", parameters="n = 1; x = 0.0")
    fields = {"parameters": {"n": "41", "x": "inf"}, "output_formats": ["ipynb", "html", "log"]}
    job_id = await jobs.create("n {x}.ipynb", source, runtime_environment_name="whole", **fields)
    job = await jobs.wait(job_id)
    assert (job["status"], job["status_message"]) == (
        "FAILED",
        "ZeroDivisionError: division by zero (cell 4, In [5])",
    )
    files = await jobs.download(job_id)
    first, second = outputs(files["ipynb"]).splitlines()
    assert first == str([f"{envs}/whole/bin/python", "-m", "papermill"])
    assert second == '42 inf it\'s {here} "package"'
    assert "ZeroDivisionError" in files["html"].read_text()
    assert "42 inf" in files["log"].read_text()

    source = notebook("1", "import os; os.abort()")
    job = await jobs.wait(await jobs.create("d.ipynb", source, runtime_environment_name="whole"))
    assert (job["status"], job["status_message"]) == ("FAILED", "The kernel died in cell 2.")

    job_id = await jobs.create("p.ipynb", notebook(parent), runtime_environment_name="analytics")
    assert "argo_jupyter_scheduler.steps" in await printed(jobs, job_id)


@pytest.mark.usefixtures("papermill_inside")
async def test_a_stop_ends_papermill_in_the_environment_too(jobs: Jobs) -> None:
    code = "import time; open('begun', 'w'); time.sleep(600)"
    job_id = await jobs.create("s.ipynb", notebook(code), runtime_environment_name="whole")
    await jobs.wait(job_id, until="IN_PROGRESS")
    await eventually_async(lambda: len(marked(job_id)) >= 3)
    await jobs.request("PATCH", "jobs", job_id, body={"status": "STOPPED"})
    assert marked(job_id) == []
    assert (await jobs.get(job_id))["status"] == "STOPPED"

"""A server that is started with exactly what Nebari writes and sets, on a stand-in with Nebari's admission controller."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.stand_ins.argo import ArgoStandIn
from tests.support.eventually import eventually
from tests.support.jobs import notebook, outputs

# Nebari's own lines, in its template `jupyter_server_config.py.tpl`; no line may change.
CONFIGURATION = """
from argo_jupyter_scheduler.executor import ArgoExecutor
from argo_jupyter_scheduler.scheduler import ArgoScheduler

c.Scheduler.execution_manager_class=ArgoExecutor
c.SchedulerApp.scheduler_class=ArgoScheduler
c.SchedulerApp.scheduler_class.use_conda_store_env=True
"""

TOKENS = {
    "ARGO_TOKEN": "Bearer test-token",
    "HERA_TOKEN": "test-token",
    "CONDA_STORE_TOKEN": "conda-store-secret",
}


class Panel:
    """The panel's requests to a server that is a process of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = urllib3.PoolManager(headers={"Authorization": "token jupyter"}, retries=False)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        response = self._http.request(method, f"{self._url}/{path}", json=body)
        assert response.status < 300, response.data
        return response.json() if response.data else None

    def until(self, path: str, condition: Any, process: subprocess.Popen[bytes] | None = None) -> Any:
        def answer() -> Any:
            try:
                found = self.request("GET", path)
            except urllib3.exceptions.HTTPError:  # it is still starting
                assert process
                assert process.poll() is None
                return None
            return found if condition(found) else None

        return eventually(answer)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / "alice"
    (folder / ".jupyter").mkdir(parents=True)
    (folder / ".jupyter" / "jupyter_server_config.py").write_text(f"c = get_config()\n{CONFIGURATION}")
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


@pytest.fixture
def panel(home: Path, log: Path, argo: ArgoStandIn) -> Iterator[Panel]:
    user = {"HOME": str(home), "PATH": os.environ["PATH"]}
    argo.nebari, argo.users_environment = True, user
    environment = {
        **user,
        **TOKENS,
        "ARGO_SERVER": argo.url,  # Nebari gives `host:port`, which means https
        "ARGO_BASE_HREF": "/",
        "ARGO_NAMESPACE": "dev",
        "ARGO_HTTP1": "true",
        "PREFERRED_USERNAME": "alice@example.org",
        "JUPYTERHUB_USER": "alice",
        "JUPYTER_IMAGE": "quay.io/nebari/nebari-jupyterlab:2026.4.1",
        "CONDA_STORE_SERVICE": "localhost:9",
        "CONDA_STORE_SERVICE_NAMESPACE": "dev",
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",  # nobody there is to be asked
        "KUBERNETES_SERVICE_PORT": "9",
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--allow-root", f"--ServerApp.port={port}", "--IdentityProvider.token=jupyter"]
    command = [sys.executable, "-m", "jupyter_server", *options, f"--ServerApp.root_dir={home}"]
    with (
        log.open("wb") as file,
        subprocess.Popen(command, env=environment, cwd=home, stdout=file, stderr=file) as server,
    ):
        try:
            panel = Panel(f"http://127.0.0.1:{port}")
            panel.until("api/status", bool, server)
            yield panel
        finally:
            server.terminate()


def test_nebaris_lines_run_a_notebook(panel: Panel, argo: ArgoStandIn, home: Path, log: Path) -> None:
    (home / "n.ipynb").write_text(notebook("print(a * 7)", parameters="a = 1"))
    [environment, *_] = panel.request("GET", "scheduler/runtime_environments")
    body = {
        "name": "n",
        "input_uri": "n.ipynb",
        "output_formats": ["ipynb", "html"],
        "runtime_environment_name": environment["name"],
        "parameters": {"a": "6"},
    }
    job_id = panel.request("POST", "scheduler/jobs", body)["job_id"]
    job = panel.until(f"scheduler/jobs/{job_id}", lambda job: job["status"] in ("COMPLETED", "FAILED"))
    assert job["status"] == "COMPLETED", job
    panel.request("GET", f"scheduler/jobs/{job_id}/download_files")
    files = panel.until(f"scheduler/jobs/{job_id}", lambda job: job["downloaded"])["job_files"]
    assert [outputs(home / one["file_path"]) for one in files if one["file_format"] == "ipynb"] == ["42\n"]

    definition = {**body, "schedule": "* * * * *", "timezone": "UTC"}
    definition_id = panel.request("POST", "scheduler/job_definitions", definition)["job_definition_id"]
    argo.tick()
    runs = f"scheduler/jobs?job_definition_id={definition_id}"
    panel.until(runs, lambda answer: any(one["status"] == "COMPLETED" for one in answer["jobs"]))

    workflow, cron = argo.runs[f"job-{job_id}"].workflow, argo.crons[f"job-def-{definition_id}"]
    for thing, spec in ((workflow, workflow["spec"]), (cron, cron["spec"]["workflowSpec"])):
        labels = thing["metadata"]["labels"]
        assert labels["jupyterflow-override"] == "true"
        assert labels["workflows.argoproj.io/creator-preferred-username"] == "alice-example.org"
        assert set(spec) == {"entrypoint", "onExit", "templates", "ttlStrategy"} | set(spec) & {"arguments"}
        for template in filter(lambda one: one.get("container"), spec["templates"]):
            # `env` and `image` are the controller's; it refuses volumes, mounts and whatever else is the user's already.
            assert set(template["container"]) <= {"name", "image", "command", "args", "env", "resources"}
            assert template["container"]["env"] == [
                {"name": name, "value": value} for name, value in argo.users_environment.items()
            ]
    written = json.dumps([workflow, cron]) + log.read_text()
    assert "test-token" not in written
    assert "conda-store-secret" not in written

"""A real JupyterLab in a process of its own, whose runs are on this machine or on the stand-in for Argo."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.stand_ins.argo import ArgoStandIn
from tests.support.eventually import eventually
from tests.support.jobs import outputs, real_argo, stand_in_argo

NOTEBOOKS_BUTTONS = "@jupyter-notebook/lab-extension"
"""What Jupyter Notebook adds to JupyterLab's toolbars, where it may leave no room for the calendar icon."""


@dataclass(frozen=True)
class Lab:
    """A server that runs.

    Attributes
    ----------
    url
        Its base URL, with a slash at its end.
    root
        JupyterLab's root folder.
    folder
        What else belongs to it: `config`, `data` and `lab.log`.
    stop
        Ends the server.
    restart
        Starts it again at the same address.
    """

    url: str
    root: Path
    folder: Path
    stop: Callable[[], None]
    restart: Callable[[], None]

    def request(self, path: str, body: object = None, method: str | None = None) -> Any:
        """Ask the server itself, as the panel does."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.url + path, data, {"Authorization": "token t"}, method=method)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def submit(self, name: str, input_uri: str, path: str = "jobs", **values: object) -> str:
        """Create a job or a definition by the REST API; return its id."""
        [environment, *_] = self.request("scheduler/runtime_environments")
        model = {"name": name, "input_uri": input_uri, "runtime_environment_name": environment["name"]}
        answer = self.request(f"scheduler/{path}", {**model, "output_formats": ["ipynb"], **values})
        return str(next(iter(answer.values())))

    def wait_for_job(self, name: str) -> Any:
        """Return the newest job of a name as Jupyter-Scheduler describes it, once it has ended."""

        def find() -> Any:
            jobs = self.request(f"scheduler/jobs?name={name}")["jobs"]
            return jobs and jobs[0]["status"] in ("COMPLETED", "FAILED", "STOPPED") and jobs[0]

        return eventually(find)

    def read_outputs(self, job: Any) -> str:
        """Return what the cells of a job's executed notebook printed."""
        staged = self.folder / "data" / "scheduler_staging_area" / job["job_id"]
        [executed] = staged.glob(f"{job['name']}-*.ipynb")
        return outputs(executed)

    def page_of(self, path: str = "") -> str:
        """Return the address of JupyterLab, or of a file in it."""
        return f"{self.url}lab{path and '/tree/'}{path}?token=t&reset"

    def write_settings(self, plugin: str, settings: object) -> None:
        """Write the user's settings of a plugin; the page reads them when it is loaded."""
        package, name = plugin.split(":")
        folder = self.folder / "config" / "lab" / "user-settings" / package
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.jupyterlab-settings").write_text(json.dumps(settings))

    def disable(self, *extensions: str) -> None:
        """Disable extensions of the page as ``jupyter labextension disable`` does."""
        config = self.folder / "config" / "labconfig" / "page_config.json"
        config.parent.mkdir(exist_ok=True)
        disabled = dict.fromkeys((NOTEBOOKS_BUTTONS, *extensions), True)
        config.write_text(json.dumps({"disabledExtensions": disabled}))


@contextlib.contextmanager
def running_lab(
    folder: Path,
    traits: dict[str, Any],
    argo: ArgoStandIn | Literal["real"] | None = None,
    program: str = "jupyterlab",
) -> Iterator[Lab]:
    """Run a JupyterLab in a folder of its own.

    Parameters
    ----------
    traits
        Traits of `ArgoScheduler`.
    argo
        Where runs are: on a stand-in, or on the Argo of CONTRIBUTING.md; by default on this machine.
    program
        The Python module that is the server's application.
    """
    root, config, data, runtime = (folder / name for name in ("root", "config", "data", "runtime"))
    root.mkdir()
    config.mkdir()
    variables = {
        **os.environ,
        "HOME": str(folder),
        "JUPYTER_DATA_DIR": str(data),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_CONFIG_DIR": str(config),
    }
    if argo == "real":
        traits = {**real_argo(variables), **traits}
    elif argo:
        variables["ARGO_TOKEN"] = f"Bearer {argo.token}"
        traits = {**stand_in_argo(argo.url, folder, variables), **traits}
    (config / "jupyter_server_config.json").write_text(json.dumps({"ArgoScheduler": traits}))
    command = [sys.executable, "-m", program, "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += ["--IdentityProvider.token=t", f"--ServerApp.root_dir={root}", "--expose-app-in-browser"]
    log = folder / "lab.log"
    server: subprocess.Popen[bytes] | None = None
    lab: Lab | None = None

    def start() -> None:
        nonlocal server
        port = urllib.parse.urlsplit(lab.url).port if lab else 0
        with open(log, "ab") as file:
            server = subprocess.Popen(
                [*command, f"--port={port}"], env=variables, stdout=file, stderr=file, cwd=folder
            )
        eventually(find_url, state=log.read_text)

    def stop() -> None:
        assert server
        server.terminate()
        try:
            server.wait(90)
        except subprocess.TimeoutExpired:
            # It has shut down, and waits for a thread of AnyIO: https://github.com/jupyterlab/jupyterlab/issues/10442
            server.kill()
            server.wait()

    def find_url() -> str:
        assert server
        assert server.poll() is None, log.read_text()
        described = runtime / f"jpserver-{server.pid}.json"
        with contextlib.suppress(OSError, ValueError):  # half written, or not listening yet
            url = str(json.loads(described.read_text())["url"])
            urllib.request.urlopen(f"{url}api/status?token=t", timeout=30).close()
            return url
        return ""

    try:
        start()
        lab = Lab(find_url(), root, folder, stop, start)
        lab.write_settings(
            "@jupyterlab/apputils-extension:notification", {"fetchNews": "false", "checkForUpdates": False}
        )
        lab.disable()
        yield lab
    finally:
        stop()

"""A real JupyterLab server process that can be killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import urllib3

from argo_jupyter_scheduler.storage.input_folder import PRIVATE
from tests.faults.injection import Injection
from tests.faults.world import STUCK_SECONDS, World
from tests.support.eventually import eventually

TOKEN = "token"
INSTALLED = Path(__file__).parents[2] / "jupyter-config" / "jupyter_jupyter_scheduler_config.json"

OTHER_EXTENSIONS = ("jupyterlab", "jupyter_lsp", "jupyter_server_terminals", "notebook_shim")
"""Would double the time that the server needs to start."""


class Gone(Exception):
    """The server was killed before it answered."""


class JupyterLab:
    """One user's JupyterLab.

    Parameters
    ----------
    world
        Its rows, folders and runs.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(60))
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""

    def start(self, injection: Injection | None = None) -> None:
        """Start the server; return once it answers."""
        config = json.loads(INSTALLED.read_text())
        config["SchedulerApp"]["db_url"] = self.world.database.engine.url.render_as_string(
            hide_password=False
        )
        extensions = dict.fromkeys(OTHER_EXTENSIONS, False) | {"jupyter_scheduler": True}
        config["ServerApp"] = {"jpserver_extensions": extensions, "allow_root": True}
        config["ServerApp"] |= {"root_dir": str(self.world.root), "port": 0, "open_browser": False}
        config["IdentityProvider"] = {"token": TOKEN}
        config["ArgoScheduler"] = self.world.traits
        config["ArgoTaskRunner"] = {"mend_interval": 0.3, "poll_interval": 0.3}
        file = self.world.folder / "jupyter_server_config.json"
        file.write_text(json.dumps(config))
        runtime = self.world.folder / "runtime"
        runtime.mkdir(exist_ok=True)
        environment = {**os.environ, **(injection.environment() if injection else {})}
        environment["JUPYTER_RUNTIME_DIR"] = str(runtime)
        command = [sys.executable, "-m", "jupyter_server", "--config", str(file)]
        log = open(self.world.folder / "server.log", "ab")  # noqa: SIM115 (the process keeps it)
        self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        log.close()
        known = runtime / f"jpserver-{self._process.pid}.json"
        eventually(lambda: known.exists() and known.read_text().endswith("}"), state=self.read_log)
        self._url = json.loads(known.read_text())["url"]
        eventually(self._answers, state=self.read_log)

    def _answers(self) -> bool:
        try:
            self.request("GET", "jobs")
        except Gone:
            return False
        return True

    def read_log(self) -> str:
        """Return what the servers have logged."""
        return (self.world.folder / "server.log").read_text()

    def request(self, method: str, *path: str, body: Any = None) -> Any:
        """Send a request as the panel does; return the answer.

        Raises
        ------
        Gone
            There was none.
        """
        status, answer = self.ask(method, *path, body=body)
        assert status < 300, (status, answer)
        return answer

    def ask(self, method: str, *path: str, body: Any = None) -> tuple[int, Any]:
        """Do the same; return the answer's status, which may be an error, and the answer."""
        try:
            response = self._http.request(
                method,
                f"{self._url}scheduler/{'/'.join(path)}",
                body=None if body is None else json.dumps(body),
                headers={"Authorization": f"token {TOKEN}"},
            )
        except urllib3.exceptions.HTTPError as error:
            raise Gone(str(error)) from error
        return response.status, json.loads(response.data) if response.data else None

    def kill(self) -> None:
        """Kill the server, and nothing else."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill the server if it still lives, and start it again."""
        self.kill()
        self.start()

    def wait_until_finished(self) -> None:
        """Wait until what was interrupted is finished."""
        private = self.world.staging / PRIVATE
        eventually(
            lambda: not list(private.glob("*/*")),
            timeout=STUCK_SECONDS,
            state=lambda: f"{list(private.glob('*/*'))} {self.read_log()}",
        )

    def wait_until_idle(self) -> None:
        """Wait until no job is live, so that whatever was interrupted had its time."""

        def is_idle() -> bool:
            jobs = self.request("GET", "jobs")["jobs"]
            return not [job for job in jobs if job["status"] in ("CREATED", "QUEUED", "IN_PROGRESS")]

        eventually(is_idle, state=lambda: f"{self.request('GET', 'jobs')['jobs']} {self.read_log()}")

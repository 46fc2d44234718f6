"""A Jupyter server with the scheduler, and where the real Argo is: what the benchmarks share."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LIVE = ("CREATED", "QUEUED", "IN_PROGRESS", "STOPPING")


class Server:
    """A Jupyter server with the scheduler, and its REST API."""

    def __init__(self, folder: Path, *options: str, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ARGO_")}
        folders = {
            f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("DATA", "RUNTIME", "CONFIG")
        }
        self.environment = {**clean, **folders, **(environment or {})}
        command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--port=0"]
        command += [
            "--IdentityProvider.token=t",
            "--ServerApp.disable_check_xsrf=True",
            f"--ServerApp.root_dir={folder}",
        ]
        self.log = open(folder / "server.log", "wb")  # noqa: SIM115 (closed in `close`)
        self.process = subprocess.Popen(
            [*command, *options], env=self.environment, cwd=folder, stdout=self.log, stderr=self.log
        )
        while not (files := list((folder / "runtime").glob("jpserver-*.json"))):
            if self.process.poll() is not None:
                raise SystemExit((folder / "server.log").read_text())
            time.sleep(0.1)
        self.url = json.loads(files[0].read_text())["url"]
        self._wait_for_answers()
        begun = time.perf_counter()
        self.environment_name = self.call("GET", "runtime_environments")[0]["name"]
        self.first_list_seconds = time.perf_counter() - begun

    def _wait_for_answers(self) -> None:
        """Wait until the server, whose address stands in a file by now, listens there."""
        while True:
            try:
                urllib.request.urlopen(f"{self.url}api/status?token=t", timeout=60).close()
                return
            except urllib.error.URLError:
                if self.process.poll() is not None:
                    raise SystemExit((self.folder / "server.log").read_text()) from None
                time.sleep(0.05)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the scheduler's REST API."""
        return self.request(method, f"scheduler/{path}", body)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Call the server."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, method=method)
        request.add_header("Authorization", "token t")
        with urllib.request.urlopen(request, timeout=600) as response:
            return json.loads(response.read() or b"null")

    def create(self, environment: str = "", **fields: Any) -> str:
        """Create a job of the smallest notebook, in the server's own environment or another; return its id."""
        return str(self.call("POST", "jobs", self.describe(environment, **fields))["job_id"])

    def describe(self, environment: str = "", **fields: Any) -> dict[str, Any]:
        """Return the request for a job, or a definition, of the smallest notebook."""
        common = {"input_uri": "hello.ipynb", "name": "hello", "output_formats": ["ipynb", "html"]}
        return {**common, "runtime_environment_name": environment or self.environment_name, **fields}

    def wait(self, job_id: str, interval: float = 0.05) -> dict[str, Any]:
        """Return a job once it has ended."""
        while (job := self.call("GET", f"jobs/{job_id}"))["status"] in LIVE:
            time.sleep(interval)
        return dict(job)

    def close(self) -> None:
        """End the server."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            # It has shut down, and waits for a thread of AnyIO: https://github.com/jupyterlab/jupyterlab/issues/10442
            self.process.kill()
            self.process.wait()
        self.log.close()


@contextmanager
def server(
    *options: str, environment: dict[str, str] | None = None, traits: dict[str, Any] | None = None
) -> Iterator[Server]:
    """Start a server in a folder of its own, with traits of `ArgoScheduler`."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        (Path(folder) / "hello.ipynb").write_bytes((ROOT / "examples" / "hello.ipynb").read_bytes())
        for name in ("runtime", "data", "config"):
            (Path(folder) / name).mkdir()
        config = {"ArgoScheduler": traits or {}}
        (Path(folder) / "config" / "jupyter_server_config.json").write_text(json.dumps(config))
        running = Server(Path(folder), *options, environment=environment)
        try:
            yield running
        finally:
            running.close()


def parser_of(about: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", type=Path)
    return parser


def options_of(about: str | None) -> argparse.Namespace:
    """Return the options of a benchmark that repeats what it measures."""
    parser = parser_of(about)
    parser.add_argument("--runs", type=int, default=5)
    return parser.parse_args()


def keep(results: dict[str, Any], file: Path | None) -> None:
    """Write the results as JSON, where that is asked for."""
    if file:
        file.write_text(json.dumps(results, indent=1) + "\n")


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def real_argo() -> tuple[dict[str, Any], dict[str, str]]:
    """Return the traits and the environment of a server on the real Argo."""
    folders = os.environ.get("ARGO_TEST_FOLDERS", "/usr:/etc:/root:/home:/tmp").split(":")
    names = {folder: "folder" + folder.replace("/", "-") for folder in folders}
    traits = {
        "image": os.environ.get("ARGO_TEST_IMAGE", "registry.local/host:1"),
        "volumes": [{"name": name, "hostPath": {"path": folder}} for folder, name in names.items()],
        "volume_mounts": [{"name": name, "mountPath": folder} for folder, name in names.items()],
        "environment": {name: os.environ[name] for name in ("PATH", "HOME")},
    }
    return traits, {key: value for key, value in os.environ.items() if key.startswith("ARGO_")}

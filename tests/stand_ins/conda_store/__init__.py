"""A real conda-store server, installed from PyPI into an environment of its own (245 MB, once)."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.eventually import eventually

HERE = Path(__file__).parent
VERSION = "2025.2.2"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "argo-jupyter-scheduler"
INSTALLED = CACHE / f"conda-store-{VERSION}-python{sys.version_info[0]}.{sys.version_info[1]}"


@dataclass(frozen=True)
class Server:
    """A server that runs: its address, and where its environments' folders would be."""

    url: str
    state: Path
    environment: dict[str, str]

    @property
    def prefix(self) -> str:
        return f"{self.state}/home/conda/{{namespace}}/envs/{{namespace}}-{{name}}"

    def seed(self, *environments: str) -> None:
        """Add environments, ``namespace/name``; with `!` in front, ones whose build is only queued."""
        command = [str(INSTALLED / "bin" / "python"), str(HERE / "seed.py"), *environments]
        subprocess.run(command, env=self.environment, check=True, capture_output=True)


def install() -> None:
    """Install the server, unless it is; skip the test where nobody asked for it (REQUIRE_CONDA_STORE)."""
    program = INSTALLED / "bin" / "conda-store-server"
    if (INSTALLED / "complete").exists():
        return
    if not os.environ.get("REQUIRE_CONDA_STORE"):
        pytest.skip("conda-store's server is not installed: set REQUIRE_CONDA_STORE=1 to have it installed")
    shutil.rmtree(INSTALLED, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(INSTALLED)], check=True)
    # pip takes three minutes to choose its dependencies. Both trust the certificates of this machine.
    install = [sys.executable, "-m", "uv", "pip", "install", "-q", "--native-tls", "--python", str(INSTALLED)]
    subprocess.run([*install, f"conda-store-server=={VERSION}"], check=True)
    assert program.exists()
    (INSTALLED / "complete").touch()


@contextlib.contextmanager
def server(state: Path) -> Iterator[Server]:
    """Run a server that keeps all it has in a folder."""
    install()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (state / "xdg" / "conda-store").mkdir(parents=True)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(state),
        "XDG_DATA_HOME": str(state / "xdg"),
        "PYTHONPATH": str(HERE / "without_conda"),
        "CONDA_STORE_STATE": str(state),
        "CONDA_STORE_PORT": str(port),
    }
    command = [str(INSTALLED / "bin" / "conda-store-server"), "--config", str(HERE / "config.py")]
    with open(state / "server.log", "wb") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=state, stdout=log, stderr=log, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}/conda-store"
    try:
        _wait(process, url, state / "server.log")
        yield Server(url, state, environment)
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # its first process alone would leave its children
        process.wait(20)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/api/v1/", timeout=5).close()
            return True
        return False

    eventually(answers, state=log.read_text)

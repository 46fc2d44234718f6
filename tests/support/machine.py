"""A user's machine, and the command on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from argo_jupyter_scheduler.cli.app import main

Check = dict[str, str]


class Machine:
    """A user's machine: a home folder with Jupyter's folders in it, and the command."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self._capsys = home, capsys
        self.config = home / "config"
        self.data = home / "data"
        self.exit_code = 0
        self.output = ""

    def configure(self, file: str = "jupyter_server_config", **sections: Any) -> None:
        self.config.mkdir(exist_ok=True)
        (self.config / f"{file}.json").write_text(json.dumps(sections))

    def command(self, *arguments: str) -> str:
        self.exit_code = main([*arguments])
        captured = self._capsys.readouterr()
        self.output += captured.out + captured.err
        return captured.out

    def doctor(self, *arguments: str) -> dict[str, list[Check]]:
        """Return the findings by what was looked at."""
        answer = json.loads(self.command("doctor", "--json", *arguments))
        found: dict[str, list[Check]] = {}
        for one in answer["checks"]:
            found.setdefault(one["check"], []).append(one)
        bad = {one["status"] for one in answer["checks"]}
        worst = "problem" if "problem" in bad else "warning" if "warning" in bad else "ok"
        assert (answer["status"], self.exit_code) == (worst, int(worst == "problem"))
        return found

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*") if path.is_file())


@pytest.fixture
def machine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> Machine:
    home = tmp_path / "home"
    home.mkdir()
    if not request.node.get_closest_marker("argo"):
        for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "JUPYTER_IMAGE", "JUPYTER_IMAGE_SPEC"):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    for name in ("config", "data", "runtime"):
        monkeypatch.setenv(f"JUPYTER_{name.upper()}_DIR", str(home / name))
    return Machine(home, capsys)


def of(found: dict[str, list[Check]]) -> dict[str, list[str]]:
    """Return the statuses of what was looked at."""
    return {check: [one["status"] for one in ones] for check, ones in found.items()}

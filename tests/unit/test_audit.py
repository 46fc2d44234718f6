"""What CI makes of pip-audit's answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

AUDIT = Path(__file__).parents[2] / ".ci" / "audit.py"


def report(**fields: object) -> str:
    return json.dumps({"dependencies": [{"name": "urllib3", "version": "2.0.0", **fields}], "fixes": []})


def vulnerability(*fixes: str) -> str:
    return report(vulns=[{"id": "PYSEC-1", "fix_versions": fixes, "aliases": [], "description": ""}])


@pytest.mark.parametrize(
    ("program", "code", "words"),
    [
        (f"echo '{vulnerability('2.0.1')}'; exit 1", 1, "urllib3 2.0.0: PYSEC-1, mended in 2.0.1"),
        (f"echo '{vulnerability()}'; exit 1", 0, "urllib3 2.0.0: PYSEC-1, mended in no release yet"),
        (f"echo '{report(vulns=[])}'", 0, "vulnerabilities: 0"),
        (f"echo '{report(skip_reason='not found')}'", 0, "The index knows nothing of 1 of "),
        ("echo 'Traceback' >&2; echo 'ConnectionError: no route' >&2; exit 1", 0, "not audited: ConnectionE"),
        ("exec sleep 60", 0, "not audited: no answer within 1 s"),
    ],
)
def test_only_a_vulnerability_that_an_upgrade_mends_is_a_failure(
    tmp_path: Path, program: str, code: int, words: str
) -> None:
    script = tmp_path / "pip-audit"
    script.write_text(f"#!/bin/sh\n{program}\n")
    script.chmod(0o700)
    seconds = "1" if "sleep" in program else "60"
    done = subprocess.run([sys.executable, AUDIT, script, seconds], capture_output=True, text=True)
    assert (done.returncode, words in done.stdout, done.stderr) == (code, True, "")


def test_each_direct_dependency_is_asked_for(tmp_path: Path) -> None:
    script = tmp_path / "pip-audit"
    script.write_text(f'#!/bin/sh\ncp "$2" {tmp_path / "asked"}\n')
    script.chmod(0o700)
    subprocess.run([sys.executable, AUDIT, script], capture_output=True)
    asked = (tmp_path / "asked").read_text().split()
    assert len(asked) > 10
    assert all("==" in line for line in asked)
    assert not [line for line in asked if line.startswith(("pytest", "jupyterlab=="))]

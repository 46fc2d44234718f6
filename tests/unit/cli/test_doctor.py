"""Findings, as text and as JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from argo_jupyter_scheduler.cli.doctor.finding import as_json, ok, problem, show, warning
from argo_jupyter_scheduler.cli.doctor.formats import check_formats
from argo_jupyter_scheduler.cli.doctor.schedules import check_reports
from argo_jupyter_scheduler.cli.doctor.storage import describe_unreadable, find_lock_trouble
from argo_jupyter_scheduler.cli.manifest import is_before_schedules
from argo_jupyter_scheduler.storage.database import Database
from tests.support.jobs import notebook
from tests.support.services import Services, SmallEngine

FINDINGS = [ok("a", "fine"), warning("b", "perhaps", "look"), problem("c", "bad", "act")]


def test_findings_as_text() -> None:
    out = io.StringIO()
    assert show(FINDINGS, out) == FINDINGS
    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["ok", "a", "fine"]
    assert [line.strip() for line in (lines[2], lines[4])] == ["look", "act"]
    assert lines[-1] == "1 problem, 1 warning."
    out = io.StringIO()
    show(FINDINGS[:1], out)
    assert out.getvalue().endswith("No problems found.\n")


@pytest.mark.parametrize(("count", "worst"), [(1, "ok"), (2, "warning"), (3, "problem")])
def test_findings_as_json(count: int, worst: str) -> None:
    content = json.loads(as_json(FINDINGS[:count]))
    assert (content["status"], len(content["checks"])) == (worst, count)


def test_formats_that_cannot_be_made() -> None:
    finding = check_formats({"html": (), "ipynb": (), "pdf": ("xelatex", "pandoc"), "rst": ("pandoc",)})
    assert finding.status == "ok"
    assert finding.message == (
        "html, ipynb; not available: pdf (xelatex and pandoc are missing), rst (pandoc is missing)"
    )
    assert check_formats({"html": ()}).message == "html"
    assert "html" in check_formats().message


@pytest.mark.parametrize(
    ("tags", "parameters", "settings", "names"),
    [
        (("late:10m",), {"SLACK_CHANNEL": "a"}, {}, ["nightly"]),
        ((), {"SLACK_CHANNEL": "a"}, {"late_after_seconds": 60}, ["nightly"]),
        ((), {"SLACK_CHANNEL": "a"}, {}, []),
        (("late:10m",), {}, {}, []),
        (("late:10m",), {"SLACK_CHANNEL": "a", "SLACK_TOKEN": "xoxb-1"}, {}, []),
        (("late:10m",), {"SLACK_CHANNEL": "a"}, {"slack_token": "xoxb-1"}, []),
    ],
)
def test_late_runs_that_only_pods_could_report(
    database: Database,
    tmp_path: Path,
    tags: tuple[str, ...],
    parameters: dict[str, str],
    settings: dict[str, Any],
    names: list[str],
) -> None:
    class PodsHaveAToken(SmallEngine):
        has_slack_token = True

    services = Services(database, tmp_path, PodsHaveAToken(), **settings)
    services.write("n.ipynb", notebook("1"))
    services.define(name="nightly", tags=tags, parameters=parameters)
    findings = list(check_reports(services.jobs))
    assert [name for finding in findings for name in names if name in finding.message] == names
    assert len(findings) == len(names)


def test_a_file_system_without_locks(tmp_path: Path) -> None:
    uri = (tmp_path / "a.sqlite").as_uri()
    assert find_lock_trouble(uri) == ""
    without_locks = f"{(tmp_path / 'b.sqlite').as_uri()}?vfs=unix-none"
    assert find_lock_trouble(without_locks).startswith("it does not support locks")
    assert find_lock_trouble((tmp_path / "no folder" / "c.sqlite").as_uri()) == "unable to open database file"


def test_a_database_that_is_locked() -> None:
    finding = describe_unreadable(Path("x"), "database is locked")
    assert finding.message == "x is locked by another program: database is locked"


@pytest.mark.parametrize(
    ("version", "expected"),
    [("", False), ("3.5", True), ("v3.4.4", True), ("3.6", False), ("v4.1.2-rc1", False), ("10.0", False)],
)
def test_versions_of_argo_with_one_schedule(version: str, expected: bool) -> None:
    assert is_before_schedules(version) is expected

"""Job definitions as files, by the REST API and on the command line, on each engine."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from tests.stand_ins.argo import ArgoStandIn
from tests.support.jobs import Jobs, Story, notebook, on_each_engine, outputs, refusal
from tests.support.machine import Machine

NOTEBOOK = notebook("print(days)", parameters="days = 1")
DAILY = """\
name: Daily report
notebook: ../daily.ipynb
schedule: "* * * * *"
parameters: {days: 30}
formats: [ipynb]
"""
PAUSED = "---\nname: Other report\nnotebook: ../daily.ipynb\nschedule: '@daily'\npaused: true\n"


async def send(jobs: Jobs, text: str, **fields: Any) -> list[dict[str, Any]]:
    body = json.dumps({"files": {"schedules/daily.yaml": text}, **fields})
    answer = await jobs.fetch("argo-scheduler", "definitions", "apply", method="POST", body=body)
    content = json.loads(answer.body)
    assert content["dry_run"] == fields.get("dry_run", False)
    assert [change["failure"] for change in content["changes"]] == [None] * len(content["changes"])
    return list(content["changes"])


async def names(jobs: Jobs) -> dict[str, dict[str, Any]]:
    found = (await jobs.request("GET", "job_definitions"))["job_definitions"]
    return {definition["name"]: definition for definition in found}


@on_each_engine
async def test_definitions_are_applied_by_rest(
    jobs: Jobs, next_minute: Callable[[], Awaitable[None]], place: str, request: pytest.FixtureRequest
) -> None:
    jobs.write("daily.ipynb", NOTEBOOK)
    planned = await send(jobs, DAILY + PAUSED, dry_run=True)
    assert ([change["action"] for change in planned], await names(jobs)) == (["create", "create"], {})

    created = await send(jobs, DAILY + PAUSED)
    ids = {change["name"]: change["job_definition_id"] for change in created}
    shown = await names(jobs)
    assert {name: shown[name]["job_definition_id"] for name in shown} == ids
    assert [shown[name]["active"] for name in ("Daily report", "Other report")] == [True, False]
    story = Story(jobs, next_minute, ids["Daily report"])
    run = await story.next_run()
    assert (run["status"], await story.printed(run)) == ("COMPLETED", "30\n")
    if place == "argo":
        crons = request.getfixturevalue("argo").crons
        suspended = {name: cron["spec"].get("suspend", False) for name, cron in crons.items()}
        assert suspended == {
            f"job-def-{ids['Daily report']}": False,
            f"job-def-{ids['Other report']}": True,
        }

    text = DAILY.replace("30", "31") + PAUSED
    first, second = await send(jobs, text)
    assert (first["action"], second["action"]) == ("change", "keep")
    assert first["fields"] == {"parameters": {"before": {"days": "30"}, "after": {"days": "31"}}}
    assert first["place"] == "schedules/daily.yaml:1"
    run = await story.next_run()
    assert await story.printed(run) == "31\n"
    assert {change["action"] for change in await send(jobs, text)} == {"keep"}

    answer = await jobs.fetch("argo-scheduler", "definitions", "export", method="GET")
    exported = json.loads(answer.body)
    assert (list(exported["files"]), exported["warnings"]) == (["daily-report.yaml", "other-report.yaml"], [])
    assert "notebook: daily.ipynb\n" in exported["files"]["daily-report.yaml"]
    body = json.dumps({"files": exported["files"]})
    answer = await jobs.fetch("argo-scheduler", "definitions", "apply", method="POST", body=body)
    assert {change["action"] for change in json.loads(answer.body)["changes"]} == {"keep"}

    assert [change["action"] for change in await send(jobs, text.partition("---")[0], prune=True)] == [
        "keep",
        "delete",
    ]
    assert list(await names(jobs)) == ["Daily report"]
    if place == "argo":
        assert list(request.getfixturevalue("argo").crons) == [f"job-def-{ids['Daily report']}"]


@pytest.mark.parametrize("place", ["local"], indirect=True)
async def test_a_request_that_is_wrong_is_refused(jobs: Jobs) -> None:
    jobs.write("daily.ipynb", NOTEBOOK)
    bodies: list[tuple[dict[str, Any], str]] = [
        (
            {"files": {"a.yaml": "name: a\nnotebook: dayly.ipynb\n"}},
            "a.yaml:2: Notebook 'dayly.ipynb' not found",
        ),
        ({"files": {"../../a.yaml": DAILY}}, "../../a.yaml:2: Input path '../daily.ipynb' is outside"),
        ({"files": {"a.yaml": 7}}, "files.a.yaml: write the file's text."),
        ({"files": [DAILY]}, "files: write the texts of files by their paths."),
        ({"file": DAILY}, "Field 'file' not found. Available: files"),
        ({"files": {"s/a.yaml": DAILY}, "prune": 1}, "prune: write true or false."),
        ({"files": {"s/a.yaml": DAILY}, "origin": "A b"}, "'A b' is not a valid origin."),
        ({"prune": True}, "The files contain no job definitions"),
    ]
    for body, words in bodies:
        with pytest.raises(HTTPClientError) as error:
            await jobs.fetch("argo-scheduler", "definitions", "apply", method="POST", body=json.dumps(body))
        assert error.value.code == 400
        assert words in refusal(error)
    assert await names(jobs) == {}


def listed(machine: Machine) -> dict[str, dict[str, Any]]:
    return {found["name"]: found for found in json.loads(machine.command("definitions", "--json"))}


@pytest.fixture
def folder(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files, which is in the root folder; it is the current one."""
    made = machine.home / "work" / "schedules"
    made.mkdir(parents=True)
    (made.parent / "daily.ipynb").write_text(NOTEBOOK)
    (made / "daily.yaml").write_text(DAILY + PAUSED)
    (made / ".hidden.yaml").write_text("- not a definition")
    (made / "notes.txt").write_text("not a definition")
    monkeypatch.setenv("JUPYTER_SERVER_ROOT", str(made.parent))  # as in a terminal of JupyterLab
    monkeypatch.chdir(made)
    return made


def test_definitions_are_applied_by_the_command(machine: Machine, folder: Path) -> None:
    before = machine.files()
    printed = machine.command("apply", ".", "--dry-run").splitlines()
    assert (printed[0], printed[-1]) == (
        "+ Daily report (daily.yaml:1)",
        "Would be: 2 created, 0 changed, 0 deleted, 0 unchanged.",
    )
    assert (machine.exit_code, machine.files()) == (0, before)

    assert machine.command("apply", ".").splitlines()[-1] == (
        "Job definitions: 2 created, 0 changed, 0 deleted, 0 unchanged."
    )
    assert machine.command("apply", ".", "daily.yaml") == (
        "Job definitions: 0 created, 0 changed, 0 deleted, 2 unchanged.\n"
    )
    (folder / "daily.yaml").write_text(DAILY.replace("* * * * *", "0 6 * * *") + "options: {retries: 2}\n")
    assert machine.command("apply", "daily.yaml", "--dry-run").splitlines() == [
        "~ Daily report (daily.yaml:1)",
        "    schedule: * * * * * → 0 6 * * *",
        "    options.retries: null → 2",
        "Would be: 0 created, 1 changed, 0 deleted, 0 unchanged.",
    ]
    assert listed(machine)["Daily report"]["schedule"] == "* * * * *"
    changes = json.loads(machine.command("apply", "daily.yaml", "--prune", "--json"))["changes"]
    assert [(change["action"], change["name"]) for change in changes] == [
        ("change", "Daily report"),
        ("delete", "Other report"),
    ]
    assert [(name, found["schedule"]) for name, found in listed(machine).items()] == [
        ("Daily report", "0 6 * * *")
    ]
    answer = json.loads(machine.command("run-now", "Daily report", "--json"))
    assert (answer["status"], outputs(answer["files"][0]["path"])) == ("COMPLETED", "30\n")

    [file] = machine.command("export", "exported").splitlines()
    assert file == os.path.join("exported", "daily-report.yaml")
    assert "notebook: ../../daily.ipynb\n" in (folder / file).read_text()
    assert machine.command("export").startswith("name: Daily report\nnotebook: ../daily.ipynb\n")
    assert machine.command("apply", "exported").endswith("1 unchanged.\n")
    assert machine.command("export", "exported") == ""
    assert machine.exit_code == 1
    assert "'exported/daily-report.yaml' already exists" in machine.output
    assert machine.command("export", "exported", "--overwrite") == f"{file}\n"


def test_files_that_are_wrong_change_nothing(machine: Machine, folder: Path) -> None:
    (folder / "bad.yml").write_text("name: a\nnotbook: n.ipynb\n")
    (folder / "worse.yaml").write_bytes(b"name: \xff\n")
    machine.configure(ServerApp={"root_dir": str(machine.home)})  # wins over a terminal's
    before = machine.files()
    assert machine.command("apply", ".", "--prune") == ""
    assert (machine.exit_code, machine.files()) == (1, before)
    for words in (
        "bad.yml:2: Key 'notbook' not found. Available: notebook.",
        "worse.yaml: The file is not UTF-8. Save it as UTF-8.",
    ):
        assert words in machine.output
    for arguments, code, words in (
        (("export",), 1, "No jobs yet"),
        (("apply", "gone"), 1, "File 'gone' not found."),
        (("apply",), 2, "FOLDER or FILE is missing"),
        (("apply", "daily.yaml", "--prun"), 2, "Available: --prune"),
        (("apply", "daily.yaml", "--root-dir", str(folder)), 1, "is outside the root folder"),
        (("export", "a", "b"), 2, "Unexpected argument 'b'"),
    ):
        assert machine.command(*arguments) == ""
        assert machine.exit_code == code, arguments
        assert words in machine.output


def test_the_command_makes_cron_workflows(
    machine: Machine, folder: Path, argo: ArgoStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGO_TOKEN", f"Bearer {argo.token}")
    home = {"name": "home", "persistentVolumeClaim": {"claimName": "home"}}
    mount = {"name": "home", "mountPath": str(machine.home)}
    traits = {"argo_server": argo.url, "image": "stand-in", "volumes": [home], "volume_mounts": [mount]}
    machine.configure(ServerApp={"root_dir": str(folder.parent)}, ArgoScheduler=traits)
    machine.command("apply", ".")
    assert machine.exit_code == 0, machine.output
    ids = {name: found["job_definition_id"] for name, found in listed(machine).items()}
    assert argo.crons.keys() == {f"job-def-{id_}" for id_ in ids.values()}
    assert argo.crons[f"job-def-{ids['Other report']}"]["spec"]["suspend"] is True

    # Argo refuses a change: the file says what it should be, so the next time it is tried again.
    (folder / "daily.yaml").write_text(DAILY.replace("* * * * *", "0 6 * * *") + PAUSED)
    refusal = {"code": 7, "message": "not allowed"}
    argo.fail_next(403, refusal, method="PUT")
    printed = machine.command("apply", ".")
    assert machine.exit_code == 1
    assert printed.startswith("~ Daily report (daily.yaml:1): FAILED")
    assert "not allowed" in machine.output
    assert machine.command("apply", ".").splitlines()[-1].startswith("Job definitions: 0 created, 1 changed")
    assert argo.crons[f"job-def-{ids['Daily report']}"]["spec"]["schedules"] == ["0 6 * * *"]

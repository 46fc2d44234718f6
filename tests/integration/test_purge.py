"""Old jobs and what is left of others: a real server, real runs on each engine, and the command beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.cli.app import main
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.engines.argo.labels import DATABASE_LABEL
from argo_jupyter_scheduler.jobs.reconciler import Reconciler
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.folders import RunFolder
from tests.stand_ins.argo import ArgoStandIn
from tests.support.eventually import eventually_async
from tests.support.jobs import Jobs, Story, notebook, reconcile_twice

HOUR = 3600
PRINTS = notebook("print('done')")
FAILS = notebook("1 / 0")

on_both_engines = pytest.mark.parametrize("place", ["local", "argo"], indirect=True)

Command = Callable[..., Awaitable[str]]


@pytest.fixture
def command(jp_server_config: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Call a command with the server's configuration, while the server goes on; return what it prints."""
    file = tmp_path / "command.json"
    file.write_text(json.dumps(jp_server_config))

    async def call(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        assert await asyncio.to_thread(main, [*arguments, "--config", str(file)]) == code
        return capsys.readouterr().out

    return call


def is_there(scheduler: ArgoScheduler, job_id: str) -> tuple[bool, bool, bool]:
    """Return whether a job has a row, a folder and a workflow."""
    row = scheduler.jobs.database.get_job(job_id)
    folder = scheduler.jobs.folder(job_id).path.exists()
    names = {found.job_id for found in scheduler.jobs.engine.list_objects()}
    return row is not None, folder, job_id in names


def everything(scheduler: ArgoScheduler) -> dict[str, object]:
    """Return all rows, files and workflows."""
    staging = Path(scheduler.staging_path)
    return {
        "jobs": scheduler.jobs.database.list_stored_jobs(),
        "definitions": scheduler.jobs.database.list_schedules(),
        "files": sorted(str(path) for path in staging.rglob("*")),
        "objects": scheduler.jobs.engine.list_objects(),
    }


def age(scheduler: ArgoScheduler, id_: str, hours: float = 40) -> None:
    """Let a job or definition have ended, and its files and workflows be made, so many hours ago."""
    moment = now_ms() - int(hours * HOUR * 1000)
    database, folder = scheduler.jobs.database, scheduler.jobs.folder(id_)
    database.update_job(id_, end_time=moment)
    database.update_definition(id_, update_time=moment)
    for path in (folder.private, folder.path):
        if path.exists():
            os.utime(path, (moment / 1000, moment / 1000))


def age_objects(argo: ArgoStandIn, hours: float = 40) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - hours * HOUR))
    for one in [*(run.workflow for run in argo.runs.values()), *argo.crons.values()]:
        one["metadata"]["creationTimestamp"] = moment


@on_both_engines
async def test_rows_folders_and_workflows_go_together_and_downloads_stay(
    jobs: Jobs,
    scheduler: ArgoScheduler,
    next_minute: Callable[[], Awaitable[None]],
    place: str,
) -> None:
    story = Story(jobs, next_minute, await jobs.define("n.ipynb", PRINTS))
    runs = [(await story.next_run())["job_id"] for _ in range(2)]
    jobs.write("other.ipynb", FAILS)
    await story.change(input_uri="other.ipynb")
    runs += [(await story.next_run())["job_id"] for _ in range(2)]
    on_argo = place == "argo"
    assert [is_there(scheduler, run) for run in runs] == [(True, True, on_argo)] * 4
    downloaded = (await jobs.download(runs[0]))["ipynb"]

    await story.change(tags=["keep:1"])
    reconciler = Reconciler(scheduler.jobs, scheduler.definitions, retention_delay=0)
    await asyncio.to_thread(reconciler.reconcile)
    await reconcile_twice(scheduler)  # nothing comes back
    gone = (False, False, False)
    # Kept are the last run, and the last that completed.
    assert [is_there(scheduler, run) for run in runs] == [
        gone,
        (True, True, on_argo),
        gone,
        (True, True, on_argo),
    ]
    assert downloaded.is_file()
    with pytest.raises(HTTPClientError, match="404"):
        await jobs.get(runs[0])
    assert (await story.next_run())["status"] == "FAILED"


@on_both_engines
async def test_the_command_shows_what_it_would_delete_and_deletes_it(
    jobs: Jobs, scheduler: ArgoScheduler, command: Command
) -> None:
    definition_id = await jobs.define("n.ipynb", PRINTS, name="Daily report", schedule="0 0 1 1 *")
    path = ("job_definitions", definition_id, "jobs")
    runs = [(await jobs.request("POST", *path, body={}))["job_id"] for _ in range(2)]
    own = [await jobs.create("fails.ipynb", FAILS) for _ in range(2)]
    for job_id in [*runs, *own]:
        await jobs.wait(job_id)
    for hours, job_id in enumerate([runs[1], runs[0], own[0]], start=40):
        age(scheduler, job_id, hours)
    before = everything(scheduler)

    assert (await command("purge", "--dry-run")).endswith("\n\nNothing to delete.\n")  # without rules
    shown = await command("purge", "--dry-run", "--older-than", "1d")
    lines = {line.split("  ")[0]: line.split() for line in shown.splitlines()}
    assert lines[definition_id[:8]][1:3] == ["2", "1"]
    assert shown.splitlines()[0].split() == ["DEFINITION", "RUNS", "DELETED", "DISK", "USE", "FREED", "NAME"]
    assert "Daily report" in shown
    assert "Would delete 2 jobs: " in shown
    wanted = json.loads(await command("purge", "--dry-run", "--older-than", "1d", "--json"))
    assert {job["job_id"] for job in wanted["jobs"]} == {runs[0], own[0]}  # the last that completed is kept
    uses = {use["job_definition_id"]: use for use in wanted["definitions"]}
    assert (uses[definition_id]["runs"], uses[definition_id]["deleted"]) == (2, 1)
    assert 0 < uses[definition_id]["freed_bytes"] < uses[definition_id]["disk_bytes"]
    assert wanted["freed_bytes"] == sum(use["freed_bytes"] for use in uses.values())
    assert (
        json.loads(
            await command("purge", "--dry-run", "--older-than", "1d", "--status", "STOPPED", "--json")
        )["jobs"]
        == []
    )
    by_rule = await command(
        "purge", "--dry-run", "--json", "--ArgoScheduler.keep_runs=1", "--ArgoScheduler.keep_jobs=1d"
    )
    assert {job["job_id"] for job in json.loads(by_rule)["jobs"]} == {runs[0], own[0]}
    assert everything(scheduler) == before

    done = json.loads(await command("purge", "--older-than", "1d", "--status", "FAILED", "--json"))
    assert [job["job_id"] for job in done["jobs"]] == [own[0]]
    assert is_there(scheduler, own[0]) == (False, False, False)
    assert "Deleted 1 job: " in await command("purge", "--older-than", "1d")
    assert is_there(scheduler, runs[0]) == (False, False, False)
    assert all(is_there(scheduler, job_id)[:2] == (True, True) for job_id in (runs[1], own[1]))


async def orphan_each(jobs: Jobs, scheduler: ArgoScheduler) -> dict[str, str]:
    """Make an orphan of each kind that is stored; return their names."""
    database = scheduler.jobs.database
    names = {}
    for kind in ("folder", "job", "whole"):
        names[kind] = await jobs.create("n.ipynb", PRINTS)
    names["job definition"] = await jobs.define("n.ipynb", PRINTS, schedule="0 0 1 1 *")
    for kind in ("folder", "job", "whole"):
        await jobs.wait(names[kind])
    for name in names.values():
        age(scheduler, name)
    database.delete_job(names["folder"])
    for kind in ("job", "job definition"):
        scheduler.jobs.folder(names[kind]).delete()
    return names


@on_both_engines
async def test_orphans_of_each_kind_are_found_and_removed(
    jobs: Jobs, scheduler: ArgoScheduler, command: Command, place: str, request: pytest.FixtureRequest
) -> None:
    names = await orphan_each(jobs, scheduler)
    whole = names.pop("whole")
    stranger = RunFolder(scheduler.staging_path, str(uuid.uuid4()))
    shutil.copytree(scheduler.jobs.folder(whole).path, stranger.path)
    stranger.write("run.json", {**stranger.read("run.json"), "database": "f" * 32})
    age(scheduler, stranger.path.name)
    expected = {(kind, name) for kind, name in names.items()}
    kept_runs: set[str] = set()
    if place == "argo":
        argo: ArgoStandIn = request.getfixturevalue("argo")
        lost = await jobs.define("n.ipynb", PRINTS, schedule="0 0 1 1 *")
        await jobs.request("DELETE", "job_definitions", lost)
        others = await jobs.define("n.ipynb", PRINTS, schedule="0 0 1 1 *")
        cron = json.loads(json.dumps(argo.crons[f"job-def-{others}"]))
        for name, database_id in ((lost, cron["metadata"]["labels"][DATABASE_LABEL]), ("b", "f" * 32)):
            copy = json.loads(json.dumps(cron))
            copy["metadata"]["name"] = f"job-def-{name}"
            copy["metadata"]["labels"] |= {
                "jupyter-scheduler-job-definition-id": name,
                DATABASE_LABEL: database_id,
            }
            argo.crons[f"job-def-{name}"] = copy
        age_objects(argo)
        expected |= {("workflow", f"job-{names['folder']}"), ("cron workflow", f"job-def-{lost}")}
        kept_runs = {f"job-{whole}", f"job-def-{others}", "job-def-b"}
    before = everything(scheduler)

    [finding] = await findings(command, "orphans")
    assert finding["status"] == "warning"
    assert "staging folders without a row: 1, jobs without a staging folder: 1" in finding["message"]
    assert finding["advice"] == "Delete them: jupyter argo-scheduler purge --orphans"
    assert (await findings(command, "disk"))[0]["status"] == "ok"
    shown = json.loads(await command("purge", "--orphans", "--dry-run", "--json"))
    assert {(one["kind"], one["name"]) for one in shown["orphans"]} == expected
    assert shown["jobs"] == []
    assert everything(scheduler) == before

    text = await command("purge", "--orphans")
    assert f"Deleted {len(expected)} orphans: " in text
    assert "Nothing to delete." in await command("purge", "--orphans")
    assert [one["message"] for one in await findings(command, "orphans")] == ["none"]
    assert is_there(scheduler, whole) == (True, True, place == "argo")
    assert stranger.path.exists()
    assert scheduler.jobs.database.get_definition(names["job definition"]) is None
    if place == "argo":
        assert {*argo.runs, *argo.crons} == kept_runs


async def findings(command: Command, check: str) -> list[dict[str, str]]:
    checks = json.loads(await command("doctor", "--json"))["checks"]
    return [one for one in checks if one["check"] == check]


@on_both_engines
async def test_a_create_in_progress_is_no_orphan(
    jobs: Jobs, scheduler: ArgoScheduler, command: Command, db_url: str
) -> None:
    await jobs.wait(await jobs.create("n.ipynb", PRINTS))
    staging = Path(scheduler.staging_path)
    before = set(staging.iterdir())
    with contextlib.closing(sqlite3.connect(db_url.removeprefix("sqlite:///"))) as connection:
        connection.execute("BEGIN IMMEDIATE")  # the row cannot be written yet
        created = asyncio.create_task(jobs.create("n.ipynb"))
        [folder] = await eventually_async(
            lambda: [path for path in set(staging.iterdir()) - before if (path / "n.ipynb").exists()]
        )
        for path in (*folder.glob(".*"), folder):
            os.utime(path, (0, 0))
        assert "Nothing to delete." in await command("purge", "--orphans")
    job = await jobs.wait(await created)
    assert (job["job_id"], job["status"]) == (folder.name, "COMPLETED")


@pytest.mark.parametrize("place", ["argo"], indirect=True)
async def test_what_cannot_be_deleted_is_named_and_keeps_nothing_else(
    jobs: Jobs,
    scheduler: ArgoScheduler,
    argo: ArgoStandIn,
    command: Command,
    next_minute: Callable[[], Awaitable[None]],
) -> None:
    story = Story(jobs, next_minute, await jobs.define("n.ipynb", FAILS))
    run = (await story.next_run())["job_id"]
    own = await jobs.create("fails.ipynb", FAILS)
    await jobs.wait(own)
    argo.forbidden.add(("delete", "workflows"))
    done = json.loads(await command("purge", "--status", "FAILED", "--json", code=1))
    assert [job["job_id"] for job in done["jobs"]] == [own]
    assert [one["name"] for one in done["failed"]] == [run]
    assert "Argo does not allow this (403)" in done["failed"][0]["reason"]
    assert is_there(scheduler, run) == (True, True, True)
    assert is_there(scheduler, own) == (False, False, True)
    # The workflow that was left is an orphan once it is old.
    argo.forbidden.clear()
    age_objects(argo)
    assert f"workflow  0 B       job-{own}" in await command("purge", "--orphans")
    assert is_there(scheduler, own) == (False, False, False)


@pytest.mark.parametrize("place", ["local"], indirect=True)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--older-than", "30"], "is not a duration with a unit. Write 12h, 30d or 4w."),
        (["--older-than", "soon"], "is not a duration with a unit"),
        (["--status", "QUEUED"], "Available: COMPLETED, FAILED, STOPPED."),
        (["--dry"], "Unknown option '--dry'"),
    ],
)
async def test_what_is_not_meant_is_refused(
    jobs: Jobs, command: Command, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert await asyncio.to_thread(main, ["purge", *arguments]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("place", ["local"], indirect=True)
async def test_a_rule_that_is_not_valid_is_refused(jobs: Jobs) -> None:
    with pytest.raises(HTTPClientError, match="400"):
        await jobs.create("n.ipynb", PRINTS, tags=["keep:forever"])

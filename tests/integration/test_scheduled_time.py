"""A run knows its moment: the one that it was scheduled for, or the one that somebody asks for."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import DefinitionRow
from tests.support.jobs import Jobs, Story, notebook, on_each_engine, outputs, refusal
from tests.support.machine import Machine
from tests.support.rows import job_row

REPORT = notebook(
    "import os\nprint(scheduled_time, os.environ['SCHEDULED_TIME'])", parameters="scheduled_time = ''"
)


async def describe(jobs: Jobs, job_id: str) -> dict[str, Any]:
    answer = await jobs.fetch("argo-scheduler", "jobs", job_id, method="GET")
    return dict(json.loads(answer.body))


async def test_a_scheduled_run_is_about_its_moment(
    jobs: Jobs, next_minute: Callable[[], Awaitable[None]], scheduler: ArgoScheduler
) -> None:
    zone = "Asia/Kolkata"
    story = Story(jobs, next_minute, await jobs.define("n.ipynb", REPORT, timezone=zone))
    run = await story.next_run()
    assert run["status"] == "COMPLETED", run["status_message"]
    [printed, variable] = (await story.printed(run)).split()
    assert printed == variable == (await describe(jobs, run["job_id"]))["scheduled_time"]
    assert printed.endswith("+05:30")
    moment = datetime.fromisoformat(printed)
    row = job_row(scheduler.jobs.database, run["job_id"])
    assert moment.timestamp() == row.scheduled_moment
    assert moment.second == 0

    # Run again on another day, it is still about that day.
    answer = await jobs.fetch("argo-scheduler", "jobs", run["job_id"], "rerun", method="POST", body="{}")
    again = await jobs.wait(json.loads(answer.body)["job_id"])
    assert (await story.printed(again)).split() == [printed, printed]


@on_each_engine
async def test_run_now_is_about_the_moment_that_somebody_asks_for(jobs: Jobs) -> None:
    definition_id = await jobs.define("n.ipynb", REPORT, timezone="Europe/Berlin", schedule="0 6 1 1 *")

    async def run(**body: Any) -> tuple[str, str]:
        """Return the id of the run, and what it printed."""
        answer = await jobs.request("POST", "job_definitions", definition_id, "jobs", body=body)
        job_id = (await jobs.wait(answer["job_id"]))["job_id"]
        return job_id, outputs((await jobs.download(job_id))["ipynb"])

    job_id, printed = await run(scheduled_time="2026-03-29T03:00")
    moment = "2026-03-29T03:00:00+02:00"
    assert printed == f"{moment} {moment}\n"
    assert (await describe(jobs, job_id))["scheduled_time"] == moment

    begun = datetime.now(timezone.utc).replace(microsecond=0)
    _, printed = await run()
    [printed, _] = printed.split()
    assert begun <= datetime.fromisoformat(printed) <= datetime.now(timezone.utc)


@pytest.mark.parametrize("place", ["local"], indirect=True)
async def test_a_moment_that_is_not_one_is_refused_with_nothing_left_behind(
    jobs: Jobs, staging_path: Path
) -> None:
    definition_id = await jobs.define("n.ipynb", REPORT, timezone="Europe/Berlin", parameters={"n": "1"})
    before = sorted(staging_path.iterdir())
    bodies: dict[str, dict[str, Any]] = {
        "'soon' is not a date or a time": {"scheduled_time": "soon"},
        "2026-03-29T02:30 does not exist in Europe/Berlin": {"scheduled_time": "2026-03-29T02:30"},
        "scheduled_time: write ISO 8601": {"scheduled_time": 7},
        "given twice": {"scheduled_time": "2026-03-02", "parameters": {"scheduled_time": "x"}},
    }
    for words, body in bodies.items():
        with pytest.raises(HTTPClientError) as error:
            await jobs.request("POST", "job_definitions", definition_id, "jobs", body=body)
        assert error.value.code == 400
        assert words in refusal(error)
    with pytest.raises(HTTPClientError) as error:
        await jobs.create("n.ipynb", scheduled_time="soon")
    assert error.value.code == 400
    assert sorted(staging_path.iterdir()) == before


def test_the_command_runs_a_definition_about_a_moment(machine: Machine) -> None:
    assert machine.command("run-now", "Daily") == ""
    assert machine.exit_code == 1
    source = machine.home / "n.ipynb"
    source.write_text(REPORT)
    machine.command("run", str(source))  # makes the database and a job, from which the definition is made
    database = Database(f"sqlite:///{machine.data}/scheduler.sqlite")
    [job_id] = [job["job_id"] for job in json.loads(machine.command("jobs", "--json"))]
    job = job_row(database, job_id)
    definition = DefinitionRow(
        job_definition_id="9c1e0a52-0000-4000-8000-000000000000",
        name="Daily report",
        input_filename="n.ipynb",
        runtime_environment_name=job.runtime_environment_name,
        output_formats=("ipynb",),
        timezone="Europe/Berlin",
        active=False,
    )
    database.insert_definition(definition)
    staged = machine.data / "scheduler_staging_area" / definition.job_definition_id
    staged.mkdir()
    (staged / "n.ipynb").write_text(REPORT)
    answer = json.loads(machine.command("run-now", "Daily report", "--at", "2026-07-02", "--json"))
    assert (machine.exit_code, answer["status"]) == (0, "COMPLETED")
    printed = outputs(answer["files"][0]["path"])
    assert printed == "2026-07-02T00:00:00+02:00 2026-07-02T00:00:00+02:00\n"
    assert machine.command("run-now", "9c1e", "-p", "x y", "1") == ""
    assert "'x y' is not a valid parameter name" in machine.output
    assert machine.command("run-now", "Dayly report") == ""
    assert "Available: Daily report" in machine.output
    assert machine.command("run-now", "Daily report", "--at", "soon") == ""
    assert (machine.exit_code, len(json.loads(machine.command("jobs", "--json")))) == (1, 2)

"""Job definitions through the panel's own requests, in all places where a run can happen."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_scheduler.models import ListJobDefinitionsQuery, SortDirection, SortField
from jupyter_scheduler.scheduler import Scheduler
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.folders import RunFolder
from tests.support.eventually import eventually_async
from tests.support.jobs import Jobs, Story, notebook, on_each_engine, outputs, refusal

FIRST = notebook("print('first', word)", parameters="word = 'none'")
SECOND = notebook("print('second', word)", parameters="word = 'none'")


@on_each_engine
async def test_the_life_of_a_definition(
    jobs: Jobs, next_minute: Callable[[], Awaitable[None]], staging_path: Path
) -> None:
    definition_id = await jobs.define("n.ipynb", FIRST, parameters={"word": "one"}, tags=["t"])
    story = Story(jobs, next_minute, definition_id)
    [listed] = (await jobs.request("GET", "job_definitions"))["job_definitions"]
    assert (listed["job_definition_id"], listed["active"]) == (definition_id, True)

    first, second = await story.next_run(), await story.next_run()
    for job in (first, second):
        assert (job["status"], job["status_message"]) == ("COMPLETED", None)
        assert (job["job_definition_id"], job["name"], job["tags"]) == (definition_id, "a definition", ["t"])
        assert await story.printed(job) == "first one\n"
    assert first["create_time"] < second["create_time"]

    # What one run does hurts no other.
    await jobs.request("DELETE", "jobs", first["job_id"])
    assert not (staging_path / first["job_id"]).exists()
    assert outputs(next((staging_path / second["job_id"]).glob("n-*.ipynb"))) == "first one\n"
    assert (await story.next_run())["status"] == "COMPLETED"

    await story.change(active=False)
    assert (await jobs.request("GET", "job_definitions", definition_id))["active"] is False
    await story.no_run()
    await story.change(active=True)
    assert (await story.next_run())["status"] == "COMPLETED"

    await story.change(schedule="0 6 1 1 *", timezone="Europe/Berlin")
    await story.no_run()
    await story.change(schedule="* * * * *")
    changed = await jobs.request("GET", "job_definitions", definition_id)
    assert (changed["schedule"], changed["timezone"]) == ("* * * * *", "Europe/Berlin")

    jobs.write("other.ipynb", SECOND)
    await story.change(
        input_uri="other.ipynb", parameters={"word": "two"}, name="b", output_formats=["ipynb"]
    )
    third = await story.next_run()
    assert await story.printed(third) == "second two\n"
    assert (third["name"], third["input_filename"], third["output_formats"]) == (
        "b",
        "other.ipynb",
        ["ipynb"],
    )
    assert await story.printed(second) == "first one\n"

    by_hand = await jobs.request(
        "POST", "job_definitions", definition_id, "jobs", body={"parameters": {"word": "3"}}
    )
    job = await jobs.wait(by_hand["job_id"])
    assert (job["status"], await story.printed(job)) == ("COMPLETED", "second 3\n")

    before = await jobs.runs(definition_id)
    await jobs.request("DELETE", "job_definitions", definition_id)
    assert (await jobs.request("GET", "job_definitions"))["job_definitions"] == []
    assert not (staging_path / definition_id).exists()
    await story.no_run()
    assert {job["job_id"] for job in await jobs.runs(definition_id)} == {job["job_id"] for job in before}
    assert await story.printed(third) == "second two\n"


async def test_a_run_has_its_own_copy_of_the_input_folder(
    jobs: Jobs, next_minute: Callable[[], Awaitable[None]], staging_path: Path
) -> None:
    code = "text = open('data/x.txt').read(); print(text); open('data/x.txt', 'w').write('spoilt')"
    jobs.write("project/data/x.txt", "good")
    jobs.write("project/old.txt", "")
    definition_id = await jobs.define("project/n.ipynb", notebook(code), package_input_folder=True)
    story = Story(jobs, next_minute, definition_id)
    for _ in range(2):
        job = await story.next_run()
        assert (job["status"], await story.printed(job)) == ("COMPLETED", "good\n")
        assert job["packaged_files"] == ["data/x.txt"]  # which the run changed
    jobs.write("project/data/x.txt", "better")
    (jobs.root / "project" / "old.txt").unlink()
    await story.change(input_uri="project/n.ipynb")
    job = await story.next_run()
    assert (await story.printed(job), job["packaged_files"]) == ("better\n", ["data/x.txt"])


@on_each_engine
async def test_a_failing_run_says_why(jobs: Jobs, next_minute: Callable[[], Awaitable[None]]) -> None:
    story = Story(jobs, next_minute, await jobs.define("n.ipynb", notebook("1 / 0")))
    job = await story.next_run()
    assert job["status"] == "FAILED"
    assert job["status_message"].startswith("ZeroDivisionError: division by zero")


@on_each_engine
async def test_a_run_that_the_next_one_replaced_is_stopped_and_says_so(
    jobs: Jobs, next_minute: Callable[[], Awaitable[None]], place: str
) -> None:
    story = Story(jobs, next_minute, await jobs.define("n.ipynb", notebook("import time; time.sleep(600)")))
    await next_minute()
    [first] = await eventually_async(lambda: jobs.runs(story.id))
    await jobs.wait(first["job_id"], until="IN_PROGRESS")
    await next_minute()
    job = await jobs.wait(first["job_id"])
    assert (job["status"], "replaced it" in job["status_message"]) == ("STOPPED", True)

    async def both() -> list[dict[str, Any]]:
        runs = await jobs.runs(story.id)
        return runs if len(runs) == 2 else []

    [second, _] = await eventually_async(both)
    await jobs.wait(second["job_id"], until="IN_PROGRESS")

    await jobs.request("DELETE", "job_definitions", story.id)
    job = await jobs.get(second["job_id"])
    assert (job["status"], "was deleted" in job["status_message"]) == ("STOPPED", True)


async def test_an_input_that_is_gone_is_told(
    jobs: Jobs, next_minute: Callable[[], Awaitable[None]], staging_path: Path
) -> None:
    story = Story(jobs, next_minute, await jobs.define("n.ipynb", FIRST))
    (staging_path / story.id / "n.ipynb").unlink()
    job = await story.next_run()
    assert job["status"] == "FAILED"
    assert "update its input file snapshot" in job["status_message"]
    with pytest.raises(HTTPClientError) as error:
        await jobs.request("POST", "job_definitions", story.id, "jobs", body={})
    assert "update its input file snapshot" in refusal(error)
    await story.change(input_uri="n.ipynb")
    assert (await story.next_run())["status"] == "COMPLETED"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"schedule": "61 * * * *"}, "minute '61' is not valid"),
    ({"schedule": "* * * * * *"}, "has 6 fields"),
    ({"schedule": "@often"}, "'@often' is not valid"),
    ({"schedule": ""}, "schedule is empty"),
    ({"schedule": "  "}, "schedule is empty"),
    ({"timezone": "Mars/X"}, "Time zone 'Mars/X' not found"),
    ({"name": "x" * 500}, "500 characters"),
    ({"runtime_environment_name": "nope"}, "Environment 'nope' not found"),
    ({"output_formats": ["docx"]}, "Output format 'docx' not found"),
    ({"parameters": {"a b": "1"}}, "is not a valid parameter name"),
    ({"parameters": {"SLACK_CHANNEL": "#team"}}, "SLACK_TOKEN is missing"),
    ({"input_uri": "nope.ipynb"}, "does not exist"),
]


@pytest.mark.parametrize(("fields", "words"), BAD)
@pytest.mark.parametrize("place", ["local", "argo"], indirect=True)
async def test_bad_input_is_refused_before_anything_is_stored(
    jobs: Jobs, staging_path: Path, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(HTTPClientError) as error:
        await jobs.define("n.ipynb", FIRST, **fields)
    assert words in refusal(error)
    assert list(staging_path.iterdir()) == []
    assert (await jobs.request("GET", "job_definitions"))["job_definitions"] == []

    definition_id = await jobs.define("n.ipynb", FIRST)
    before = await jobs.request("GET", "job_definitions", definition_id)
    with pytest.raises(HTTPClientError) as error:
        await jobs.request("PATCH", "job_definitions", definition_id, body=fields)
    assert words in refusal(error)
    assert await jobs.request("GET", "job_definitions", definition_id) == before
    assert {path.name for path in staging_path.iterdir()} == {definition_id}


@pytest.mark.parametrize("place", ["local"], indirect=True)
async def test_the_list_is_the_one_of_jupyter_scheduler(jobs: Jobs, scheduler: ArgoScheduler) -> None:
    for number in range(5):
        tags = ["even", "all"] if number % 2 == 0 else ["all"]
        await jobs.define("n.ipynb", FIRST, name=f"n{number % 3}", tags=tags, parameters={"a": str(number)})
    sorts = [
        SortField(name="name", direction=SortDirection.desc),
        SortField(name="create_time", direction=SortDirection.asc),
    ]
    for fields in (
        {},
        {"sort_by": sorts, "max_items": 2},
        {"sort_by": sorts, "max_items": 2, "next_token": "4"},
        {"tags": ["even", "all"]},
        {"name": "n1"},
        {"create_time": int(time.time() * 1000) + 60_000},
    ):
        query = ListJobDefinitionsQuery(**fields)
        ours = await scheduler.list_job_definitions(query)
        theirs = Scheduler.list_job_definitions(scheduler, query)
        assert ours.dict() == theirs.dict()
        for options in ({"exclude_none": True}, {}):
            assert json.loads(ours.json(**options)) == json.loads(theirs.json(**options))


@pytest.mark.parametrize("place", ["local", "argo"], indirect=True)
async def test_a_definition_from_another_engine_has_no_settings_of_that(
    jobs: Jobs, staging_path: Path, scheduler: ArgoScheduler
) -> None:
    definition_id = await jobs.define("n.ipynb", FIRST)
    folder = RunFolder(staging_path, definition_id)
    settings = folder.read("run.json")
    other = {"places": 1, "compute_types": {}, "concurrency_policy": "Replace", "namespace": "dev"}
    environment = {"name": "gone", "prefix": "/gone"}
    folder.write("run.json", {**other, **settings, "environment": environment})
    await jobs.request("PATCH", "job_definitions", definition_id, body={"name": "b"})
    told = folder.read("run.json")
    assert told.keys() - {"environment"} == settings.keys() - {"environment"}
    assert "environment" in told


@pytest.mark.parametrize("place", ["local", "argo"], indirect=True)
async def test_a_definition_that_is_not_there(jobs: Jobs) -> None:
    unknown = str(uuid.uuid4())
    for method, *path in (("GET",), ("PATCH",), ("POST", "jobs")):
        with pytest.raises(HTTPClientError) as error:
            await jobs.request(
                method, "job_definitions", unknown, *path, body=None if method == "GET" else {}
            )
        assert f"Job definition {unknown} not found" in refusal(error)
    await jobs.request("DELETE", "job_definitions", unknown)


@pytest.mark.parametrize("place", ["local"], indirect=True)
@pytest.mark.parametrize("root", [None, SECOND])
async def test_a_form_in_which_only_the_schedule_was_changed(
    jobs: Jobs, staging_path: Path, root: str | None
) -> None:
    """The panel's form has the input's name in it all the same, without its folder."""
    definition_id = await jobs.define("folder/n.ipynb", FIRST)
    if root:
        jobs.write("n.ipynb", root)
    form = {"schedule": "0 6 * * *", "timezone": "UTC", "input_uri": "n.ipynb"}
    staged = staging_path / definition_id / "n.ipynb"
    jobs.write("folder/n.ipynb", SECOND)
    await jobs.request("PATCH", "job_definitions", definition_id, body=form)
    assert staged.read_text() == FIRST
    (jobs.root / "folder/n.ipynb").unlink()
    await jobs.request("PATCH", "job_definitions", definition_id, body=form)
    assert staged.read_text() == FIRST
    changed = await jobs.request("GET", "job_definitions", definition_id)
    assert changed["schedule"] == "0 6 * * *"

    jobs.write("folder/n.ipynb", notebook("print('third')"))
    await jobs.request("PATCH", "job_definitions", definition_id, body={"input_uri": "n.ipynb"})
    assert ("third" in staged.read_text()) == (root is None)

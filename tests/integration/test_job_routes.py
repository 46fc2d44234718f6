"""The routes below ``/argo-scheduler/jobs/``: one job, its progress, its log, its outputs, and the same job again."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import JobRow
from tests.support.eventually import eventually_async
from tests.support.jobs import Jobs, notebook, on_each_engine, outputs, refusal

local = pytest.mark.parametrize("place", ["local"], indirect=True)

Request = Callable[..., Awaitable[Any]]
ROUTES = [("GET", ""), ("GET", "progress"), ("GET", "log"), ("POST", "outputs"), ("POST", "rerun")]
TEXT = "aé€😀\x1b[31m<img onerror=x>\u202e\n"


@pytest.fixture
def scheduler_config(scheduler_config: dict[str, Any]) -> dict[str, Any]:
    return {**scheduler_config, "argo_ui_url": "https://argo.example.org/workflows/{namespace}/{workflow}"}


@pytest.fixture
def request_job(jp_fetch: Callable[..., Any], jobs: Jobs) -> Request:
    async def request(method: str, job_id: str, route: str = "", **query: object) -> Any:
        path = ["argo-scheduler", "jobs", job_id, *filter(None, [route])]
        body = {"body": "{}"} if method == "POST" else {}
        response = await jp_fetch(*path, method=method, params=query, request_timeout=60, **body)
        return json.loads(response.body)

    return request


@on_each_engine
async def test_a_job_is_described_fetched_and_run_again(jobs: Jobs, request_job: Request, place: str) -> None:
    # A run finds what came with its notebook, and nothing that an earlier run has made.
    cell = "\nopen('beside').close()\nopen('made', 'x').close()"
    source = notebook("print(a)", cell, parameters="a = 1")
    path = jobs.write("reports/n.ipynb", source)
    jobs.write("reports/beside", "")
    job_id = await jobs.create(path, parameters={"a": "5"}, tags=["retries:1"], package_input_folder=True)
    await jobs.wait(job_id)
    detail = await request_job("GET", job_id)
    assert (detail["status"], detail["parameters"], detail["tags"]) == (
        "COMPLETED",
        {"a": "5"},
        ["retries:1"],
    )
    assert (detail["input_path"], detail["attempts"], detail["partial"]) == (path, 1, False)
    assert detail["engine"] == ("local" if place == "local" else "argo")
    page = f"https://argo.example.org/workflows/dev/job-{job_id}"
    assert detail["engine_url"] == (None if place == "local" else page)
    assert {output["path"] for output in detail["outputs"]} == {None}

    for _ in range(2):  # it may be asked twice
        fetched = (await request_job("POST", job_id, "outputs"))["outputs"]
        paths = {output["format"]: output["path"] for output in fetched}
        assert "5" in outputs(jobs.root / paths["ipynb"])
        assert (jobs.root / paths["html"]).is_file()
    assert (await request_job("GET", job_id))["outputs"] == fetched

    (jobs.root / path).unlink()  # the input is the one of then
    again = (await request_job("POST", job_id, "rerun"))["job_id"]
    assert (await jobs.wait(again))["status"] == "COMPLETED"
    second = await request_job("GET", again)
    same = ("name", "parameters", "tags", "output_formats", "runtime_environment_name")
    assert {key: second[key] for key in same} == {key: detail[key] for key in same}
    assert second["input_path"] is None
    progress = await request_job("GET", again, "progress")
    assert (progress["status"], progress["cell"], progress["cells"]) == ("COMPLETED", 3, 3)
    assert progress["source"] == "open('beside').close()"
    assert progress["elapsed_seconds"] == (second["end_time"] - second["start_time"]) / 1000


@on_each_engine
async def test_outputs_of_a_stopped_run_are_waited_for(jobs: Jobs, request_job: Request) -> None:
    """Argo's pod writes them in the seconds after the stop."""
    job_id = await jobs.create(
        "n.ipynb", notebook("print('partial', flush=True)\nimport time\ntime.sleep(600)")
    )

    async def has_printed() -> bool:
        return "partial" in (await request_job("GET", job_id, "log"))["text"]

    await eventually_async(has_printed)
    await jobs.request("PATCH", "jobs", job_id, body={"status": "STOPPED"})
    fetched = (await request_job("POST", job_id, "outputs"))["outputs"]
    paths = {output["format"]: jobs.root / output["path"] for output in fetched if output["path"]}
    assert outputs(paths["ipynb"]) == "partial\n"
    assert "partial" in paths["html"].read_text()


@on_each_engine
async def test_a_run_that_was_stopped_before_it_began_has_no_outputs(
    jobs: Jobs, request_job: Request
) -> None:
    job_id = await jobs.create("n.ipynb", notebook("1"))
    await jobs.request("PATCH", "jobs", job_id, body={"status": "STOPPED"})
    await request_job("POST", job_id, "outputs")  # answers, whatever there is


@local
async def test_outputs_of_a_run_that_failed_are_partial(jobs: Jobs, request_job: Request) -> None:
    job_id = await jobs.create("n.ipynb", notebook("1 / 0"))
    await jobs.wait(job_id)
    assert (await request_job("GET", job_id))["partial"] is True


@local
async def test_outputs_that_cannot_be_written_are_refused_with_the_reason(
    jobs: Jobs, request_job: Request, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = await jobs.create("n.ipynb", notebook("1"))
    await jobs.wait(job_id)
    jobs.write("jobs", "a file in the place of the folder")
    with pytest.raises(HTTPClientError) as error:
        await request_job("POST", job_id, "outputs")
    assert error.value.code == 500
    assert refusal(error).startswith("The job's files could not be written or read.")
    assert "Traceback" not in caplog.text


@local
@pytest.mark.parametrize("body", ["a=b", "[]", "{", "[" * 100_000, "\xff"])
async def test_a_body_that_is_not_an_object_is_refused(
    jobs: Jobs, jp_fetch: Callable[..., Any], database: Database, body: str
) -> None:
    job_id = await jobs.create("n.ipynb", notebook("1"))
    await jobs.wait(job_id)
    for route in ("outputs", "rerun"):
        with pytest.raises(HTTPClientError) as error:
            await jp_fetch("argo-scheduler", "jobs", job_id, route, method="POST", body=body)
        assert (error.value.code, refusal(error)) == (400, messages.requests.BODY_NOT_AN_OBJECT)
    assert len(database.list_stored_jobs()) == 1


@local
async def test_watching_a_job_is_not_activity(jobs: Jobs, request_job: Request, jp_serverapp: Any) -> None:
    job_id = await jobs.create("n.ipynb", notebook("1"))
    await jobs.wait(job_id)
    before = jp_serverapp.web_app.settings["api_last_activity"]
    for route in ("progress", "log"):
        await request_job("GET", job_id, route)
    assert jp_serverapp.web_app.settings["api_last_activity"] == before


@local
async def test_an_id_that_is_unknown_is_not_found(jobs: Jobs, request_job: Request) -> None:
    await jobs.environment()
    for method, route in ROUTES:
        with pytest.raises(HTTPClientError) as error:
            await request_job(method, "no-job", route)
        assert (error.value.code, refusal(error)) == (404, "Job no-job not found."), route


@local
async def test_a_job_whose_notebook_is_gone_does_not_run_again(
    jobs: Jobs, request_job: Request, database: Database
) -> None:
    await jobs.environment()
    database.insert_job(JobRow(job_id="old", status="COMPLETED", input_filename="n.ipynb", pid=1))
    with pytest.raises(HTTPClientError) as error:
        await request_job("POST", "old", "rerun")
    expected = "The notebook of job old is missing from the staging area. Create a new job from the notebook."
    assert (error.value.code, refusal(error)) == (400, expected)


class TestALog:
    @pytest.fixture
    def log(self, database: Database, scheduler: ArgoScheduler) -> Path:
        database.insert_job(JobRow(job_id="a", status="COMPLETED"))
        folder = scheduler.jobs.folder("a")
        folder.create()
        folder.log.write_bytes(TEXT.encode())
        return folder.log

    @local
    async def test_it_is_read_piece_by_piece_without_cutting_a_character(
        self, request_job: Request, log: Path
    ) -> None:
        for limit in (4, 5, 7, 1000):
            text, offset, ended = "", 0, False
            while not ended:
                part = await request_job("GET", "a", "log", offset=offset, limit=limit)
                assert (part["offset"], part["size"]) == (offset, log.stat().st_size)
                text, offset, ended = text + part["text"], part["next_offset"], part["ended"]
            assert text == TEXT

    @local
    async def test_its_end_begins_with_a_whole_character(self, request_job: Request, log: Path) -> None:
        for length in range(1, len(TEXT.encode()) + 5):
            part = await request_job("GET", "a", "log", offset=-length)
            assert TEXT.endswith(part["text"])
            assert len(TEXT.encode()) - length <= part["offset"] == part["size"] - len(part["text"].encode())
            assert part["ended"]

    @local
    async def test_a_character_that_is_half_written_is_waited_for(
        self, request_job: Request, log: Path, database: Database
    ) -> None:
        database.update_job("a", status="IN_PROGRESS")
        log.write_bytes("b€".encode()[:-1])
        part = await request_job("GET", "a", "log")
        assert (part["text"], part["next_offset"], part["ended"]) == ("b", 1, False)
        database.mark_failed("a", "killed")
        part = await request_job("GET", "a", "log", offset=1)
        assert (part["text"], part["next_offset"], part["ended"]) == ("\ufffd", 3, True)

    @local
    async def test_bounds(self, request_job: Request, log: Path) -> None:
        size = log.stat().st_size
        part = await request_job("GET", "a", "log", offset=10**9)
        assert (part["text"], part["offset"], part["next_offset"]) == ("", size, size)
        log.unlink()
        part = await request_job("GET", "a", "log", offset=5)
        assert part == {"text": "", "offset": 0, "next_offset": 0, "size": 0, "ended": True}
        for query in ({"offset": "x"}, {"offset": "inf"}, {"limit": "0"}, {"limit": str(2**20 + 1)}):
            with pytest.raises(HTTPClientError) as error:
                await request_job("GET", "a", "log", **query)
            assert error.value.code == 400
            assert "is not valid. Use a number from" in refusal(error)

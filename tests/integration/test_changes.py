"""``/argo-scheduler/changes``: the panel learns what has changed, whoever changed it."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.identity import run_token
from argo_jupyter_scheduler.domain.status import LIVE
from argo_jupyter_scheduler.jobs import answers
from argo_jupyter_scheduler.jobs.changes import ChangeWatcher
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow
from tests.support.eventually import eventually_async
from tests.support.jobs import Jobs, notebook, on_each_engine, refusal
from tests.support.services import Services
from tests.support.statements import statements

local = pytest.mark.parametrize("place", ["local"], indirect=True)

Fetch = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def fetch_changes(jp_fetch: Callable[..., Any], jobs: Jobs) -> Fetch:
    async def fetch(since: str = "", **query: object) -> dict[str, Any]:
        params = {"since": since, **query} if since else query
        response = await jp_fetch("argo-scheduler", "changes", params=params, request_timeout=60)
        assert response.headers["Content-Type"].startswith("application/json")
        return dict(json.loads(response.body))

    return fetch


class TestAServer:
    @on_each_engine
    async def test_a_job_is_followed_from_its_start_to_its_end(
        self, jobs: Jobs, fetch_changes: Fetch, tmp_path: Path
    ) -> None:
        gate = tmp_path / "gate"
        wait = (
            f"\n# wait\nimport pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.1)"
        )
        before = await fetch_changes()
        assert (before["reset"], before["jobs"], before["definitions"]) == (True, [], [])
        job_id = await jobs.create("n.ipynb", notebook("", wait), tags=["retries:2"])
        token = before["token"]
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1]["status"] in LIVE:
            answer = await fetch_changes(token)
            token = answer["token"]
            assert not answer["reset"]
            seen += answer["jobs"]
            progress = [job["progress"] for job in seen if job["progress"]]
            if progress and progress[-1]["source"] == "# wait":
                gate.touch()
        assert {job["job_id"] for job in seen} == {job_id}
        places = [["QUEUED", "IN_PROGRESS", "COMPLETED"].index(job["status"]) for job in seen]
        assert places == sorted(places)
        assert seen[-1]["progress"] is None
        assert (seen[-1]["name"], seen[-1]["output_formats"]) == ("a job", ["ipynb", "html"])
        assert (progress[-1]["cell"], progress[-1]["cells"]) == (2, 2)
        assert (progress[-1]["attempt"], progress[-1]["attempts"]) == (1, 3)
        assert progress[-1]["estimated_seconds"] is None
        assert all(job["progress"] for job in seen if job["status"] == "IN_PROGRESS")

    @local
    async def test_what_another_process_writes_is_seen(
        self, fetch_changes: Fetch, db_url: str, jobs: Jobs
    ) -> None:
        token = (await fetch_changes())["token"]
        waiting = asyncio.ensure_future(fetch_changes(token))
        other = Database(db_url)
        await asyncio.to_thread(other.insert_job, JobRow(job_id="a", status="FAILED", status_message="why"))
        answer = await waiting
        [job] = answer["jobs"]
        assert (job["job_id"], job["status"], job["status_message"]) == ("a", "FAILED", "why")
        await asyncio.to_thread(other.delete_job, "a")
        answer = await fetch_changes(answer["token"])
        assert (answer["jobs"], answer["deleted_jobs"]) == ([], ["a"])
        other.dispose()

    @local
    async def test_definitions_and_their_runs(self, fetch_changes: Fetch, jobs: Jobs) -> None:
        id_ = await jobs.define("n.ipynb", notebook("1"), schedule="0 0 * * *")
        answer = await fetch_changes()
        [definition] = answer["definitions"]
        assert (definition["job_definition_id"], definition["runs"]) == (id_, [])
        assert now_ms() < definition["next_run_time"] <= now_ms() + 24 * 3_600_000
        run_id = (await jobs.request("POST", "job_definitions", id_, "jobs", body={}))["job_id"]
        await jobs.wait(run_id)
        answer = await fetch_changes(answer["token"])
        [definition] = answer["definitions"]
        [run] = definition["runs"]
        assert (run["job_id"], run["status"]) == (run_id, "COMPLETED")
        assert run["duration_seconds"] == (run["end_time"] - run["start_time"]) / 1000
        await jobs.request("PATCH", "job_definitions", id_, body={"active": False})
        answer = await fetch_changes(answer["token"])
        [definition] = answer["definitions"]
        assert (definition["active"], definition["next_run_time"]) == (False, None)
        await jobs.request("DELETE", "job_definitions", id_)
        assert (await fetch_changes(answer["token"]))["deleted_definitions"] == [id_]

    @local
    async def test_nothing_new_is_said_after_the_wait_alone(
        self, fetch_changes: Fetch, jobs: Jobs, jp_serverapp: Any
    ) -> None:
        await jobs.environment()
        before = jp_serverapp.web_app.settings["api_last_activity"]
        first = await fetch_changes()
        for wait in (0, 1):
            nothing = await fetch_changes(first["token"], wait=wait)
            assert nothing == {**first, "reset": False}
        assert jp_serverapp.web_app.settings["api_last_activity"] == before

    @local
    async def test_a_token_that_is_unknown_gives_everything(self, fetch_changes: Fetch) -> None:
        known = (await fetch_changes())["token"]
        server = known.partition("-")[0]
        for token in ("x", "-", f"{server}-9", f"{server}-{'9' * 5000}", f"{server}-²", "\0"):
            answer = await fetch_changes(token, wait=0)
            assert (answer["reset"], answer["token"]) == (True, known), token

    @local
    async def test_a_wait_that_is_not_possible_is_refused(self, fetch_changes: Fetch) -> None:
        for wait in ("-1", "26", "nan", "soon", ""):
            with pytest.raises(HTTPClientError) as error:
                await fetch_changes(wait=wait)
            expected = f"wait={wait} is not valid. Use a number from 0 to 25."
            assert (error.value.code, refusal(error)) == (400, expected)

    @local
    async def test_a_client_that_goes_away_leaves_nothing_behind(
        self,
        fetch_changes: Fetch,
        jp_http_port: int,
        jp_base_url: str,
        jp_serverapp: Any,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        token = (await fetch_changes())["token"]
        _, writer = await asyncio.open_connection("localhost", jp_http_port)
        secret = jp_serverapp.identity_provider.token
        path = f"{jp_base_url}argo-scheduler/changes?since={token}&token={secret}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await eventually_async(count_requests)
        writer.close()
        await writer.wait_closed()
        await eventually_async(lambda: not count_requests(), timeout=15)  # long before its wait is over
        assert "Uncaught exception" not in caplog.text


def count_requests() -> int:
    """Return how many requests the server is handling."""
    return sum("_execute" in repr(task.get_coro()) for task in asyncio.all_tasks())


@pytest.fixture
def make_watcher(database: Database, tmp_path: Path) -> Callable[..., ChangeWatcher]:
    """Return what makes a watcher that asks the database each time."""
    return functools.partial(
        ChangeWatcher, Services(database, tmp_path).jobs, refresh_seconds=0, progress_seconds=0
    )


@pytest.fixture
def watcher(make_watcher: Callable[..., ChangeWatcher]) -> ChangeWatcher:
    return make_watcher()


def collect(watcher: ChangeWatcher, since: str = "") -> answers.Changes:
    answer = watcher.collect(since)
    assert answer
    return answer


class TestAWatcher:
    def test_it_reads_rows_only_after_a_change(self, watcher: ChangeWatcher, database: Database) -> None:
        database.insert_job(JobRow(job_id="a", status="FAILED"))
        token = collect(watcher)["token"]
        with statements(database) as seen:
            for _ in range(5):
                assert watcher.collect(token, even_if_empty=False) is None
                assert len(collect(watcher)["jobs"]) == 1
        assert set(seen) == {"PRAGMA"}

    def test_many_who_listen_ask_once(
        self, make_watcher: Callable[..., ChangeWatcher], database: Database
    ) -> None:
        watcher = make_watcher(refresh_seconds=60)
        collect(watcher)
        with statements(database) as seen:
            for _ in range(20):
                collect(watcher)
        assert not seen

    def test_jobs_beyond_the_newest_leave(
        self, make_watcher: Callable[..., ChangeWatcher], database: Database
    ) -> None:
        watcher = make_watcher(max_ended_jobs=2)
        for number in range(3):
            database.insert_job(JobRow(job_id=f"{number}", status="COMPLETED", create_time=number))
        database.insert_job(JobRow(job_id="live", status="QUEUED", create_time=0))
        answer = collect(watcher)
        assert {job["job_id"] for job in answer["jobs"]} == {"live", "1", "2"}
        database.insert_job(JobRow(job_id="3", status="COMPLETED", create_time=3))
        answer = collect(watcher, answer["token"])
        assert ([job["job_id"] for job in answer["jobs"]], answer["deleted_jobs"]) == (["3"], ["1"])

    def test_who_missed_too_many_deletions_gets_everything(
        self, make_watcher: Callable[..., ChangeWatcher], database: Database
    ) -> None:
        watcher = make_watcher(max_deleted=1)
        for id_ in "abc":
            database.insert_job(JobRow(job_id=id_, status="COMPLETED"))
        tokens = [collect(watcher)["token"]]
        for id_ in "ab":
            database.delete_job(id_)
            tokens.append(collect(watcher)["token"])
        assert [collect(watcher, token)["reset"] for token in tokens] == [True, False, False]
        assert collect(watcher, tokens[1])["deleted_jobs"] == ["b"]

    def test_an_old_run_that_is_deleted_leaves_its_definition(
        self, make_watcher: Callable[..., ChangeWatcher], database: Database
    ) -> None:
        watcher = make_watcher(max_ended_jobs=1)
        database.insert_definition(DefinitionRow(job_definition_id="d"))
        for number in range(3):
            database.insert_run(f"{number}", "d", number, run_token("d", number))
            database.mark_completed(f"{number}")
        answer = collect(watcher)
        assert [run["job_id"] for run in answer["definitions"][0]["runs"]] == ["2", "1", "0"]
        database.delete_job("0")
        answer = collect(watcher, answer["token"])
        assert [run["job_id"] for run in answer["definitions"][0]["runs"]] == ["2", "1"]

    def test_an_estimate_is_that_of_earlier_runs(self, watcher: ChangeWatcher, database: Database) -> None:
        common: dict[str, Any] = {"input_filename": "n.ipynb", "start_time": 1000}
        for number, seconds in enumerate((600, 1, 3, 5, 4, 2)):
            ended = 1000 + seconds * 1000
            database.insert_job(
                JobRow(job_id=f"{number}", status="COMPLETED", create_time=number, end_time=ended, **common)
            )
        database.insert_job(JobRow(job_id="failed", status="FAILED", create_time=9, end_time=1001, **common))
        for id_, name in (("alike", "n.ipynb"), ("other", "o.ipynb")):
            database.insert_job(
                JobRow(job_id=id_, status="IN_PROGRESS", start_time=now_ms() - 5000, input_filename=name)
            )
        found = {job["job_id"]: job["progress"] for job in collect(watcher)["jobs"]}
        assert found["alike"]
        assert found["other"]
        assert found["alike"]["estimated_seconds"] == 3
        assert found["alike"]["elapsed_seconds"] >= 5
        assert found["other"]["estimated_seconds"] is None
        assert found["failed"] is None

    def test_the_next_run_moves_on_when_its_moment_has_come(
        self, make_watcher: Callable[..., ChangeWatcher], database: Database
    ) -> None:
        moment = [now_ms()]
        watcher = make_watcher(clock=lambda: moment[0])
        database.insert_definition(DefinitionRow(job_definition_id="d", schedule="0 * * * *", timezone="UTC"))
        answer = collect(watcher)
        first = answer["definitions"][0]["next_run_time"]
        assert first
        assert watcher.collect(answer["token"], even_if_empty=False) is None
        moment[0] = first
        [definition] = collect(watcher, answer["token"])["definitions"]
        assert definition["next_run_time"] == first + 3_600_000

    def test_a_schedule_that_is_not_valid_has_no_next_run(
        self, watcher: ChangeWatcher, database: Database
    ) -> None:
        database.insert_definition(DefinitionRow(job_definition_id="d", schedule="when it rains"))
        assert collect(watcher)["definitions"][0]["next_run_time"] is None

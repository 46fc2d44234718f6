"""The flows that matter most, with the rows in a real PostgreSQL. It is stricter than SQLite, and lets several write at once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_scheduler.orm import Job, JobDefinition, create_session, create_tables
from sqlalchemy import inspect, make_url, text
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.identity import run_token
from argo_jupyter_scheduler.domain.status import LIVE
from argo_jupyter_scheduler.jobs.answers import Changes
from argo_jupyter_scheduler.jobs.changes import ChangeWatcher
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.database import PASSWORD_VARIABLE, Database
from argo_jupyter_scheduler.storage.schema import INDICES, DefinitionRow
from argo_jupyter_scheduler.storage.statistics import count_failures
from tests.stand_ins.argo import ArgoStandIn
from tests.support.eventually import eventually, eventually_async
from tests.support.jobs import Jobs, Story, notebook, outputs, refusal
from tests.support.machine import Machine, machine, of  # noqa: F401 (a fixture)
from tests.support.postgresql import PASSWORD, PostgreSQL, started
from tests.support.rows import job_row
from tests.support.services import Services

LOCAL = pytest.mark.parametrize("place", ["local"], indirect=True)
ON_ARGO = pytest.mark.parametrize("place", ["argo"], indirect=True)
SLEEPS = notebook("import time; time.sleep(600)")
ROW = {"runtime_environment_name": "e", "input_filename": "n.ipynb", "name": "n", "status": "QUEUED"}


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    with started() as postgresql:
        yield postgresql


@pytest.fixture
def db_url(postgresql: PostgreSQL) -> Iterator[str]:
    with postgresql.database() as url:
        create_tables(url)
        yield url


@pytest.fixture(
    params=["local", "argo", "argo-pod-per-step"]
)  # a real Argo's pods do not see this server's socket
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def argo_config(argo_config: dict[str, Any], argo: ArgoStandIn) -> dict[str, Any]:
    argo.secrets["scheduler-db", "password"] = PASSWORD
    reference = {"secretKeyRef": {"name": "scheduler-db", "key": "password"}}
    variable = {PASSWORD_VARIABLE: {"valueFrom": reference}}
    return {**argo_config, "environment": {**argo_config["environment"], **variable}}


def insert(db_url: str, *rows: dict[str, Any]) -> None:
    session = create_session(db_url)
    with session() as open_session:
        open_session.add_all(Job(**{**ROW, **row}) for row in rows)
        open_session.commit()
    session.kw["bind"].dispose()


async def test_a_job_and_its_password(
    jobs: Jobs, place: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    code = f"""import os, pathlib, time
while not pathlib.Path({str(gate)!r}).exists(): time.sleep(.05)
print(len(word), {PASSWORD_VARIABLE!r} in os.environ)"""
    many = {"parameters": {"word": "x" * 2000}, "tags": ["a" * 1000, "b" * 1000]}
    job_id = await jobs.create("n.ipynb", notebook(code), output_formats=["ipynb", "html", "log"], **many)
    await jobs.wait(job_id, until="IN_PROGRESS")
    command_lines = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert any(job_id in (line or []) for line in command_lines)
    gate.touch()
    job = await jobs.wait(job_id)
    assert (job["status"], job["status_message"], job["tags"]) == ("COMPLETED", None, many["tags"])
    assert job["create_time"] <= job["start_time"] <= job["end_time"]
    files = await jobs.download(job_id)
    assert outputs(files["ipynb"]) == "2000 False\n"
    seen = json.dumps(command_lines, ensure_ascii=False) + files["log"].read_text()
    if place != "local":
        argo = request.getfixturevalue("argo")
        seen += json.dumps(argo.runs[f"job-{job_id}"].workflow, ensure_ascii=False)
    assert "pässword" not in seen
    assert "p%C3%A4ssword" not in seen
    await jobs.request("PATCH", "jobs", job_id, body={"name": "another"})
    [listed] = (await jobs.request("GET", "jobs", name="ano", status="COMPLETED", tags="a" * 1000))["jobs"]
    assert (listed["job_id"], (await jobs.get(job_id))["name"]) == (job_id, "another")


@pytest.mark.parametrize("place", ["local", "argo"], indirect=True)
async def test_a_definition(jobs: Jobs, next_minute: Callable[[], Awaitable[None]]) -> None:
    source = notebook("print(word)", parameters="word = ''")
    definition_id = await jobs.define("n.ipynb", source, parameters={"word": "one"}, tags=["t"])
    story = Story(jobs, next_minute, definition_id)
    first = await story.next_run()
    assert (first["status"], await story.printed(first)) == ("COMPLETED", "one\n")
    await story.change(active=False)
    await story.no_run()
    await story.change(active=True, parameters={"word": "two"}, name="b")
    [listed] = (await jobs.request("GET", "job_definitions", tags="t"))["job_definitions"]
    assert (listed["active"], listed["name"]) == (True, "b")
    second = await story.next_run()
    assert (second["status"], await story.printed(second)) == ("COMPLETED", "two\n")
    body = {"parameters": {"word": "3"}}
    by_hand = await jobs.request("POST", "job_definitions", definition_id, "jobs", body=body)
    assert await story.printed(await jobs.wait(by_hand["job_id"])) == "3\n"
    await jobs.request("DELETE", "job_definitions", definition_id)
    await story.no_run()
    assert len(await jobs.runs(definition_id)) == 3


@LOCAL
async def test_stop_delete_and_a_kill_on_this_machine(jobs: Jobs, staging_path: Path) -> None:
    killed, stopped, deleted = [await jobs.create(f"{n}.ipynb", SLEEPS) for n in range(3)]
    await jobs.wait(killed, until="IN_PROGRESS")
    await jobs.request("PATCH", "jobs", stopped, body={"status": "STOPPED"})
    await jobs.request("DELETE", "jobs", deleted)
    row = [one for one in psutil.process_iter(["cmdline"]) if killed in (one.info["cmdline"] or [])]
    row[0].kill()
    job = await jobs.wait(killed)
    assert (job["status"], job["status_message"]) == ("FAILED", messages.runs.PROCESS_GONE)
    assert (await jobs.get(stopped))["status"] == "STOPPED"
    assert {path.name for path in staging_path.iterdir()} == {stopped, killed}
    assert (await jobs.request("GET", "jobs"))["total_count"] == 2


@LOCAL
async def test_what_a_notebook_raises_fits_its_column(jobs: Jobs) -> None:
    job = await jobs.wait(await jobs.create("n.ipynb", notebook("raise ValueError('a\\0b' + 5000 * 'x')")))
    assert job["status"] == "FAILED"
    assert job["status_message"].startswith("ValueError: abxxx")


@ON_ARGO
async def test_runs_that_the_mender_writes_or_ends(
    jobs: Jobs, argo: ArgoStandIn, database: Database, scheduler: ArgoScheduler, next_minute: Any
) -> None:
    killed = await jobs.create("k.ipynb", SLEEPS)
    await jobs.wait(killed, until="IN_PROGRESS")
    argo.delete_pod(f"job-{killed}")
    assert (await jobs.wait(killed))["status_message"] == "pod deleted"

    story = Story(jobs, next_minute, await jobs.define("n.ipynb", SLEEPS))
    await next_minute()
    runs = await eventually_async(lambda: jobs.runs(story.id))
    await jobs.wait(runs[0]["job_id"], until="IN_PROGRESS")
    await next_minute()
    replaced = await jobs.wait(runs[0]["job_id"])
    assert (replaced["status"], "replaced it" in replaced["status_message"]) == ("STOPPED", True)

    argo.broken = "no such service account"
    await next_minute()
    await asyncio.gather(*(asyncio.to_thread(scheduler.reconciler.reconcile) for _ in range(6)))

    async def is_failed() -> bool:
        newest = (await jobs.runs(story.id))[0]
        return (newest["status"], newest.get("status_message")) == ("FAILED", argo.broken)

    await eventually_async(is_failed)


@LOCAL
async def test_a_database_that_goes_away_ends_nothing(
    jobs: Jobs, postgresql: PostgreSQL, db_url: str, staging_path: Path, tmp_path: Path
) -> None:
    """The server's connections are cut, and for a while there are no new ones: as at its restart."""
    name = str(make_url(db_url).database)
    gate, next_cell = tmp_path / "gate", tmp_path / "next cell"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(.05)"
    source = notebook(wait, f"pathlib.Path({str(next_cell)!r}).touch()", "print('done')")
    job_id = await jobs.create("n.ipynb", source, output_formats=["ipynb", "log"])
    await jobs.wait(job_id, until="IN_PROGRESS")
    postgresql.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    postgresql.cut(name)
    gate.touch()
    await eventually_async(next_cell.exists)
    with pytest.raises(HTTPClientError) as error:
        await jobs.create("n.ipynb")
    assert "is not currently accepting connections" in refusal(error)
    assert [path.name for path in staging_path.glob("[!.]*")] == [job_id]
    postgresql.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    job = await jobs.wait(job_id)
    assert job["status"] == "COMPLETED", job
    assert outputs((await jobs.download(job_id))["ipynb"]) == "done\n"


def test_a_run_occupies_no_connection_while_it_says_nothing(postgresql: PostgreSQL, db_url: str) -> None:
    """A server has room for a hundred, if it is not told otherwise."""
    url = make_url(db_url).update_query_dict({"application_name": "a run"})
    database = Database(url.render_as_string(hide_password=False), keep_connections=False)
    assert not database.is_live("a")
    own = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'a run'"
    eventually(lambda: postgresql.execute(own) == [(0,)])


def test_runs_that_claim_at_once_wait_for_each_other(db_url: str, database: Database) -> None:
    insert(db_url, *({"job_id": f"job-{number:02}", "pid": 0, "create_time": 1} for number in range(16)))
    with ThreadPoolExecutor(8) as pool:
        for ended in range(8):
            list(
                pool.map(
                    lambda number: database.claim_job(
                        f"job-{number:02}", 1000 + number, max_concurrent_runs=2
                    ),
                    range(16),
                )
            )
            running = [job.job_id for job in database.list_live_jobs() if job.pid]
            assert running == [f"job-{ended:02}", f"job-{ended + 1:02}"]
            database.mark_completed(running[0])


def test_a_place_that_is_just_being_taken_is_taken(db_url: str, database: Database) -> None:
    """By a younger job, before the older one's row was there."""
    insert(
        db_url,
        *({"job_id": job_id, "pid": 0, "create_time": age} for age, job_id in enumerate(["old", "new"])),
    )
    with ThreadPoolExecutor() as pool:
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET pid = 1 WHERE job_id = 'new'"))
            taken = pool.submit(database.claim_job, "old", 2, max_concurrent_runs=1)
            time.sleep(0.5)
        assert not taken.result()


def test_rows_that_several_write_at_once(db_url: str, database: Database) -> None:
    session = create_session(db_url)
    with session() as open_session:
        values = {key: value for key, value in ROW.items() if key != "status"}
        open_session.add(JobDefinition(job_definition_id="d", active=True, tags=["t"], **values))
        open_session.commit()
    session.kw["bind"].dispose()

    async def all_at_once(call: Callable[[int], bool]) -> int:
        return sum(await asyncio.gather(*(asyncio.to_thread(call, n) for n in range(8))))

    created = now_ms()
    token = run_token("d", created // 1000)
    asyncio.run(all_at_once(lambda n: database.insert_run("r", "d", created, token)))
    row = job_row(database, "r")
    assert (row.status, row.tags, row.pid, row.create_time) == ("QUEUED", ("t",), None, created)
    database.explain_waiting("r", "no node")
    database.stop_replaced_runs("d", created + 1)
    row = job_row(database, "r")
    assert (row.status, str(row.status_message).endswith("It was still waiting: no node")) == (
        "STOPPED",
        True,
    )
    assert [*database.find_known_jobs(["r", "s"])] == ["r"]
    assert not database.find_known_jobs([])
    assert [job.job_id for job in database.find_stopped_before(["r"], now_ms() + 1000)] == ["r"]
    assert database.was_stopped_since(created)

    insert(db_url, {"job_id": "one end"})
    ends = [lambda: database.mark_completed("one end"), lambda: database.mark_failed("one end", "why")]
    assert asyncio.run(all_at_once(lambda n: ends[n % 2]())) == 1
    assert job_row(database, "one end").status not in LIVE


def test_tables_that_jupyter_scheduler_made_alone(postgresql: PostgreSQL) -> None:
    with postgresql.database() as url:
        alone = "import sys; from jupyter_scheduler.orm import create_tables; create_tables(sys.stdin.read())"
        subprocess.run([sys.executable, "-c", alone], input=url, text=True, check=True)
        for _ in range(2):
            create_tables(url)  # as the server does at each start
        insert(url, {"job_id": "a", "parameters": {"word": "x" * 5000}})
        database = Database(url)
        assert job_row(database, "a").parameters == {"word": "x" * 5000}
        database.dispose()


def test_the_doctor(machine: Machine, postgresql: PostgreSQL) -> None:  # noqa: F811
    with postgresql.database() as url:
        shown = make_url(url)._replace(password=None).render_as_string()
        machine.configure(SchedulerApp={"db_url": url})
        for options in ([], ["--run"], []):
            found = machine.doctor(*options)
            assert {status for statuses in of(found).values() for status in statuses} == {"ok"}
            assert found["database"][0]["message"].startswith(f"{shown} answers")
    machine.configure(SchedulerApp={"db_url": postgresql.url("nowhere")})
    [found_one] = machine.doctor()["database"]
    assert 'database "nowhere" does not exist' in found_one["message"]
    machine.configure(SchedulerApp={"db_url": postgresql.url(password="pässword-2")})
    [found_one] = machine.doctor()["database"]
    assert 'password authentication failed for user "jupyter"' in found_one["message"]
    assert "\n" not in found_one["message"]
    assert "pässword" not in machine.output


@LOCAL
class TestWatched:
    @pytest.fixture
    def scheduler_config(self, scheduler_config: dict[str, Any]) -> dict[str, Any]:
        return {**scheduler_config, "serve_metrics": True, "metrics_with_names": True}

    async def test_metrics_failures_and_late_runs(
        self,
        jobs: Jobs,
        jp_fetch: Callable[..., Any],
        scheduler: ArgoScheduler,
        database: Database,
        db_url: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        tags = ["late:10m", "concurrency:forbid"]
        definition_id = await jobs.define("n.ipynb", notebook("1"), schedule="0 6 * * *", tags=tags)
        begin = now_ms() - 3 * 86_400_000
        ended = {"job_definition_id": definition_id, "start_time": begin + 5_000, "end_time": begin + 25_000}
        token = run_token(definition_id, begin // 1000)
        insert(
            db_url,
            {**ended, "job_id": "a", "status": "COMPLETED", "idempotency_token": token, "pid": 4711},
            {**ended, "job_id": "b", "status": "FAILED", "end_time": begin + 30_000},
            {"job_id": "c", "pid": None},
        )
        assert count_failures(database, definition_id) == (1, begin + 25_000)
        database.update_definition(definition_id, update_time=begin)
        await eventually_async(lambda: "did not start within 10 min" in caplog.text)
        lines = (await jp_fetch("argo-scheduler", "metrics")).body.decode().splitlines()
        prefix = "argo_scheduler_"
        assert f'{prefix}jobs{{engine="local",status="COMPLETED"}} 1.0' in lines
        assert f'{prefix}queue_length{{engine="argo"}} 1.0' in lines
        duration = f"{prefix}job_duration_seconds_bucket"
        assert f'{duration}{{engine="local",le="10.0",status="COMPLETED"}} 0.0' in lines
        assert f'{duration}{{engine="local",le="30.0",status="COMPLETED"}} 1.0' in lines
        [waiting] = [line for line in lines if line.startswith(f"{prefix}schedule_waiting_seconds{{")]
        assert float(waiting.split()[-1]) > 86_400


def test_what_the_panel_shows_follows_the_rows(database: Database, tmp_path: Path) -> None:
    watcher = ChangeWatcher(Services(database, tmp_path).jobs)

    def collect(token: str) -> Changes:
        answers = eventually(lambda: watcher.collect(token, even_if_empty=False))
        assert answers
        return answers

    answer = watcher.collect()
    assert answer
    database.insert_definition(DefinitionRow(job_definition_id="d", schedule="0 0 * * *"))
    answer = collect(answer["token"])
    assert [one["job_definition_id"] for one in answer["definitions"]] == ["d"]
    database.insert_run("a", "d", now_ms(), run_token("d", 1))
    answer = collect(answer["token"])
    assert [job["status"] for job in answer["jobs"]] == ["QUEUED"]
    assert [run["job_id"] for run in answer["definitions"][0]["runs"]] == ["a"]
    database.mark_started("a")
    answer = collect(answer["token"])
    assert [job["status"] for job in answer["jobs"]] == ["IN_PROGRESS"]
    assert watcher.collect(answer["token"], even_if_empty=False) is None
    database.delete_job("a")
    assert collect(answer["token"])["deleted_jobs"] == ["a"]


def test_servers_that_start_together_create_the_indices(
    db_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    servers = [Database(db_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for started in [pool.submit(server.create_indices) for server in servers]:
            started.result()
    found = {
        index["name"]
        for table in ("jobs", "job_definitions")
        for index in inspect(servers[0].engine).get_indexes(table)
    }
    assert found == set(INDICES)
    for server in servers:
        server.dispose()
    caplog.clear()
    servers[0].create_indices()
    assert caplog.text == ""
    servers[0].dispose()


def test_tables_of_another_user_are_left_as_they_are(
    db_url: str, postgresql: PostgreSQL, caplog: pytest.LogCaptureFixture
) -> None:
    user = f"reader_{uuid.uuid4().hex}"
    owner = Database(db_url)
    with owner.engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {user} LOGIN PASSWORD 'p'"))
        connection.execute(text(f"GRANT SELECT ON jobs, job_definitions TO {user}"))
    reader = Database(make_url(db_url).set(username=user, password="p").render_as_string(hide_password=False))
    reader.create_indices()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "must be owner" in caplog.text
    assert reader.list_live_jobs() == []
    for database in (reader, owner):
        database.dispose()

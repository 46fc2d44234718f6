"""Jupyter-Scheduler's API as clients of the stock backend use it: its own fields, and what is refused."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import text
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.input_folder import PRIVATE
from argo_jupyter_scheduler.storage.schema import INDICES
from tests.stand_ins.argo import ArgoStandIn
from tests.support.eventually import eventually_async
from tests.support.jobs import REAL_ARGO, Jobs, Story, notebook, outputs, reconcile_twice
from tests.support.statements import no_scan_of_jobs

STOCK_FIELDS: dict[str, Any] = {
    "timeout_seconds": 0,
    "max_retries": 0,
    "min_retry_interval_millis": 0,
    "retry_on_timeout": False,
    "email_notifications": {"no_alert_for_skipped_runs": True},
    "output_filename_template": "{{input_filename}}-{{create_time}}",
    "runtime_environment_parameters": {},
    "something_else": {"a": 1},
}
"""Defaults of the stock models, in any version, and what nobody knows."""

local = pytest.mark.parametrize("place", ["local"], indirect=True)
both = pytest.mark.parametrize("place", ["local", "argo"], indirect=True)


class Refusal:
    """The answer to a request, and what the server's log says of it."""

    def __init__(self, error: HTTPClientError, lines: list[str]) -> None:
        assert error.response is not None
        self.status = error.code
        self.message = str(json.loads(error.response.body)["message"])
        self.lines = lines


@pytest.fixture
def refused(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> Callable[..., Any]:
    """Send a request that is refused; return the refusal."""

    async def send(method: str, *path: str, body: Any = None, **query: str) -> Refusal:
        await jobs.environment()
        caplog.clear()
        with caplog.at_level(logging.INFO), pytest.raises(HTTPClientError) as error:
            await jobs.request(method, *path, body=body, **query)
        # Below warnings, the server may say how it started meanwhile.
        warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
        lines = [line for record in warnings for line in caplog.handler.format(record).splitlines()]
        return Refusal(error.value, lines)

    return send


async def job(jobs: Jobs, path: str = "n.ipynb", **fields: Any) -> dict[str, Any]:
    """Return the body of a request for a job."""
    environment = await jobs.environment()
    given = {"name": "n", "input_uri": path, "output_formats": ["ipynb"]}
    return {**given, "runtime_environment_name": environment, **fields}


# Fields


@both
async def test_what_the_stock_models_default_to_is_accepted(jobs: Jobs) -> None:
    job_id = await jobs.create("n.ipynb", notebook("print('it ran')"), **STOCK_FIELDS)
    definition_id = await jobs.define("n.ipynb", **STOCK_FIELDS)
    await jobs.request("PATCH", "job_definitions", definition_id, body={**STOCK_FIELDS, "name": "b"})
    await jobs.request("PATCH", "jobs", job_id, body={"name": "b"})
    await jobs.request("POST", "job_definitions", definition_id, "jobs", body=STOCK_FIELDS)
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"
    for row in (await jobs.request("GET", "jobs"))["jobs"]:
        assert (await jobs.wait(row["job_id"]))["status"] == "COMPLETED"


@both
async def test_the_apis_timeout_and_retries_are_those_of_the_run(jobs: Jobs, tmp_path: Path) -> None:
    count = tmp_path / "count"
    source = notebook(f"open({str(count)!r}, 'a').write('x')\nraise ValueError('no')")
    job_id = await jobs.create("n.ipynb", source, max_retries=2, min_retry_interval_millis=1)
    row = await jobs.wait(job_id)
    assert row["status_message"] == "ValueError: no (cell 1, In [1]) (after 3 attempts)"
    assert count.read_text() == "xxx"
    job_id = await jobs.create("n.ipynb", notebook("import time; time.sleep(600)"), timeout_seconds=4)
    row = await jobs.wait(job_id)
    assert row["status"] == "FAILED"
    assert any(words in row["status_message"] for words in ("4 s, the limit", "deadline"))


@pytest.mark.parametrize("place", ["argo"], indirect=True)
async def test_runs_of_a_definition_inherit_the_fields(jobs: Jobs, argo: ArgoStandIn) -> None:
    fields = {"timeout_seconds": 7200, "max_retries": 3, "min_retry_interval_millis": 2500}
    definition_id = await jobs.define("n.ipynb", notebook("1"), **fields)
    cron = f"job-def-{definition_id}"

    def spec() -> dict[str, Any]:
        return argo.crons[cron]["spec"]["workflowSpec"]  # type: ignore[no-any-return]

    def retries() -> Any:
        return next(one for one in spec()["templates"] if one["name"] == "main").get("retryStrategy")

    assert spec()["activeDeadlineSeconds"] == 7200
    assert retries() == {"limit": "3", "retryPolicy": "Always", "backoff": {"duration": "3s"}}
    await jobs.request("PATCH", "job_definitions", definition_id, body={"timeout_seconds": 60})
    assert (spec()["activeDeadlineSeconds"], retries()["limit"]) == (60, "3")
    body = {"timeout_seconds": 0, "max_retries": 0}
    by_hand = (await jobs.request("POST", "job_definitions", definition_id, "jobs", body={"max_retries": 1}))[
        "job_id"
    ]
    assert (await jobs.get(by_hand))["runtime_environment_parameters"] == {
        "timeout_seconds": 60,
        "max_retries": 1,
        "retry_interval": 3,
    }
    await jobs.request("PATCH", "job_definitions", definition_id, body=body)
    assert ("activeDeadlineSeconds" in spec(), retries()) == (False, None)
    assert (await jobs.wait(by_hand))["status"] == "COMPLETED"


WITHOUT_EFFECT: list[tuple[dict[str, Any], str]] = [
    ({"email_notifications": {"on_failure": ["me@example.org"]}}, "email_notifications is not supported"),
    ({"email_notifications": "me@example.org"}, "email_notifications is not supported"),
    ({"retry_on_timeout": True}, "retry_on_timeout is not supported"),
    ({"output_filename_template": "{{name}}"}, "output_filename_template is not supported"),
    ({"timeout_seconds": -1}, "timeout_seconds: '-1' is not valid. Use a whole number of 0 or more."),
    ({"max_retries": "many"}, "max_retries: 'many' is not valid. Use a whole number of 0 or more."),
    (
        {"min_retry_interval_millis": 1.5},
        "min_retry_interval_millis: '1.5' is not valid. Use a whole number of 0 or more.",
    ),
    ({"max_retries": 21}, "Option retries: '21'"),
    ({"timeout_seconds": 60, "tags": ["timeout:2h"]}, "Option timeout is given twice: timeout_seconds = 60"),
]


@local
@pytest.mark.parametrize(("fields", "words"), WITHOUT_EFFECT)
async def test_fields_without_effect_are_refused_by_name(
    jobs: Jobs, refused: Callable[..., Any], staging_path: Path, fields: dict[str, Any], words: str
) -> None:
    jobs.write("n.ipynb", notebook("1"))
    for endpoint in ("jobs", "job_definitions"):
        refusal = await refused("POST", endpoint, body=await job(jobs, **fields))
        assert (refusal.status, words in refusal.message) == (400, True), refusal.message
    assert list(staging_path.iterdir()) == []
    definition_id = await jobs.define("n.ipynb")
    before = await jobs.request("GET", "job_definitions", definition_id)
    for method, path in (("PATCH", ()), ("POST", ("jobs",))):
        body = {key: value for key, value in fields.items() if method == "PATCH" or key != "tags"}
        if method == "PATCH" or "tags" not in fields:
            refusal = await refused(method, "job_definitions", definition_id, *path, body=body)
            assert (refusal.status, words in refusal.message) == (400, True), refusal.message
    assert await jobs.request("GET", "job_definitions", definition_id) == before


@local
async def test_a_jobs_limits_cannot_be_changed(jobs: Jobs, refused: Callable[..., Any]) -> None:
    job_id = await jobs.create("n.ipynb", notebook("1"))
    refusal = await refused("PATCH", "jobs", job_id, body={"timeout_seconds": 60})
    assert (refusal.status, refusal.message) == (
        400,
        "A job's timeout_seconds cannot be changed. Create a new job with the value that you need.",
    )


# Several jobs at once


@local
@pytest.mark.parametrize("separated", ["by commas", "repeated"])
async def test_jobs_are_deleted_together(
    jobs: Jobs, jp_fetch: Callable[..., Any], staging_path: Path, separated: str
) -> None:
    jobs.write("n.ipynb", notebook("1"))
    ids = [await jobs.create("n.ipynb") for _ in range(3)]
    for job_id in ids:
        await jobs.wait(job_id)
    commas = [("job_id", ",".join(ids[:2]))]
    query = commas if separated == "by commas" else [("job_id", job_id) for job_id in ids[:2]]
    await jp_fetch("scheduler", "batch", "jobs", params=query, method="DELETE")
    assert [path.name for path in staging_path.iterdir()] == ids[2:]
    await jp_fetch(
        "scheduler", "batch", "jobs", params=query, method="DELETE"
    )  # they are gone, as was asked for


@local
async def test_what_is_not_a_job_deletes_nothing(
    jobs: Jobs, refused: Callable[..., Any], staging_path: Path
) -> None:
    job_id = await jobs.create("n.ipynb", notebook("1"))
    await jobs.wait(job_id)
    for ids in (f"{job_id},typo", f"{job_id},", f"{job_id[:8]}", f"{job_id} {job_id}"):
        refusal = await refused("DELETE", "batch", "jobs", job_id=ids)
        assert (refusal.status, refusal.message[:4], refusal.message[-11:]) == (404, "Job ", " not found.")
    assert [path.name for path in staging_path.iterdir()] == [job_id]


# Refusals


MISSING = "00000000-0000-0000-0000-000000000000"


@local
@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", ("jobs", MISSING), None, 404, f"Job {MISSING} not found."),
        ("PATCH", ("jobs", MISSING), {"name": "b"}, 404, f"Job {MISSING} not found."),
        ("PATCH", ("jobs", MISSING), {"status": "STOPPED"}, 404, f"Job {MISSING} not found."),
        ("GET", ("job_definitions", MISSING), None, 404, f"Job definition {MISSING} not found."),
        ("PATCH", ("job_definitions", MISSING), {"name": "b"}, 404, f"Job definition {MISSING} not found."),
        ("POST", ("job_definitions", MISSING, "jobs"), {}, 404, f"Job definition {MISSING} not found."),
        ("POST", ("jobs",), {"input_uri": "no.ipynb"}, 400, "Input path 'no.ipynb' does not exist."),
        ("POST", ("jobs",), {"output_formats": ["100%d"]}, 400, "Output format '100%d' not found."),
        ("POST", ("jobs",), {"parameters": {"a\nb": "1"}}, 400, "is not a valid parameter name."),
        ("POST", ("job_definitions",), {"schedule": "0 0 31 2 *"}, 400, "never occurs"),
        ("POST", ("job_definitions",), {"schedule": "* * *", "timezone": "UTC"}, 400, "has 3 fields"),
        ("POST", ("job_definitions",), {"schedule": "@daily", "timezone": "Europe/Olso"}, 400, "Europe/Oslo"),
    ],
)
async def test_a_refusal_is_4xx_and_one_line_of_the_log(
    jobs: Jobs,
    refused: Callable[..., Any],
    method: str,
    path: tuple[str, ...],
    body: dict[str, Any] | None,
    status: int,
    words: str,
) -> None:
    jobs.write("n.ipynb", notebook("1"))
    if method == "POST" and len(path) == 1:
        body = await job(jobs, **(body or {}))
    refusal = await refused(method, *path, body=body)
    assert (refusal.status, words in refusal.message) == (status, True), refusal.message
    [line] = refusal.lines
    assert f"{status} {method} /" in line
    assert " ".join(refusal.message.split()) in line


@local
async def test_a_token_that_was_used_is_answered_as_by_the_stock_backend(
    jobs: Jobs, refused: Callable[..., Any], staging_path: Path
) -> None:
    job_id = await jobs.create("n.ipynb", notebook("1"), idempotency_token="t")
    refusal = await refused("POST", "jobs", body=await job(jobs, idempotency_token="t"))
    assert (refusal.status, refusal.message) == (409, "Job with Idempotency Token 't' already exists.")
    assert len(refusal.lines) == 1
    for token in ("", None, "other"):
        await jobs.create("n.ipynb", idempotency_token=token)
    await jobs.wait(job_id)
    await jobs.request("DELETE", "jobs", job_id)
    await jobs.create("n.ipynb", idempotency_token="t")
    assert len(list(staging_path.iterdir())) == 4


@pytest.mark.parametrize("place", ["argo"], indirect=True)
async def test_an_engine_that_is_away_is_500_and_one_line(
    jobs: Jobs, refused: Callable[..., Any], argo: ArgoStandIn, staging_path: Path
) -> None:
    jobs.write("n.ipynb", notebook("1"))
    argo.fail_next(503, "busy", times=9, path="/workflows", method="POST")
    refusal = await refused("POST", "jobs", body=await job(jobs))
    assert (refusal.status, len(refusal.lines)) == (500, 1), refusal.lines
    assert list(staging_path.glob("[!.]*")) == []  # but a mark, until Argo has said that there is no workflow


@local
async def test_a_bug_keeps_its_traceback(
    jobs: Jobs, refused: Callable[..., Any], scheduler: ArgoScheduler
) -> None:
    jobs.write("n.ipynb", notebook("1"))
    scheduler.jobs.validation = None  # type: ignore[assignment]
    refusal = await refused("POST", "jobs", body=await job(jobs))
    assert (refusal.status, refusal.message) == (500, "Unexpected error occurred during creation of job.")
    assert any("AttributeError" in line for line in refusal.lines)


# Hostile requests


def deep(levels: int) -> str:
    nested = "[" * levels + "]" * levels
    return notebook("1").replace('"kernelspec"', f'"deep": {nested}, "kernelspec"', 1)


LONG = "x" * 1_000_000
DEEP = (700, 100_000)
HOSTILE: list[tuple[dict[str, Any], str]] = [
    *(
        ({name: "\ud800"}, "not valid Unicode")
        for name in ("name", "idempotency_token", "job_definition_id", "compute_type")
    ),
    ({"runtime_environment_name": "\ud800"}, "not valid Unicode"),
    ({"runtime_environment_parameters": {"\ud800": 1}}, "not valid Unicode"),
    ({"output_filename_template": "\ud800"}, "output_filename_template is not supported"),
    ({"tags": ["\ud800"]}, "not valid Unicode"),
    ({"output_formats": ["\ud800"]}, "not valid Unicode"),
    ({"input_uri": "\ud800.ipynb"}, "not valid Unicode"),
    ({"input_uri": "\udcff.ipynb"}, "not valid Unicode"),
    ({"job_definition_id": "../../root"}, "Job definition ../../root not found."),
    ({"job_definition_id": "{{workflow.name}}"}, "Job definition {{workflow.name}} not found."),
    ({"input_filename": PRIVATE}, "is not a plain file name"),
    ({"input_uri": LONG}, "The input path has 1000000 characters. Use at most 4096."),
    ({"input_uri": "a\0b"}, "NUL"),
    *(({"input_uri": f"deep-{levels}.ipynb"}, "It is nested too deeply.") for levels in DEEP),
    ({"name": LONG}, "The name has 1000000 characters. Use at most 256."),
    ({"idempotency_token": LONG}, "The idempotency token has 1000000 characters. Use at most 256."),
    ({"job_definition_id": LONG}, "The job definition id has 1000000 characters. Use at most 36."),
    ({"runtime_environment_name": LONG}, "has 1000000 characters"),
    ({"compute_type": LONG}, "The compute type has 1000000 characters. Use at most 256."),
    ({"output_filename_template": LONG}, "output_filename_template is not supported"),
    ({"input_filename": LONG}, "input_filename has 1000000 bytes"),
    ({"tags": ["t"] * 10_000}, "There are 10000 tags. Use at most 100."),
    ({"tags": [LONG]}, "The tags have 1000000 characters in total. Use at most 200000."),
    ({"parameters": {f"p{n}": "1" for n in range(10_000)}}, "There are 10000 parameters. Use at most 1000."),
    ({"parameters": {LONG: "1"}}, "The name of a parameter has 1000000 characters. Use at most 256."),
    ({"parameters": {"a": LONG * 17}}, "The parameters have 17000001 characters in total."),
    ({"output_formats": ["html"] * 10_000}, "There are 10000 output formats. Use at most 100."),
    ({"runtime_environment_parameters": {"timeout": "1h" + " " * 1_000_000}}, "Use at most 10000."),
    ({"runtime_environment_parameters": {LONG: 1}}, "Use at most 10000."),
    ({"timeout_seconds": LONG}, "Use a whole number of 0 or more"),
    ({"email_notifications": {"on_start": [LONG]}}, "email_notifications is not supported"),
    ({"schedule": LONG}, "The schedule"),
    ({"schedule": "* * * * \ud800"}, "not valid Unicode"),
    ({"timezone": LONG, "schedule": "@daily"}, "The timezone has 1000000 characters."),
    ({"timezone": "\ud800", "schedule": "@daily"}, "not valid Unicode"),
]


@local
@pytest.mark.parametrize(("fields", "words"), HOSTILE, ids=range(len(HOSTILE)))
async def test_a_hostile_request_is_refused_in_a_sentence_and_leaves_nothing(
    jobs: Jobs, refused: Callable[..., Any], staging_path: Path, fields: dict[str, Any], words: str
) -> None:
    jobs.write("n.ipynb", notebook("1"))
    for levels in DEEP:
        jobs.write(f"deep-{levels}.ipynb", deep(levels))
    (jobs.root / "\udcff.ipynb").write_text(notebook("1"))
    only_jobs = {"idempotency_token", "job_definition_id"} & fields.keys()
    only_definitions = {"schedule", "timezone"} & fields.keys()
    for endpoint in ("jobs", "job_definitions"):
        if (only_jobs and endpoint != "jobs") or (only_definitions and endpoint == "jobs"):
            continue
        refusal = await refused("POST", endpoint, body=await job(jobs, **fields))
        assert (refusal.status, words in refusal.message) == (400, True), refusal.message
        assert len(refusal.message) <= 1024
        assert len(refusal.lines) == 1
    assert list(staging_path.iterdir()) == []
    assert (await jobs.request("GET", "jobs"))["total_count"] == 0
    if only_jobs or "input_filename" in fields or fields.get("input_uri", "").startswith("\udcff"):
        return
    definition_id = await jobs.define("n.ipynb")
    before = await jobs.request("GET", "job_definitions", definition_id)
    refusal = await refused("PATCH", "job_definitions", definition_id, body=fields)
    assert (refusal.status, words in refusal.message) == (400, True), refusal.message
    assert await jobs.request("GET", "job_definitions", definition_id) == before


@local
async def test_a_file_beside_the_notebook_may_have_any_name(jobs: Jobs) -> None:
    """Also one that is not UTF-8, which Linux allows."""
    jobs.write("d/n.ipynb", notebook("import os; print(len(os.listdir()))"))
    (jobs.root / "d" / "\udcff.csv").write_text("1")
    job_id = await jobs.create("d/n.ipynb", package_input_folder=True)
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"
    assert outputs((await jobs.download(job_id))["ipynb"]).strip() >= "2"
    job_id = await jobs.create("d/n.ipynb")
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"


# What only a run finds out


@pytest.mark.parametrize("place", ["local", "argo", "argo-pod-per-step", *REAL_ARGO], indirect=True)
async def test_what_lies_beside_the_notebook_and_is_missed_is_named(
    jobs: Jobs, next_minute: Callable[[], Awaitable[None]]
) -> None:
    jobs.write("d/helper.py", "x = 1")
    jobs.write("d/data/rows.csv", "1")
    hint = "is in the notebook's folder: tick *Run job with input folder*."
    job_id = await jobs.create("d/m.ipynb", notebook("import helper"))
    row = await jobs.wait(job_id)
    assert row["status_message"] == (
        f"ModuleNotFoundError: No module named 'helper' (cell 1, In [1]). helper.py {hint}"
    )
    job_id = await jobs.create("d/m.ipynb", package_input_folder=True)
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"
    story = Story(jobs, next_minute, await jobs.define("d/f.ipynb", notebook("open('data/rows.csv')")))
    row = await story.next_run()
    assert row["status_message"].endswith(f"(cell 1, In [1]). data/ {hint}")
    by_hand = await jobs.request("POST", "job_definitions", story.id, "jobs", body={})
    assert (await jobs.wait(by_hand["job_id"]))["status_message"] == row["status_message"]


@local
@pytest.mark.parametrize("code", ["import nothing_like_that", "open('/nowhere/helper.py')", "1 / 0"])
async def test_other_failures_get_no_hint(jobs: Jobs, code: str) -> None:
    jobs.write("d/helper.py", "x = 1")
    job_id = await jobs.create("d/m.ipynb", notebook(code))
    assert str((await jobs.wait(job_id))["status_message"]).endswith("(cell 1, In [1])")


class TestKernels:
    KERNEL: ClassVar[dict[str, str]] = {"name": "python-of-old", "display_name": "P", "language": "python"}

    @pytest.fixture
    def scheduler_config(
        self, request: pytest.FixtureRequest, scheduler_config: dict[str, Any]
    ) -> dict[str, Any]:
        return {**scheduler_config, "missing_kernel": getattr(request, "param", "warn")}

    @both
    async def test_one_that_is_replaced_is_a_warning(self, jobs: Jobs) -> None:
        source = notebook("1", kernel=self.KERNEL)
        job_id = await jobs.create("k.ipynb", source, output_formats=["log"])
        assert (await jobs.wait(job_id))["status"] == "COMPLETED"
        log = (await jobs.download(job_id))["log"].read_text()
        assert "names kernel 'python-of-old', which is not installed. It runs with 'python3' instead." in log

    @local
    @pytest.mark.parametrize("scheduler_config", ["refuse"], indirect=True)
    async def test_or_a_refusal(self, jobs: Jobs, refused: Callable[..., Any], staging_path: Path) -> None:
        jobs.write("k.ipynb", notebook("1", kernel=self.KERNEL))
        for endpoint in ("jobs", "job_definitions"):
            refusal = await refused("POST", endpoint, body=await job(jobs, "k.ipynb"))
            assert (refusal.status, refusal.message) == (
                400,
                "The notebook names kernel 'python-of-old', which is not installed. Install it, pick another environment, or "
                "open the notebook and select a kernel such as 'python3'.",
            )
        assert list(staging_path.iterdir()) == []
        job_id = await jobs.create("n.ipynb", notebook("1"))
        assert (await jobs.wait(job_id))["status"] == "COMPLETED"


@local
async def test_the_server_answers_while_rows_cannot_be_read(
    jobs: Jobs, db_url: str, jp_fetch: Callable[..., Any]
) -> None:
    job = await jobs.get(await jobs.create("n.ipynb", notebook("1")))
    await jobs.wait(job["job_id"])
    definition_id = await jobs.define("n.ipynb", schedule="0 6 * * *")
    requests = {
        "list": ("GET", "jobs"),
        "count": ("GET", "jobs", "count"),
        "job": ("GET", "jobs", job["job_id"]),
        "rename": ("PATCH", "jobs", job["job_id"]),
        "definitions": ("GET", "job_definitions"),
        "definition": ("GET", "job_definitions", definition_id),
        "download": ("GET", "jobs", job["job_id"], "download_files"),
    }
    locked = sqlite3.connect(db_url.removeprefix("sqlite:///"), isolation_level=None)
    locked.execute("BEGIN EXCLUSIVE")
    tasks = {
        name: asyncio.create_task(jobs.request(*path, body={"name": "b"} if path[0] == "PATCH" else None))
        for name, path in requests.items()
    }
    for _ in range(10):
        await jp_fetch("api", "status")
    assert not any(task.done() for task in tasks.values())
    locked.execute("ROLLBACK")
    locked.close()
    await asyncio.gather(*tasks.values())


@both
async def test_no_request_and_no_look_reads_all_jobs(
    jobs: Jobs, scheduler: ArgoScheduler, next_minute: Callable[[], Awaitable[None]]
) -> None:
    database = scheduler.jobs.database
    await eventually_async(lambda: asyncio.to_thread(has_indices, database))
    newest = {"sort_by": "desc(create_time)", "max_items": "25"}
    with no_scan_of_jobs(database) as seen:
        definition_id = await jobs.define("n.ipynb", notebook("1"))
        story = Story(jobs, next_minute, definition_id)
        await story.next_run()
        job_id = await jobs.create("n.ipynb", idempotency_token="t")
        await jobs.wait(job_id)
        await jobs.create("n.ipynb", name="found by its name")
        await jobs.download(job_id)
        await jobs.request("GET", "jobs", **newest)
        for column in ("name", "input_filename", "status"):
            await jobs.request("GET", "jobs", sort_by=f"asc({column})", max_items="25")
        await jobs.request("GET", "jobs", name="a", tags="b", status="COMPLETED", start_time="5")
        await jobs.request("GET", "jobs", "count", status="COMPLETED")
        await jobs.request("GET", "job_definitions", **newest)
        await jobs.request("GET", "job_definitions", definition_id)
        await jobs.request("GET", "jobs", job_definition_id=definition_id, **newest)
        await story.change(active=False)
        await jobs.request("POST", "job_definitions", definition_id, "jobs", body={})
        await jobs.request("PATCH", "jobs", job_id, body={"name": "b"})
        running = await jobs.create("n.ipynb", notebook("import time; time.sleep(600)"))
        await jobs.request("PATCH", "jobs", running, body={"status": "STOPPED"})
        await reconcile_twice(scheduler)
        await asyncio.to_thread(scheduler.reconciler.repair_schedules)
        await jobs.request("DELETE", "jobs", running)
        await jobs.request("DELETE", "job_definitions", definition_id)
    assert len(seen) > 30


def has_indices(database: Database) -> bool:
    """Return whether the server, which begins with that, has created the last one."""
    with database.engine.connect() as connection:
        rows = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'index'"))
        return list(INDICES)[-1] in set(rows.scalars())


@local
async def test_what_a_server_has_loaded_is_not_collected_again(jobs: Jobs) -> None:
    """A collection that looks at all of it stops the event loop for a fifth of a second."""
    await eventually_async(gc.get_freeze_count)

"""Jupyter-Scheduler's API, asked for anything: the answer is 2xx, or 4xx with a sentence, and a refusal leaves nothing."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jupyter_scheduler.orm import Job, JobDefinition
from sqlalchemy import select
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.domain.text import MESSAGE_LENGTH
from argo_jupyter_scheduler.storage.database import Database
from tests.stand_ins.argo import ArgoStandIn
from tests.support.hostile import NESTED, damaged, dump, fuzzed, is_one_line, text, values
from tests.support.jobs import Jobs, notebook

pytestmark = pytest.mark.parametrize("place", ["argo"], indirect=True)

FIELDS: dict[str, Any] = {
    "name": "n",
    "input_uri": "n.ipynb",
    "output_formats": ["ipynb"],
    "parameters": {"a": "1"},
    "tags": ["timeout:1h"],
    "runtime_environment_parameters": {"retries": 1},
    "compute_type": "",
    "input_filename": "n.ipynb",
    "package_input_folder": False,
    "timeout_seconds": 0,
    "max_retries": 0,
    "min_retry_interval_millis": 0,
    "retry_on_timeout": False,
    "email_notifications": {"no_alert_for_skipped_runs": True},
    "output_filename_template": "{{input_filename}}-{{create_time}}",
    "something_else": {"a": 1},
}
JOB: dict[str, Any] = {**FIELDS, "idempotency_token": "", "job_definition_id": None}
DEFINITION: dict[str, Any] = {**FIELDS, "schedule": "0 6 * * *", "timezone": "UTC"}
CHANGES: dict[str, Any] = {**DEFINITION, "active": True, "url": "/x"}
QUERY = {
    "status": "QUEUED",
    "name": "n",
    "tags": "t",
    "start_time": "0",
    "create_time": "0",
    "max_items": "5",
    "next_token": "0",
    "sort_by": "desc(create_time)",
    "job_definition_id": "a",
    "job_id": "00000000-0000-4000-8000-000000000000",
    "redownload": "1",
}


class Api:
    """A server's API, with what it may leave behind."""

    def __init__(
        self,
        jobs: Jobs,
        argo: ArgoStandIn,
        database: Database,
        staging_path: Path,
        log: pytest.LogCaptureFixture,
    ) -> None:
        self.jobs, self._argo, self._database, self._log = jobs, argo, database, log
        self._staging_path = staging_path
        self.definition_id = self.job_id = ""

    async def start(self) -> None:
        """Make a job and a definition, to be changed."""
        self.jobs.write("folder/n.ipynb", notebook("1"))
        self.environment = await self.jobs.environment()
        self.job_id = await self.jobs.create("n.ipynb", notebook("1"))
        self.definition_id = await self.jobs.define("n.ipynb")

    def state(self) -> object:
        """Return all that a request can change."""
        files = {path: path.read_bytes() for path in self._staging_path.rglob("*") if path.is_file()}
        # The reconciler writes why a job waits.
        columns = [
            column for column in Job.__table__.c if column.name not in ("status_message", "update_time")
        ]
        with self._database.engine.connect() as connection:
            rows = [
                connection.execute(statement).all()
                for statement in (select(*columns), select(JobDefinition.__table__))
            ]
        return files, rows, sorted(self._argo.runs), json.dumps(self._argo.crons, sort_keys=True)

    async def send(
        self, method: str, path: str, body: str | bytes | None = None, query: Mapping[str, str] | None = None
    ) -> Any:
        """Send a request; return a good answer, and None for a refusal, which is looked at."""
        before = self.state()
        self._log.clear()
        params = {name: value.encode("utf-8", "surrogatepass") for name, value in (query or {}).items()}
        refusal = None
        try:
            with self._log.at_level(logging.INFO):
                response = await self.jobs.fetch(
                    "scheduler", *path.split("/"), method=method, body=body, params=params
                )
        except HTTPClientError as error:
            refusal = error
        if refusal is None:
            self.check_log(0)
            return json.loads(response.body) if response.body else {}
        assert refusal.response is not None
        assert 400 <= refusal.code < 500, (refusal.code, refusal.response.body, self._log.text)
        message = json.loads(refusal.response.body)["message"]
        assert 0 < len(message) <= MESSAGE_LENGTH
        assert "Unexpected" not in message
        self.check_log(1)
        assert self.state() == before
        return None

    def check_log(self, refusals: int) -> None:
        """See that each line of the log is one, without control characters or a traceback."""
        records = [record for record in self._log.records if not record.name.startswith("tornado.access")]
        assert not [record for record in records if record.exc_info], self._log.text
        lines = [record.getMessage() for record in records if record.levelno >= logging.WARNING]
        assert all(is_one_line(line) for line in lines), lines
        refused = [line for line in lines if line.startswith("4")]
        assert len(refused) <= refusals, lines


@pytest.fixture
def run(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Callable[..., Any]:
    return jp_asyncio_loop.run_until_complete


@pytest.fixture
def api(
    jobs: Jobs,
    argo: ArgoStandIn,
    database: Database,
    staging_path: Path,
    caplog: pytest.LogCaptureFixture,
    run: Callable[..., Any],
) -> Api:
    argo.pending = "no pod is to start"
    api = Api(jobs, argo, database, staging_path, caplog)
    run(api.start())
    return api


async def create(api: Api, body: dict[str, Any]) -> None:
    """Send a request for a job and one for a definition; delete what was made."""
    body = {"runtime_environment_name": api.environment, **body}
    for path, key in (("jobs", "job_id"), ("job_definitions", "job_definition_id")):
        made = await api.send("POST", path, dump(body))
        if made is not None:
            await api.send("GET", f"{path}/{made[key]}")
            await api.send("GET", path)
            await api.send("DELETE", f"{path}/{made[key]}")


def test_jobs_and_definitions_of_anything(api: Api, run: Callable[..., Any]) -> None:
    @fuzzed(30)
    @given(damaged({**JOB, **DEFINITION}))
    @example({"input_uri": "", "name": "n"})
    @example({"input_uri": "folder/", "name": "n"})
    @example({"input_uri": "n.ipynb", "name": "n", "timeout_seconds": NESTED[2]})
    @example({"input_uri": "n.ipynb", "name": "n", "something_else": NESTED[2]})
    @example({"name": "n"})
    def send(body: Any) -> None:
        run(create(api, body) if isinstance(body, dict) else api.send("POST", "jobs", dump(body)))

    send()


def test_names_of_anything(api: Api, run: Callable[..., Any]) -> None:
    @fuzzed(8)
    @given(text, text, text, text, st.dictionaries(text, text, max_size=3), st.lists(text, max_size=3))
    def send(
        name: str, uri: str, filename: str, schedule: str, parameters: dict[str, str], tags: list[str]
    ) -> None:
        good = {**FIELDS, "schedule": "@daily"}
        for fields in (
            {"name": name, "tags": tags, "input_uri": uri},
            {"input_uri": f"./{uri}/../n.ipynb", "input_filename": filename, "name": name},
            {"parameters": parameters, "name": name},
            {"schedule": schedule, "timezone": name},
        ):
            run(create(api, {**good, **fields}))

    send()


def test_changes_to_anything(api: Api, run: Callable[..., Any]) -> None:
    @fuzzed(12)
    @given(damaged(CHANGES))
    def send(changes: Any) -> None:
        body = dump(changes)
        definition = f"job_definitions/{api.definition_id}"
        run(api.send("PATCH", definition, body))
        run(api.send("GET", definition))
        if isinstance(changes, dict):
            for name, value in changes.items():
                run(api.send("PATCH", definition, dump({name: value})))
        made = run(api.send("POST", f"{definition}/jobs", body))
        if made:
            run(api.send("DELETE", f"jobs/{made['job_id']}"))

    send()


def test_changes_of_a_job_to_anything(api: Api, run: Callable[..., Any]) -> None:
    @fuzzed(30)
    @given(st.one_of(values, st.fixed_dictionaries({}, optional={"name": values, "status": values})))
    @example({"status": "COMPLETED"})
    def send(changes: Any) -> None:
        run(api.send("PATCH", f"jobs/{api.job_id}", dump(changes)))
        run(api.send("GET", f"jobs/{api.job_id}"))

    send()


def test_bodies_that_are_not_json(api: Api, run: Callable[..., Any]) -> None:
    @fuzzed(10)
    @given(st.one_of(st.binary(max_size=100), st.sampled_from([b"", b"{", b"\xff", b"null", b"[" * 200_000])))
    def send(body: bytes) -> None:
        for method, path in (
            ("POST", "jobs"),
            ("POST", "job_definitions"),
            ("PATCH", f"jobs/{api.job_id}"),
            ("PATCH", f"job_definitions/{api.definition_id}"),
            ("POST", f"job_definitions/{api.definition_id}/jobs"),
        ):
            run(api.send(method, path, body))

    send()


def test_lists_of_anything(api: Api, run: Callable[..., Any]) -> None:
    @fuzzed(12)
    @given(st.dictionaries(st.sampled_from(sorted(QUERY)), text, max_size=3))
    def send(changes: dict[str, str]) -> None:
        query = {**QUERY, **changes} if len(changes) < 3 else changes
        for path in ("jobs", "jobs/count", "job_definitions", "runtime_environments", "config"):
            run(api.send("GET", path, query=query))
        run(api.send("DELETE", "batch/jobs", query=query))

    send()


def test_notebooks_of_anything(api: Api, run: Callable[..., Any]) -> None:
    good = json.loads(notebook("print(1)", parameters="a = 1"))
    good["cells"].append({"cell_type": "markdown", "source": ["# a"], "metadata": {}, "id": "m"})
    good["cells"][0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "a"}]

    @fuzzed(25)
    @given(st.one_of(damaged(good).map(dump), text, st.binary(max_size=200)))
    @example("[" * 100_000)
    @example('{"cells": ' + "[" * 100_000 + "]" * 100_000 + "}")
    @example(json.dumps({**good, "cells": good["cells"] * 3000}))
    @example("9" * 5000)
    @example(json.dumps({**good, "nbformat": True}))
    @example(json.dumps({**good, "nbformat": 4.0, "nbformat_minor": -1}))
    @example("")
    def send(content: str | bytes) -> None:
        data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        (api.jobs.root / "n.ipynb").write_bytes(data)
        run(create(api, {**JOB, "schedule": "@daily"}))

    send()

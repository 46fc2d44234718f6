"""Argo answers anything: the engine says so with an error of its own, and takes no name of a file or run from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, EngineError
from argo_jupyter_scheduler.domain.identity import cron_workflow_name, is_job_id
from argo_jupyter_scheduler.engines.argo.cron_workflows import CronWorkflows
from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine
from argo_jupyter_scheduler.engines.argo.labels import DEFINITION_LABEL, JOB_LABEL, MANAGER
from argo_jupyter_scheduler.storage.database import Database
from tests.stand_ins.argo import ArgoStandIn
from tests.support.hostile import NESTED, damaged, dump, fuzzed, is_one_line, text, values
from tests.support.manifests import DEFINITION, ID, JOB, argo_settings

IMAGE = {"inherit_pod": "off", "image": "a"}
UID = "9f2f5a8f-6f6f-4c11-8d5e-2b6a5d0c0d5e"
OLD = replace(JOB, create_time=0, status="QUEUED")
NODES = {
    "a": {"displayName": "main(0)", "message": "child 'a' failed", "type": "Pod", "phase": "Pending"},
    "b": {"displayName": "main(1)", "message": "OOMKilled", "type": "Pod", "phase": "Failed"},
}


def workflow(name: str, uid: str, label: tuple[str, str], phase: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "uid": uid,
            "labels": {**MANAGER, label[0]: label[1]},
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"arguments": {}, "shutdown": ""},
        "status": {"phase": phase, "message": "failed", "nodes": NODES},
    }


def workflow_list() -> dict[str, Any]:
    run = f"{cron_workflow_name(ID)}-1767225600"
    return {
        "metadata": {"resourceVersion": "1"},
        "items": [
            workflow(f"job-{ID}", ID, (JOB_LABEL, ID), "Failed"),
            workflow(f"job-{UID}", UID, (JOB_LABEL, UID), "Running"),
            workflow(run, UID, (DEFINITION_LABEL, ID), "Running"),
        ],
    }


CALLS: dict[str, Callable[[ArgoEngine], Any]] = {
    "submit": lambda engine: engine.submit(JOB),
    "stop": lambda engine: engine.stop(JOB),
    "delete": lambda engine: engine.delete(JOB),
    "exists": lambda engine: engine.exists(JOB),
    "observe": lambda engine: engine.observe([OLD], [ID], look_for_others=True),
    "schedule": lambda engine: engine.schedule(replace(DEFINITION, schedule="1 2 3 4 5")),
    "pause": lambda engine: engine.schedule(replace(DEFINITION, active=False)),
    "unschedule": lambda engine: engine.unschedule(ID),
    "end_runs": lambda engine: engine.end_runs(ID),
    "find_outdated": lambda engine: engine.find_outdated([]),
    "find_unscheduled": lambda engine: engine.find_unscheduled([ID]),
    "find_reason": lambda engine: engine.find_reason(JOB),
    "read_log": lambda engine: engine.read_log(JOB),
    "version": lambda engine: engine.api.version,
}


class HurriedCronWorkflows(CronWorkflows):
    """Does not wait for a deleted object to vanish."""

    deleted_lingers_seconds = 0.0


class HurriedEngine(ArgoEngine):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._cron_workflows = HurriedCronWorkflows(self.api)


class Engine:
    """An engine, with an Argo that gives it the answers of a test."""

    def __init__(self, argo: ArgoStandIn, database: Database) -> None:
        self._argo, self._database = argo, database
        self.manifest = self.make().build_cron_workflow(DEFINITION, one_schedule=False)

    def make(self) -> ArgoEngine:
        settings = argo_settings(namespace="dev", argo_server=self._argo.url, **IMAGE)
        return HurriedEngine(
            replace(settings, connection=replace(settings.connection, timeout=1.0)), self._database, "/s"
        )

    def call(self, name: str, status: int, answer: str, knows_version: bool = True) -> Any:
        """Call the engine; return what it returns, and None for an error of its own."""
        self._argo.forget_failures()
        if knows_version:
            self._argo.fail_next(200, {"version": "v4.1.2"}, times=99, path="/version")
        self._argo.fail_next(status, answer, times=99)
        engine = self.make()
        error = None
        try:
            return CALLS[name](engine)
        except ArgoSchedulerError as refusal:
            error = refusal
        finally:
            engine.close()
        assert isinstance(error, EngineError)
        assert is_one_line(str(error))
        assert len(str(error)) < 1024
        return None


@pytest.fixture
def engine(argo: ArgoStandIn, database: Database, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("ARGO_TOKEN", argo.token)
    return Engine(argo, database)


PAGES = (
    "",
    "null",
    "{",
    "[]",
    "{}",
    "0",
    '"a"',
    "<html><body>Log in</body></html>",
    '{"items": {}}',
    '{"items": [null]}',
    '{"code": 16, "message": null}',
    '{"code": 16, "message": {"a": ["\\u001b[31m\\n"]}}',
    '{"message": "' + "x" * 200_000 + '"}',
    json.dumps({"version": "v" + "9" * 5000 + ".1"}),
    json.dumps(workflow_list())[:700],
    dump(NESTED[3]),
    dump({"items": [{"metadata": NESTED[2]}]}),
)
STATUSES = (200, 200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 409, 418, 429, 500)


def test_pages_of_anything(engine: Engine) -> None:
    @fuzzed(80)
    @given(
        st.sampled_from(sorted(CALLS)),
        st.sampled_from(STATUSES),
        st.one_of(st.sampled_from(PAGES), text.map(json.dumps), values.map(dump)),
        st.booleans(),
    )
    def call(name: str, status: int, page: str, knows_version: bool) -> None:
        engine.call(name, status, page, knows_version)

    call()


@pytest.mark.parametrize("name", ["end_runs", "find_reason", "observe"])
def test_workflows_of_anything(engine: Engine, name: str) -> None:
    @fuzzed(40)
    @given(damaged(workflow_list() if name != "find_reason" else workflow_list()["items"][0]))
    @example({"items": [{**workflow_list()["items"][2], "metadata": {"labels": {DEFINITION_LABEL: ID}}}]})
    def call(answer: Any) -> None:
        found = engine.call(name, 200, dump(answer))
        if name == "observe" and found is not None:
            assert all(is_job_id(run.job_id) for run in found.runs)
            assert all(run.token.startswith(cron_workflow_name(ID)) for run in found.runs)

    call()


@pytest.mark.parametrize("name", ["schedule", "pause", "find_outdated", "find_unscheduled"])
def test_cron_workflows_of_anything(engine: Engine, name: str) -> None:
    live = json.loads(json.dumps(engine.manifest))
    live["metadata"]["uid"] = UID
    whole = live if name in ("schedule", "pause") else {"items": [live]}

    @fuzzed(40)
    @given(damaged(whole))
    def call(answer: Any) -> None:
        engine.call(name, 200, dump(answer))

    call()

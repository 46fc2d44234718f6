"""Indices that Jupyter-Scheduler's tables lack, and that every statement finds its rows by one."""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event

from argo_jupyter_scheduler.domain.identity import run_token
from argo_jupyter_scheduler.storage import recent
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import INDICES, DefinitionRow, JobRow
from tests.support.statements import no_scan_of_jobs, statements

JOB = {"runtime_environment_name": "e", "input_filename": "n.ipynb", "status": "QUEUED"}

CALLS: dict[str, Callable[[Database], object]] = {
    "get_job": lambda d: d.get_job("a"),
    "is_live": lambda d: d.is_live("a"),
    "list_live_jobs": lambda d: d.list_live_jobs(),
    "find_jobs_of_input": lambda d: d.find_jobs_of_input("n.ipynb"),
    "insert_job": lambda d: d.insert_job(JobRow(job_id="b", idempotency_token="t", **JOB)),  # type: ignore[arg-type]
    "delete_job": lambda d: d.delete_job("b"),
    "update_job": lambda d: d.update_job("a", name="n"),
    "get_definition": lambda d: d.get_definition("d"),
    "insert_definition": lambda d: d.insert_definition(
        DefinitionRow(job_definition_id="d", runtime_environment_name="e", input_filename="n.ipynb")
    ),
    "update_definition": lambda d: d.update_definition("d", name="n"),
    "delete_definition": lambda d: d.delete_definition("d"),
    "list_schedules": lambda d: d.list_schedules(),
    "list_definitions": lambda d: d.list_definitions(),
    "list_live_runs": lambda d: d.list_live_runs("d"),
    "list_earlier_runs": lambda d: d.list_earlier_runs("d", 5),
    "find_known_jobs": lambda d: d.find_known_jobs(["a", "b"]),
    "find_stopped_before": lambda d: d.find_stopped_before(["a", "b"], 5),
    "was_stopped_since": lambda d: d.was_stopped_since(5),
    "insert_run": lambda d: d.insert_run("c", "d", 5, run_token("d", 5)),
    "stop_replaced_runs": lambda d: d.stop_replaced_runs("d", 5),
    "mark_started": lambda d: d.mark_started("a"),
    "mark_completed": lambda d: d.mark_completed("a"),
    "mark_failed": lambda d: d.mark_failed("a", "why"),
    "mark_stopped": lambda d: d.mark_stopped("a"),
    "explain_waiting": lambda d: d.explain_waiting("a", "why"),
    "report_failed_attempt": lambda d: d.report_failed_attempt("a", "why"),
    "claim_job": lambda d: d.claim_job("a", 5, 3),
}
"""A call of each method that executes a statement: all that the services, the reconciler and the steps ask."""

OTHERS = {"read", "has_tables", "create_indices", "make_private", "dispose", "make_id"}

READS_ALL = {"list_stored_jobs", "list_options"}
"""Once an hour, for retention: each job's age is looked at."""


def index_names(database: Database) -> set[str]:
    with sqlite3.connect(str(database.engine.url.database)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        found = {str(name) for (name,) in rows}
    connection.close()
    return found


def test_each_method_of_the_database_is_examined() -> None:
    methods = {name for name, _ in inspect.getmembers(Database, inspect.isfunction) if name[0] != "_"}
    assert methods == CALLS.keys() | OTHERS | READS_ALL


@pytest.mark.parametrize("name", list(CALLS))
def test_no_statement_reads_all_jobs(database: Database, name: str) -> None:
    database.create_indices()
    with no_scan_of_jobs(database) as seen:
        CALLS[name](database)
    assert seen


def test_what_the_panel_asks_reads_no_jobs_but_those_shown(database: Database) -> None:
    database.create_indices()
    with no_scan_of_jobs(database) as seen:
        recent.read_shown_jobs(database, ["a", "b"])
        recent.read_last_runs(database, ["d", "e"], 20)
        recent.estimate_seconds(database, "d", "n.ipynb")
        recent.estimate_seconds(database, None, "n.ipynb")
    assert len(seen) == 4


def test_without_indices_all_jobs_are_read(database: Database) -> None:
    with pytest.raises(AssertionError, match="SCAN jobs"), no_scan_of_jobs(database):
        database.list_live_jobs()


def test_indices_are_created_once(database: Database) -> None:
    database.create_indices()
    assert index_names(database) == set(INDICES)
    with statements(database) as seen:
        database.create_indices()
    assert "CREATE" not in seen


def test_servers_that_start_together_create_them_together(
    db_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    servers = [Database(db_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for started in [pool.submit(server.create_indices) for server in servers]:
            started.result()
    assert index_names(servers[0]) == set(INDICES)
    assert caplog.text == ""
    for server in servers:
        server.dispose()


def test_a_database_that_is_read_only_is_left_as_it_is(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    def forbid_writes(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA query_only = 1")  # root may write into any file

    event.listen(database.engine, "connect", forbid_writes)
    database.create_indices()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "readonly database" in caplog.text
    assert database.list_live_jobs() == []


def test_a_database_that_is_busy_is_waited_for(database: Database, db_url: str) -> None:
    writer = sqlite3.connect(db_url.removeprefix("sqlite:///"), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(database.create_indices)
        assert database.list_live_jobs() == []  # reads go on meanwhile
        writer.execute("COMMIT")
        started.result()
    writer.close()
    assert index_names(database) == set(INDICES)

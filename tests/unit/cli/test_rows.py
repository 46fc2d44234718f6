"""Rows that are looked up and shown."""

from __future__ import annotations

import json
import re

import pytest

from argo_jupyter_scheduler.cli.definitions import definition_as_cells, definition_as_json, next_run_ms
from argo_jupyter_scheduler.cli.job_queries import find_definition, find_job, list_jobs
from argo_jupyter_scheduler.cli.jobs import job_as_cells, job_as_json
from argo_jupyter_scheduler.cli.tables import duration_seconds, render_duration, render_table
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, InvalidJob, JobNotFound
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow


def job(job_id: str, **columns: object) -> JobRow:
    given: dict[str, object] = {
        "input_filename": "n.ipynb",
        "status": "COMPLETED",
        "name": "a job",
        "output_formats": ("ipynb",),
        **columns,
    }
    return JobRow(job_id=job_id, **given)  # type: ignore[arg-type]


@pytest.fixture
def three(database: Database) -> Database:
    database.insert_job(job("aaa-1", create_time=1))
    database.insert_job(job("aab-2", create_time=2, status="FAILED", job_definition_id="def-1"))
    database.insert_job(job("bbb-3", create_time=3, status="FAILED"))
    return database


def test_jobs_are_listed_newest_first(three: Database) -> None:
    def ids(*arguments: object) -> list[str]:
        return [row.job_id for row in list_jobs(three, *arguments)]  # type: ignore[arg-type]

    assert ids(0) == ["bbb-3", "aab-2", "aaa-1"]
    assert ids(2) == ["bbb-3", "aab-2"]
    assert ids(0, "FAILED") == ["bbb-3", "aab-2"]
    assert ids(0, "", "def") == ["aab-2"]
    assert ids(0, "", "de%") == []


@pytest.mark.parametrize("beginning", ["b", "bbb-3", "BB"])
def test_a_job_is_found_by_the_beginning_of_its_id(three: Database, beginning: str) -> None:
    assert find_job(three, beginning).job_id == "bbb-3"


def test_an_id_that_is_the_beginning_of_another_one(database: Database) -> None:
    database.insert_job(job("a"))
    database.insert_job(job("ab"))
    assert find_job(database, "a").job_id == "a"


def test_a_job_that_is_not_found(three: Database) -> None:
    with pytest.raises(InvalidJob, match=r"Several job ids begin with 'aa'. .*Available: aaa-1, aab-2"):
        find_job(three, "aa")
    for beginning in ("c", "", "%", "_"):
        with pytest.raises(JobNotFound, match="List jobs with: jupyter argo-scheduler jobs"):
            find_job(three, beginning)


def test_many_jobs_that_begin_alike(database: Database) -> None:
    for number in range(7):
        database.insert_job(job(f"a{number}"))
    with pytest.raises(InvalidJob, match="a0, a1, a2, a3, a4 and 2 more"):
        find_job(database, "a")


@pytest.mark.parametrize(
    ("columns", "seconds", "text"),
    [
        ({}, None, "-"),
        ({"start_time": 1000, "end_time": 4200}, 3.2, "3.2 s"),
        ({"start_time": 1000, "end_time": 251_000}, 250.0, "4:10 min"),
        ({"start_time": 1000, "end_time": 3_726_000}, 3725.0, "1:02:05 h"),
        ({"start_time": 1000, "status": "IN_PROGRESS"}, 9.0, "9.0 s"),
        ({"start_time": 5000, "end_time": 1000}, 0.0, "0.0 s"),  # clocks of two machines
    ],
)
def test_durations(columns: dict[str, object], seconds: float | None, text: str) -> None:
    assert duration_seconds(job("a", **columns), now=10_000) == seconds
    assert render_duration(seconds) == text


def test_a_table() -> None:
    text = render_table(("JOB", "NAME"), [("a", "one"), ("long", "")])
    assert text == "JOB   NAME\na     one\nlong"


def test_a_job_as_text_and_as_json() -> None:
    row = job(
        "3f2a0000-1111",
        name="two\nlines\x1b",
        parameters={"days": "3", "SLACK_TOKEN": "xoxb-1"},
        start_time=0,
        end_time=1500,
    )
    cells = job_as_cells(row)
    assert (cells[0], cells[1], cells[3]) == ("3f2a0000", "COMPLETED", "1.5 s")
    assert cells[4] == "two lines"
    content = json.loads(json.dumps(job_as_json(row)))
    assert (content["job_id"], content["duration_seconds"]) == ("3f2a0000-1111", 1.5)
    assert content["parameters"] == {"days": "3", "SLACK_TOKEN": "***"}


HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"schedule": "0 * * * *", "timezone": "UTC"}, HOUR_MS),
        ({"schedule": "0 * * * *", "timezone": "UTC", "active": False}, None),
        ({}, None),
        ({"schedule": "L * * * *"}, None),  # of another backend
    ],
)
def test_when_a_definition_runs_next(columns: dict[str, object], expected: int | None) -> None:
    row = DefinitionRow(job_definition_id="d", **columns)  # type: ignore[arg-type]
    assert next_run_ms(row, 60_000) == expected


def test_definitions(database: Database) -> None:
    rows = [
        DefinitionRow(
            job_definition_id=f"{name}-111111111",
            name=name,
            create_time=number,
            schedule="@daily",
            active=active,
        )
        for number, (name, active) in enumerate([("first", True), ("second", False)])
    ]
    for row in rows:
        database.insert_definition(row)
    found = database.list_definitions()
    assert [row.name for row in found] == ["second", "first"]
    cells = definition_as_cells(found[0])
    assert (cells[0], *cells[1:5], cells[5]) == ("second-1", "paused", "@daily", "UTC", "-", "second")
    assert definition_as_json(found[1])["active"] is True
    assert definition_as_json(found[1])["next_run_time"]


class TestDefinitions:
    @pytest.fixture
    def definitions(self, database: Database) -> Database:
        for id_, name in (
            ("aa1", "Daily"),
            ("aa2", "Weekly"),
            ("bb1", "Twice"),
            ("bb2", "Twice"),
            ("cc1", "aa"),
        ):
            database.insert_definition(DefinitionRow(job_definition_id=id_, name=name))
        return database

    @pytest.mark.parametrize(
        ("text", "id_"), [("Daily", "aa1"), ("aa2", "aa2"), ("AA2", "aa2"), ("bb1", "bb1"), ("aa", "cc1")]
    )
    def test_one_is_found_by_its_name_or_id(self, definitions: Database, text: str, id_: str) -> None:
        assert find_definition(definitions, text).job_definition_id == id_

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("Twice", "Several job definitions are called 'Twice'. Give an id. Available: bb1, bb2."),
            ("b", "Several job definitions have an id that begins with 'b'."),
            ("Dayly", "Job definition 'Dayly' not found. Available: Daily."),
            ("", "Job definition '' not found."),
        ],
    )
    def test_what_is_not_certain_is_refused(self, definitions: Database, text: str, words: str) -> None:
        with pytest.raises(ArgoSchedulerError, match=re.escape(words)):
            find_definition(definitions, text)

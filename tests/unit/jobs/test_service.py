"""Jobs, without a server: a real database, real files, a small engine."""

from __future__ import annotations

import contextlib
import sqlite3
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jupyter_scheduler.utils import create_output_directory

from argo_jupyter_scheduler.domain.errors import (
    ArgoSchedulerError,
    DuplicateJob,
    EngineUnavailable,
    InvalidJob,
)
from argo_jupyter_scheduler.domain.identity import run_token
from argo_jupyter_scheduler.jobs.requests import JobRequest
from argo_jupyter_scheduler.jobs.rerun import rerun
from argo_jupyter_scheduler.steps.scheduled_time import find_scheduled_time
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.output_names import output_filename
from tests.support.jobs import notebook
from tests.support.rows import job_row
from tests.support.services import Services
from tests.support.statements import statements


@pytest.fixture
def services(database: Database, tmp_path: Path) -> Services:
    return Services(database, tmp_path)


def request(**fields: object) -> JobRequest:
    given = {
        "input_uri": "n.ipynb",
        "input_filename": "n.ipynb",
        "runtime_environment_name": "venv",
        "name": "n",
    }
    return JobRequest(**{**given, **fields})  # type: ignore[arg-type]


def test_a_submit_looks_the_environment_up_once_and_writes_the_row_once(services: Services) -> None:
    services.write("n.ipynb", notebook("1"))
    with statements(services.database) as executed:
        job_id = services.jobs.create_job(request(tags=("timeout:1h", "a"), parameters={"x": "1"}))
    assert executed == ["INSERT"]
    assert services.environments.lookups == 1
    [job] = services.engine.submitted
    assert services.database.get_job(job_id) == job
    assert (job.status, job.tags, job.parameters, job.pid) == (
        "QUEUED",
        ("timeout:1h", "a"),
        {"x": "1"},
        None,
    )
    settings = services.jobs.folder(job_id).read_settings()
    assert (settings.engine, settings.origin, settings.own_environment) == ("argo", "n.ipynb", "venv")


def test_a_token_is_used_once(services: Services) -> None:
    services.write("n.ipynb", notebook("1"))
    job_id = services.jobs.create_job(request(idempotency_token="t"))
    with pytest.raises(DuplicateJob, match=r"^t$"):
        services.jobs.create_job(request(idempotency_token="t"))
    assert [path.name for path in services.staging.iterdir()] == [job_id]
    assert len(services.engine.submitted) == 1


REFUSED = [
    ({"input_uri": "../n.ipynb"}, "outside the root folder"),
    ({"input_uri": "no.ipynb"}, "does not exist"),
    ({"input_uri": "a\0.ipynb"}, "NUL"),
    ({"input_uri": "\ud800.ipynb"}, "not valid Unicode"),
    ({"name": "a\0b"}, "The name contains a NUL character."),
    ({"name": "\ud800"}, "The name contains characters that are not valid Unicode."),
    ({"parameters": {"a": "\udfff"}}, "not valid Unicode"),
    ({"tags": ("\ud800",)}, "not valid Unicode"),
    ({"input_uri": "text.ipynb"}, "is not a notebook"),
    ({"input_uri": "list.ipynb"}, "is not a notebook"),
    ({"input_filename": "../../n.ipynb"}, "plain file name"),
    ({"runtime_environment_name": "x"}, "Environment 'x' not found. Available: venv."),
    ({"output_formats": ("docx",)}, "Output format 'docx' not found. Available: html, ipynb."),
    ({"compute_type": "big"}, "Compute type 'big' not found. Available: none."),
    (
        {"parameters": {"x y": "1"}},
        "'x y' is not a valid parameter name. Use letters, digits and underscores.",
    ),
    ({"name": "n" * 257}, "The name has 257 characters. Use at most 256."),
    ({"tags": ("timeout:soon",)}, "Option timeout"),
]


@pytest.mark.parametrize(("fields", "words"), REFUSED)
def test_what_is_refused_leaves_nothing(services: Services, fields: dict[str, object], words: str) -> None:
    services.write("n.ipynb", notebook("1"))
    services.write("text.ipynb", "hello")
    services.write("list.ipynb", "[]")
    with pytest.raises(InvalidJob) as error:
        services.jobs.create_job(request(**fields))
    assert words in str(error.value)
    assert list(services.staging.iterdir()) == []
    assert services.database.list_live_jobs() == services.engine.submitted == []


def test_an_engine_that_fails_leaves_nothing(services: Services) -> None:
    services.write("n.ipynb", notebook("1"))
    services.engine.failure = EngineUnavailable("away")
    with pytest.raises(ArgoSchedulerError, match="away"):
        services.jobs.create_job(request())
    assert list(services.staging.iterdir()) == []
    assert services.database.list_live_jobs() == []


def test_an_input_of_a_row_that_leads_out_of_its_folder_is_refused(
    services: Services, tmp_path: Path
) -> None:
    """Rows of earlier versions were not checked."""
    with contextlib.closing(sqlite3.connect(tmp_path / "scheduler.sqlite")) as connection, connection:
        connection.execute(
            "INSERT INTO job_definitions (job_definition_id, runtime_environment_name, input_filename, create_time,"
            " update_time, active) VALUES ('d', 'venv', '../../n.ipynb', 0, 0, 1)"
        )
    with pytest.raises(InvalidJob, match="plain file name"):
        services.jobs.run_definition("d", {})


def test_a_job_is_stopped_and_deleted_by_the_engine_that_owns_it(services: Services) -> None:
    services.write("n.ipynb", notebook("1"))
    job_id = services.jobs.create_job(request())
    services.jobs.stop_job(job_id)
    assert services.engine.stopped == [job_id]
    assert services.jobs.get_job(job_id).status == "STOPPED"
    services.jobs.delete_job(job_id)
    services.jobs.delete_job(job_id)
    assert list(services.staging.iterdir()) == []
    with pytest.raises(ArgoSchedulerError, match=f"Job {job_id} not found."):
        services.jobs.stop_job(job_id)


def test_no_format_is_refused_and_an_unsaid_one_is_a_job_without_outputs(services: Services) -> None:
    services.write("n.ipynb", notebook("1"))
    with pytest.raises(InvalidJob, match="Select at least one"):
        services.jobs.create_job(request(output_formats=()))
    job = services.jobs.get_job(services.jobs.create_job(request()))
    assert job.output_formats == ()


@pytest.mark.parametrize("stem", ["n" * 222, "报" * 74, "é" * 110])
def test_a_long_name_leaves_room_for_outputs_and_folders(services: Services, stem: str) -> None:
    services.write(f"{stem}.ipynb", notebook("1"))
    name = f"{stem}.ipynb"
    job = services.jobs.get_job(services.jobs.create_job(request(input_uri=name, input_filename=name)))
    assert stem.startswith(job.input_filename.removesuffix(".ipynb"))
    assert (services.jobs.folder(job.job_id).path / job.input_filename).is_file()
    for created in (
        create_output_directory(job.input_filename, job.job_id),
        output_filename(job.input_filename, 1, "slides.html"),
    ):
        assert len(created.encode()) <= 255


def test_a_misspelt_parameter_is_refused_with_the_nearest_name(services: Services) -> None:
    services.write("n.ipynb", notebook("1", parameters="days = 30\ncity = 'Bergen'"))
    with pytest.raises(
        InvalidJob, match=r"no parameter 'dayz'. Did you mean 'days'\? Available: city, days."
    ):
        services.jobs.create_job(request(parameters={"dayz": "7"}))
    services.jobs.create_job(request(parameters={"days": "7", "day": "1", "REGION": "eu", "city": "Oslo"}))
    services.write("n.ipynb", notebook("1"))
    services.jobs.create_job(request(parameters={"dayz": "7"}))  # without such a cell, anything may be meant


def define(services: Services, timezone: str = "Europe/Berlin", **fields: Any) -> str:
    services.write("n.ipynb", notebook("1"))
    return services.define(name="n", schedule="@daily", timezone=timezone, **fields)


def moment_of(services: Services, job_id: str) -> str:
    row = job_row(services.database, job_id)
    return find_scheduled_time(services.database, row, services.jobs.folder(job_id).read_settings())


def test_a_job_of_its_own_has_a_moment_only_if_it_is_asked_for(services: Services) -> None:
    services.write("n.ipynb", notebook("1"))
    assert moment_of(services, services.jobs.create_job(request())) == ""
    asked = services.jobs.create_job(request(scheduled_time="2026-03-02T06:00+01:00"))
    assert moment_of(services, asked) == "2026-03-02T06:00:00+01:00"
    assert moment_of(services, rerun(services.jobs, asked)) == "2026-03-02T06:00:00+01:00"


def test_a_run_now_is_about_now_or_a_moment_in_the_zone_of_its_definition(services: Services) -> None:
    definition_id = define(services)
    asked = services.jobs.run_definition(definition_id, {"scheduled_time": "2026-07-01T23:30Z"})
    assert moment_of(services, asked) == "2026-07-02T01:30:00+02:00"
    before = int(time.time())
    moment = datetime.fromisoformat(moment_of(services, services.jobs.run_definition(definition_id, {})))
    assert before <= moment.timestamp() <= time.time()
    assert moment.utcoffset() == datetime.fromtimestamp(before, ZoneInfo("Europe/Berlin")).utcoffset()


def test_a_scheduled_run_has_the_moment_of_its_name(services: Services) -> None:
    """On a day when clocks go back, 2:30 comes twice."""
    definition_id = define(services)
    written = {}
    for due in (1_792_888_200, 1_792_891_800):
        job_id = str(uuid.uuid4())
        services.database.insert_run(job_id, definition_id, due * 1000 + 5, run_token(definition_id, due))
        written[due] = moment_of(services, job_id)
    assert list(written.values()) == ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]

    # `argo submit --from cronwf/…` gives a name without a moment.
    services.database.insert_run("a", definition_id, 1_795_423_080_500, run_token(definition_id, "x7kqp"))
    assert moment_of(services, "a") == "2026-11-23T09:38:00+01:00"
    services.database.delete_definition(definition_id)
    assert moment_of(services, "a") == "2026-11-23T08:38:00+00:00"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"scheduled_time": "soon"}, "'soon' is not a date or a time."),
        ({"scheduled_time": "2026-03-29T02:30"}, "2026-03-29T02:30 does not exist in Europe/Berlin"),
        ({"scheduled_time": "2026-03-02", "parameters": {"scheduled_time": "x"}}, "given twice"),
    ],
)
def test_a_moment_that_is_refused_leaves_nothing(
    services: Services, overrides: dict[str, object], words: str
) -> None:
    definition_id = define(services)
    with pytest.raises(InvalidJob, match=words):
        services.jobs.run_definition(definition_id, overrides)
    assert [path.name for path in services.staging.glob("[!.]*")] == [definition_id]
    assert services.engine.submitted == []

"""Jobs, without a server: a real database, real files, a small engine."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from jupyter_scheduler.utils import create_output_directory

from argo_jupyter_scheduler.domain.errors import (
    ArgoSchedulerError,
    DuplicateJob,
    EngineUnavailable,
    InvalidJob,
)
from argo_jupyter_scheduler.jobs.requests import JobRequest
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.output_names import output_filename
from tests.support.jobs import notebook
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
    with pytest.raises(InvalidJob, match="Choose at least one"):
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

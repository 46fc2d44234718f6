"""Where inputs come from and outputs go: what is refused before anything is stored, and what runs are given."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.jobs.requests import DefinitionChanges, DefinitionRequest, JobRequest
from argo_jupyter_scheduler.jobs.rerun import rerun
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import TAKEN
from tests.support.services import Services

CELL: dict[str, Any] = {
    "cell_type": "code",
    "source": "region = 'North'",
    "metadata": {"tags": ["parameters"]},
    "outputs": [],
    "execution_count": None,
    "id": "a",
}
NOTEBOOK = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [CELL]})


@pytest.fixture
def services(database: Database, tmp_path: Path) -> Services:
    made = Services(database, tmp_path)
    made.write("project/sales.ipynb", NOTEBOOK)
    return made


def job(*tags: str, **fields: Any) -> JobRequest:
    given = {"input_uri": "project/sales.ipynb", "input_filename": "sales.ipynb", **fields}
    return JobRequest(runtime_environment_name="venv", output_formats=("html",), tags=tags, **given)


def definition(*tags: str, **fields: Any) -> DefinitionRequest:
    given = {"input_uri": "project/sales.ipynb", "input_filename": "sales.ipynb", **fields}
    return DefinitionRequest(
        runtime_environment_name="venv", output_formats=("html",), tags=tags, schedule="0 6 * * *", **given
    )


def settings_of(services: Services, id_: str) -> RunSettings:
    return services.jobs.folder(id_).read_settings()


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (["output:r/{dat}"], "placeholder '{dat}' not found. Available: date"),
        (["output:r/{regoin}"], "Available: region"),
        (["output:../r"], "begins with a dot"),
        (["output:occupied/{name}"], "'occupied': 'occupied' is not a folder"),
        (["output:link"], "outside the root folder"),
        (["input:linkt"], "'linkt' is not valid. Available: linked, snapshot"),
        (["output:a", "output:b"], "Option output is given twice"),
    ],
)
def test_bad_places_are_refused_before_anything_is_stored(
    services: Services, tmp_path: Path, tags: list[str], words: str
) -> None:
    services.write("occupied", "a file")
    (services.root / "link").symlink_to(tmp_path)
    with pytest.raises(InvalidJob) as refusal:
        services.jobs.create_job(job(*tags))
    assert words in str(refusal.value)
    with pytest.raises(InvalidJob) as refusal:
        services.definitions.create(definition(*tags))
    assert words in str(refusal.value)
    assert services.database.list_live_jobs() == []
    assert services.database.list_schedules() == []
    assert os.listdir(services.staging) == []


def test_a_folder_cannot_have_a_value_that_the_notebook_computes(services: Services) -> None:
    services.write("project/sales.ipynb", NOTEBOOK.replace("'North'", "choose()"))
    with pytest.raises(InvalidJob, match=r"cannot have placeholder '\{region\}'.* Give it a value"):
        services.jobs.create_job(job("output:r/{region}"))
    services.jobs.create_job(job("output:r/{region}", parameters={"region": "South"}))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(services: Services) -> None:
    (services.root / "closed").mkdir(mode=0o500)
    with pytest.raises(InvalidJob, match="'closed/deep': permission denied"):
        services.jobs.create_job(job("output:closed/deep"))


def test_a_run_is_given_its_folder(services: Services) -> None:
    job_id = services.jobs.create_job(job("output: r/{region}/{days}", parameters={"days": "3"}))
    settings = settings_of(services, job_id)
    assert (settings.root_dir, settings.output, settings.linked) == (
        str(services.root),
        "r/{region}/{days}",
        None,
    )


def test_the_configured_folder_is_that_of_jobs_without_one(database: Database, tmp_path: Path) -> None:
    services = Services(database, tmp_path, output_template="results/{name}")
    services.write("project/sales.ipynb", NOTEBOOK)
    assert settings_of(services, services.jobs.create_job(job())).output == "results/{name}"
    assert settings_of(services, services.jobs.create_job(job("output:r"))).output == "r"


def test_outputs_are_not_part_of_the_next_input_folder(services: Services) -> None:
    services.write("project/out/old.html", "old")
    services.write("project/helper.py", "1")
    job_id = services.jobs.create_job(job("output:project/out/{date}", package_input_folder=True))
    assert services.jobs.folder(job_id).files() == ["helper.py", "sales.ipynb"]


def test_a_changed_option_reaches_the_next_runs(services: Services) -> None:
    id_ = services.definitions.create(definition("output:a", "b"))
    services.definitions.update(id_, DefinitionChanges({"tags": ("output:c/{region}", "input:linked")}))
    settings = settings_of(services, id_)
    assert settings.output == "c/{region}"
    assert settings.linked is not None
    services.write("project/new.ipynb", NOTEBOOK)
    services.definitions.update(id_, DefinitionChanges(input_uri="project/new.ipynb"))
    settings = settings_of(services, id_)
    assert (settings.output, settings.origin) == ("c/{region}", "project/new.ipynb")
    assert settings.linked is not None
    with pytest.raises(InvalidJob, match=r"placeholder '\{city\}' not found"):
        services.definitions.update(id_, DefinitionChanges({"tags": ("output:c/{city}",)}))
    services.definitions.update(id_, DefinitionChanges({"tags": ()}))
    assert (settings_of(services, id_).output, settings_of(services, id_).linked) == ("", None)


def test_a_parameter_that_the_folder_needs_is_not_taken_away(services: Services) -> None:
    id_ = services.definitions.create(definition("output:{city}", parameters={"city": "Oslo"}))
    with pytest.raises(InvalidJob, match=r"placeholder '\{city\}' not found"):
        services.definitions.update(id_, DefinitionChanges({"parameters": {"town": "Oslo"}}))


def test_a_run_now_of_a_linked_notebook_that_is_gone_is_refused(services: Services) -> None:
    id_ = services.definitions.create(definition("input:linked"))
    (services.root / "project" / "sales.ipynb").rename(services.root / "project" / "sales2.ipynb")
    with pytest.raises(InvalidJob) as refusal:
        services.jobs.run_definition(id_, {})
    assert "'project/sales.ipynb' does not exist. Available: project/sales2.ipynb" in str(refusal.value)
    services.definitions.update(id_, DefinitionChanges({"name": "renamed"}))  # which asks for nothing of it
    with pytest.raises(InvalidJob, match=r"Available: project/sales2\.ipynb"):
        services.definitions.update(id_, DefinitionChanges({"tags": ("input:linked", "a")}))


def test_a_run_now_checks_the_linked_notebook_as_it_is(services: Services) -> None:
    id_ = services.definitions.create(definition("input:linked"))
    services.write("project/sales.ipynb", NOTEBOOK.replace("North", "South"))
    job_id = services.jobs.run_definition(id_, {})
    assert "South" in (services.jobs.folder(job_id).path / "sales.ipynb").read_text()
    assert settings_of(services, job_id).linked is not None


def test_a_run_again_executes_what_was_executed(services: Services) -> None:
    first = services.jobs.create_job(job("input:linked", "a"))
    assert settings_of(services, rerun(services.jobs, first)).linked is not None  # it had not begun
    services.jobs.folder(first).write(TAKEN, {"path": "project/sales.ipynb"})
    second = rerun(services.jobs, first)
    assert settings_of(services, second).linked is None
    assert services.jobs.get_job(second).tags == ("a",)


def test_a_tag_of_an_earlier_version_does_not_end_runs(services: Services) -> None:
    id_ = services.definitions.create(definition("a"))
    services.database.update_definition(id_, tags=("output:../x", "input:csv"))
    services.definitions.update(id_, DefinitionChanges({"active": False}))
    job_settings = settings_of(services, id_)
    assert (job_settings.output, job_settings.linked) == ("", None)


def test_another_servers_root_folder_stays_that_of_its_jobs(
    services: Services, database: Database, tmp_path: Path
) -> None:
    """A command on the same machine has another one, and runs jobs again or brings schedules in line."""
    job_id = services.jobs.create_job(job("output:r"))
    id_ = services.definitions.create(definition("output:r", "input:linked"))
    settings = replace(services.jobs.settings, root_dir=tmp_path / "elsewhere")
    jobs = JobService(settings, database, services.engine, services.engine, services.jobs.validation)
    assert settings_of(services, rerun(jobs, job_id)).root_dir == str(services.root)
    before = settings_of(services, id_)
    jobs.staging.refresh_run_settings(services.jobs.folder(id_), jobs.get_definition(id_))
    assert settings_of(services, id_) == before

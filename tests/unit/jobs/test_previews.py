"""What a form shows before anything is created: parameters, times and options; and how a definition ran."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob, JobNotFound
from argo_jupyter_scheduler.domain.options import Bounds
from argo_jupyter_scheduler.domain.retention import Keep
from argo_jupyter_scheduler.domain.schedules import find_clock_change, parse
from argo_jupyter_scheduler.jobs.definitions import check_schedule
from argo_jupyter_scheduler.jobs.views import HISTORY_RUNS, Views
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import JobRow
from tests.support.jobs import notebook
from tests.support.services import Services, SmallLocalEngine


@pytest.fixture
def services(database: Database, tmp_path: Path) -> Services:
    return Services(database, tmp_path)


def test_parameters_of_a_notebook(services: Services) -> None:
    services.write("folder/n.ipynb", notebook("print(a)", parameters="a = 1  # how often\nb: str = None"))
    assert Views(services.jobs).show_parameters("folder/n.ipynb") == {
        "parameters": [
            {"name": "a", "type": "int", "default": "1", "comment": "how often"},
            {"name": "b", "type": "str", "default": "None", "comment": ""},
        ],
        "tagged": True,
    }


@pytest.mark.parametrize(("parameters", "tagged"), [(None, False), ("", True)])
def test_a_notebook_without_parameters(services: Services, parameters: str | None, tagged: bool) -> None:
    services.write("n.ipynb", notebook("a = 1", parameters=parameters))
    assert Views(services.jobs).show_parameters("n.ipynb") == {"parameters": [], "tagged": tagged}


@pytest.mark.parametrize(
    ("schedule", "timezone"),
    [
        ("0 12 * * *", "Europe/Berlin"),
        ("30 2 * * SUN", "America/Havana"),
        ("@every 90m", ""),
        ("0 0 29 2 *", ""),
    ],
)
def test_a_schedule_has_its_next_five_times(services: Services, schedule: str, timezone: str) -> None:
    preview = Views(services.jobs).preview_schedule(schedule, timezone)
    assert preview["refusal"] is None
    times = [one["time"] for one in preview["times"]]
    parsed = parse(schedule, timezone)
    assert times[1:] == [parsed.after(time) for time in times[:-1]]
    assert len(times) == 5
    for one in preview["times"]:
        assert datetime.fromisoformat(one["text"]).timestamp() * 1000 == one["time"]
        assert one["clock_change"] == find_clock_change(one["time"], parsed.timezone)


@pytest.mark.parametrize(
    ("schedule", "timezone"),
    [("", "UTC"), ("* * *", "UTC"), ("61 * * * *", "UTC"), ("0 0 31 2 *", "UTC"), ("@daily", "Europe/Brlin")],
)
def test_a_refused_schedule_has_the_reason_that_a_create_gives(
    services: Services, schedule: str, timezone: str
) -> None:
    with pytest.raises(InvalidJob) as refused:
        check_schedule(schedule, timezone)
    preview = Views(services.jobs).preview_schedule(schedule, timezone)
    assert (preview["times"], preview["refusal"]) == ([], str(refused.value))


def test_the_history_is_the_newest_runs_of_one_definition(services: Services, database: Database) -> None:
    services.write("n.ipynb", notebook("1"))
    one, other = services.define(schedule=None), services.define(schedule=None)
    for number in range(HISTORY_RUNS + 2):
        for definition_id in (one, other):
            row = JobRow(
                job_id=f"{definition_id}-{number}",
                job_definition_id=definition_id,
                runtime_environment_name="venv",
                input_filename="n.ipynb",
                status="COMPLETED" if number else "FAILED",
                create_time=1000 - number,
                start_time=None if number == 1 else 5000,
                end_time=7500,
            )
            database.insert_job(row)
    runs = Views(services.jobs).show_history(one)
    assert [run["job_id"] for run in runs] == [f"{one}-{number}" for number in range(HISTORY_RUNS)]
    assert (runs[0]["status"], runs[0]["duration_seconds"]) == ("FAILED", 2.5)
    assert (runs[1]["start_time"], runs[1]["duration_seconds"]) == (None, None)


def test_a_definition_that_does_not_exist_has_no_history(services: Services) -> None:
    with pytest.raises(JobNotFound) as refused:
        Views(services.jobs).show_history("gone")
    assert str(refused.value) == messages.requests.definition_not_found("gone")


@pytest.mark.parametrize(
    ("bounds", "images"),
    [
        (Bounds(3600, ("a:*", "b")), ["a:*", "b"]),
        (Bounds(3600, ()), None),
        (Bounds(3600, ("a:*",), "runs on this machine have none."), None),
    ],
)
def test_options_of_this_server(
    database: Database, tmp_path: Path, bounds: Bounds, images: list[str] | None
) -> None:
    services = Services(
        database,
        tmp_path,
        SmallLocalEngine(),
        concurrency_policy="Forbid",
        keep_runs=Keep(runs=20),
        keep_jobs=Keep(seconds=86400),
    )
    services.jobs.validation = replace(services.jobs.validation, bounds=bounds)
    options = Views(services.jobs).show_options()
    assert options["engine"] == "local"
    assert options["images"] == images
    assert options["max_timeout_seconds"] == 3600
    fields = {field["name"]: field for field in options["fields"]}
    assert ("image" in fields, "notify" in fields) == (images is not None, False)
    assert (fields["timeout"]["default"], fields["concurrency"]["default"]) == ("1h", "forbid")
    assert (options["default_concurrency"], options["keep_runs"], options["keep_jobs"]) == (
        "Forbid",
        "20",
        "1d",
    )

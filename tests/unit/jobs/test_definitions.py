"""Changes of job definitions, without a server: one SELECT, one UPDATE, one engine call, or everything as it was."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from argo_jupyter_scheduler.domain.errors import EngineRefused, EngineUnavailable, InvalidJob, JobNotFound
from argo_jupyter_scheduler.jobs.requests import DefinitionChanges
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.schema import DefinitionRow
from tests.support.jobs import notebook
from tests.support.services import Services
from tests.support.statements import statements


@pytest.fixture
def services(database: Database, tmp_path: Path) -> Services:
    return Services(database, tmp_path)


@pytest.fixture
def definition_id(services: Services) -> str:
    services.write("n.ipynb", notebook("'old'"))
    services.write("other.ipynb", notebook("'new'"))
    return services.define(name="daily")


def state(services: Services, definition_id: str) -> tuple[Any, ...]:
    """Return all that a definition is: row, files with their content, settings, marks, and what the engine has."""
    folder = services.jobs.folder(definition_id)
    files = {name: (folder.path / name).read_text() for name in folder.files()}
    others = sorted(path.name for path in services.staging.iterdir() if path.name != definition_id)
    return services.database.get_definition(definition_id), files, folder.read("run.json"), others


NEW_INPUT = DefinitionChanges({"schedule": "0 7 * * *", "parameters": {"a": "1"}}, "other.ipynb")
SAME_NAME = DefinitionChanges({"name": "renamed"}, "n.ipynb")
SCHEDULE = DefinitionChanges({"schedule": "0 7 * * *"})


def test_an_edit_is_one_select_one_update_one_call(services: Services, definition_id: str) -> None:
    calls = services.engine.calls
    with statements(services.database) as executed:
        services.definitions.update(definition_id, NEW_INPUT)
    assert executed == ["SELECT", "UPDATE"]
    assert services.engine.calls == calls + 1
    row = services.database.get_definition(definition_id)
    assert row is not None
    assert (row.input_filename, row.schedule, row.parameters) == ("other.ipynb", "0 7 * * *", {"a": "1"})
    assert replace(services.engine.schedules[definition_id], update_time=row.update_time) == row
    assert services.jobs.folder(definition_id).files() == ["other.ipynb"]
    assert services.jobs.folder(definition_id).read_settings().origin == "other.ipynb"
    assert [path.name for path in services.staging.iterdir()] == [definition_id]


def engine_away(services: Services, folder: RunFolder, tmp_path: Path) -> None:
    services.engine.failure = EngineUnavailable("no answer", half_done=False)


def engine_refuses(services: Services, folder: RunFolder, tmp_path: Path) -> None:
    services.engine.failure = EngineRefused("no")


def a_bug(services: Services, folder: RunFolder, tmp_path: Path) -> None:
    services.engine.failure = RuntimeError("a bug")


def database_full(services: Services, folder: RunFolder, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "scheduler.sqlite")) as connection, connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON job_definitions BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )


@pytest.mark.parametrize(
    "changes", [NEW_INPUT, SAME_NAME, SCHEDULE], ids=["new input", "same name", "schedule"]
)
@pytest.mark.parametrize("fault", [engine_away, engine_refuses, a_bug, database_full])
def test_an_edit_that_fails_leaves_everything_as_it_was(
    services: Services,
    definition_id: str,
    tmp_path: Path,
    changes: DefinitionChanges,
    fault: Callable[[Services, RunFolder, Path], None],
) -> None:
    services.write("n.ipynb", notebook("'edited'"))
    before = state(services, definition_id)
    fault(services, services.jobs.folder(definition_id), tmp_path)
    with pytest.raises(Exception):  # noqa: B017, PT011 (each fault has its own)
        services.definitions.update(definition_id, changes)
    after = state(services, definition_id)
    assert (after[0], after[1]) == (before[0], before[1])
    assert after[2]["input_uri"] == before[2]["input_uri"]
    assert set(after[3]) <= {".argo-jupyter-scheduler"}  # a mark: the engine may have done it


LIMITED = """
import resource, sys
from pathlib import Path
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.jobs.requests import DefinitionChanges
from tests.support.services import Services
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
Path.mkdir_, Path.mkdir = Path.mkdir, lambda self, *a, **k: self.mkdir_(parents=True, exist_ok=True)
services = Services(Database(sys.argv[1]), Path(sys.argv[2]))
try:
    services.definitions.update(sys.argv[3], DefinitionChanges({"name": "x"}, "big.ipynb"))
except OSError as error:
    print(error.strerror)
"""


def test_a_full_disk_leaves_everything_as_it_was(
    services: Services, definition_id: str, tmp_path: Path, db_url: str
) -> None:
    """The process may write 20 kB to a file, and the new input is larger."""
    services.write("big.ipynb", notebook("'" + "x" * 50_000 + "'"))
    before = state(services, definition_id)
    answer = subprocess.run(
        [sys.executable, "-c", LIMITED, db_url, str(tmp_path), definition_id],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "File too large", answer.stderr
    assert state(services, definition_id)[:3] == before[:3]


def test_a_locked_database_leaves_everything_as_it_was(
    services: Services, definition_id: str, tmp_path: Path
) -> None:
    before = state(services, definition_id)
    with contextlib.closing(
        sqlite3.connect(tmp_path / "scheduler.sqlite", isolation_level=None)
    ) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with services.database.engine.connect() as waiting:
            waiting.exec_driver_sql("PRAGMA busy_timeout = 100")
            waiting.rollback()
        with pytest.raises(Exception, match="locked"):
            services.definitions.update(definition_id, NEW_INPUT)
        connection.execute("ROLLBACK")
    assert state(services, definition_id)[:3] == before[:3]


KILLED = """
import os, sys
from pathlib import Path
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.jobs.requests import DefinitionChanges
from tests.support.services import Services
Path.mkdir_, Path.mkdir = Path.mkdir, lambda self, *a, **k: self.mkdir_(parents=True, exist_ok=True)

class Killed(Database):
    def update_definition(self, *arguments, **columns):
        if sys.argv[4] == "after":
            super().update_definition(*arguments, **columns)
        os._exit(9)

services = Services(Killed(sys.argv[1]), Path(sys.argv[2]))
services.definitions.update(sys.argv[3], DefinitionChanges({"name": "renamed"}, "n.ipynb"))
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_in_the_middle_leaves_files_that_belong_to_the_row(
    services: Services, definition_id: str, tmp_path: Path, db_url: str, when: str
) -> None:
    before = state(services, definition_id)
    new = services.write("n.ipynb", notebook("'edited'"))
    answer = subprocess.run([sys.executable, "-c", KILLED, db_url, str(tmp_path), definition_id, when])
    assert answer.returncode == 9
    for mark in (services.staging / ".argo-jupyter-scheduler" / "unsettled").iterdir():
        os.utime(mark, (0, 0))  # a minute passes
    services.reconciler.reconcile()
    row, files, _, others = state(services, definition_id)
    assert others == []
    if when == "before":
        assert (row, files) == before[:2]
    else:
        assert (row.name, files) == ("renamed", {"n.ipynb": (services.root / new).read_text()})
    assert services.engine.schedules[definition_id] == row


def test_a_delete_meets_edits(services: Services, definition_id: str) -> None:
    """Changes of one definition wait for each other, so row and engine agree in the end."""

    def edit(number: int) -> None:
        with contextlib.suppress(JobNotFound):
            services.definitions.update(definition_id, DefinitionChanges({"name": str(number)}))

    with ThreadPoolExecutor(8) as pool:
        edits = [pool.submit(edit, number) for number in range(20)]
        deletion = pool.submit(services.definitions.delete, definition_id)
        for done in [*edits, deletion]:
            done.result()
    assert services.database.get_definition(definition_id) is None
    assert services.engine.schedules == {}
    assert list(services.staging.iterdir()) == []


def test_a_schedule_that_somebody_deleted_is_created_again(services: Services, definition_id: str) -> None:
    definition: DefinitionRow = services.engine.schedules.pop(definition_id)
    services.reconciler.repair_schedules()
    assert services.engine.schedules == {definition_id: definition}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (DefinitionChanges({"schedule": "x"}), "schedule"),
        (DefinitionChanges({"timezone": "Mars/Base"}), "Mars/Base"),
        (DefinitionChanges({"tags": ["timeout:soon"]}), "timeout"),
        (DefinitionChanges({}, "no.ipynb"), "does not exist"),
        (DefinitionChanges({"runtime_environment_name": "x"}), "Available: venv"),
    ],
)
def test_what_is_refused_changes_nothing(
    services: Services, definition_id: str, changes: DefinitionChanges, words: str
) -> None:
    before, calls = state(services, definition_id), services.engine.calls
    with pytest.raises(InvalidJob, match=words):
        services.definitions.update(definition_id, changes)
    assert (state(services, definition_id), services.engine.calls) == (before, calls)


def test_a_definition_without_a_schedule_runs_only_when_a_user_starts_it(services: Services) -> None:
    services.write("n.ipynb", notebook("1"))
    definition_id = services.define(schedule=None)
    for active in (False, True):
        services.definitions.update(definition_id, DefinitionChanges({"active": active}))
    services.reconciler.repair_schedules()
    assert services.engine.schedules == {}
    job_id = services.jobs.run_definition(definition_id, {})
    assert services.jobs.get_job(job_id).job_definition_id == definition_id
    services.definitions.update(definition_id, DefinitionChanges({"schedule": "0 6 * * *"}))
    assert list(services.engine.schedules) == [definition_id]


def test_a_schedule_that_never_comes_is_refused(services: Services, definition_id: str) -> None:
    with pytest.raises(InvalidJob, match=r"'0 0 31 2 \*' never occurs"):
        services.definitions.update(definition_id, DefinitionChanges({"schedule": "0 0 31 2 *"}))
    assert services.engine.schedules[definition_id].schedule == "0 6 * * *"


def test_a_schedule_of_another_backend_that_cannot_be_run_is_paused(
    services: Services, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    schedules = {"last": "0 0 L * *", "never": "0 0 31 2 *", "sunday": "0 0 * * 7", "seconds": "0 6 * * * 0"}
    for name, schedule in schedules.items():
        database.insert_definition(
            DefinitionRow(
                job_definition_id=name, runtime_environment_name="venv", input_filename="n", schedule=schedule
            )
        )
    services.reconciler.reconcile()
    assert {row.job_definition_id: row.active for row in database.list_schedules()} == {
        "last": False,
        "never": False,
        "sunday": True,
        "seconds": True,
    }
    assert "Job definition never is paused: The schedule '0 0 31 2 *' never occurs" in caplog.text
    assert "Job definition last is paused: The schedule's day of month 'L' is not valid" in caplog.text

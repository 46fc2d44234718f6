"""Jobs that are no longer kept, without a server: a real database, real files, a small engine."""

from __future__ import annotations

import errno
import os
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import EngineUnavailable
from argo_jupyter_scheduler.domain.identity import run_token
from argo_jupyter_scheduler.domain.retention import Keep
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.engines.base import Observation, Snapshot
from argo_jupyter_scheduler.jobs.local_schedules import LocalSchedules
from argo_jupyter_scheduler.jobs.reconciler import Reconciler
from argo_jupyter_scheduler.jobs.requests import DefinitionChanges
from argo_jupyter_scheduler.jobs.retention import Retention
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import LOCAL_WAITING, JobRow
from tests.support.jobs import notebook, start_all
from tests.support.rows import definition_row, job_row
from tests.support.services import Services, SmallEngine, SmallLocalEngine

HOUR_MS = 3_600_000
DAYS = Keep(seconds=24 * 3600)

Make = Callable[..., Services]


@pytest.fixture
def make(database: Database, tmp_path: Path) -> Make:
    def services(engine: SmallEngine | None = None, **settings: Any) -> Services:
        made = Services(database, tmp_path, engine, **settings)
        made.write("n.ipynb", notebook("1"))
        return made

    return services


def define(services: Services, *tags: str) -> str:
    return services.define(schedule="* * * * *", tags=tags)


def finished(services: Services, status: str = "FAILED", hours_ago: float = 0, **fields: object) -> str:
    """Write the row and the folder of a job that has ended."""
    row = JobRow(
        job_id=str(uuid.uuid4()),
        runtime_environment_name="venv",
        input_filename="n.ipynb",
        status=status,
        start_time=1,
        end_time=now_ms() - int(hours_ago * HOUR_MS),
        create_time=1,
        update_time=1,
    )
    row = replace(row, **fields)  # type: ignore[arg-type]
    services.database.insert_job(row)
    folder = services.jobs.folder(row.job_id)
    folder.create()
    folder.write_settings(RunSettings())
    return row.job_id


def jobs_of(services: Services) -> set[str]:
    """Return the jobs that have a row; each of them has a folder, and no other has."""
    ids = {job.job_id for job in services.database.list_stored_jobs()}
    definitions = {row.job_definition_id for row in services.database.list_schedules()}
    assert {
        path.name for path in services.staging.iterdir() if not path.name.startswith(".")
    } == ids | definitions
    return ids


def test_everything_is_kept_unless_somebody_says_otherwise(make: Make) -> None:
    services = make()
    definition_id = define(services)
    ids = {
        finished(services, hours_ago=10_000, job_definition_id=id_) for id_ in (definition_id, "gone", None)
    }
    assert Retention(services.jobs).delete_expired(60)
    assert jobs_of(services) == ids


def test_a_definition_says_how_many_of_its_runs_are_kept(make: Make) -> None:
    services = make(keep_runs=DAYS)
    two, default = define(services, "keep:2"), define(services)
    runs = [finished(services, hours_ago=hours, job_definition_id=two) for hours in (1, 30, 50, 60)]
    others = [finished(services, hours_ago=hours, job_definition_id=default) for hours in (1, 30)]
    completed = finished(services, "COMPLETED", 90, job_definition_id=two)
    assert Retention(services.jobs).delete_expired(60)
    assert jobs_of(services) == {*runs[:2], others[0], completed}
    assert services.engine.deleted == [runs[3], runs[2], others[1]]  # with their workflows, the oldest first
    # The rule that the definition has now is that of its earlier runs, too, also while it is paused.
    services.definitions.update(two, DefinitionChanges({"tags": ("keep:1",), "active": False}))
    assert Retention(services.jobs).delete_expired(60)
    assert jobs_of(services) == {runs[0], others[0], completed}


def test_a_job_of_its_own_says_how_long_it_is_kept(make: Make) -> None:
    services = make(keep_jobs=DAYS)
    old = {
        tags: finished(services, hours_ago=30, tags=tags)
        for tags in [(), ("keep:1h",), ("keep:2d",), ("keep:1",), ("keep:all",)]
    }
    new = finished(services)
    assert Retention(services.jobs).delete_expired(60)
    assert jobs_of(services) == {new, old["keep:2d",], old["keep:all",]}  # what cannot be read keeps


def test_runs_of_a_definition_that_is_gone_go_by_the_default_of_runs(make: Make) -> None:
    services = make(keep_runs=Keep(runs=1), keep_jobs=DAYS)
    definition_id = define(services, "keep:5")
    runs = [
        finished(services, hours_ago=hours, job_definition_id=definition_id, tags=("keep:5",))
        for hours in (1, 2, 3)
    ]
    assert Retention(services.jobs).delete_expired(60)
    assert jobs_of(services) == set(runs)
    services.definitions.delete(definition_id)
    assert Retention(services.jobs).delete_expired(60)
    assert jobs_of(services) == {runs[0]}


def test_live_jobs_are_not_touched(make: Make) -> None:
    services = make(keep_runs=Keep(runs=1), keep_jobs=DAYS)
    live = {
        finished(services, status, 50, job_definition_id=id_)
        for status in ("QUEUED", "IN_PROGRESS", "STOPPING", "CREATED")
        for id_ in (None, "gone")
    }
    assert Retention(services.jobs).delete_expired(60)
    assert jobs_of(services) == live
    assert services.engine.deleted == []


def test_one_that_cannot_be_deleted_does_not_keep_the_others_and_is_logged_once(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    services = make(keep_runs=DAYS)
    definition_id = define(services)
    first, second = (
        finished(
            services,
            hours_ago=hours,
            job_definition_id=definition_id,
            idempotency_token=run_token(definition_id, hours),
        )
        for hours in (40, 30)
    )
    retention = Retention(services.jobs)
    for _ in range(2):
        services.engine.failure = EngineUnavailable("away")
        assert retention.delete_expired(60)
        assert jobs_of(services) == {first}
    assert caplog.text.count(f"Retention could not delete job {first}, and") == 1
    assert caplog.text.count("away") == 1
    assert services.engine.deleted == [second]
    assert retention.delete_expired(60)
    assert jobs_of(services) == set()


def test_a_row_that_nobody_can_read_does_not_keep_the_others(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    services = make(keep_jobs=DAYS)
    damaged = finished(services, hours_ago=40)
    finished(services, hours_ago=30)
    with services.database.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE jobs SET parameters = '{{' WHERE job_id = '{damaged}'")
    assert Retention(services.jobs).delete_expired(60)
    assert jobs_of(services) == {damaged}
    assert f"Retention could not delete job {damaged}, and" in caplog.text


def test_a_pass_is_bounded_and_the_next_one_goes_on(make: Make) -> None:
    services = make(keep_jobs=DAYS)
    for hours in (30, 40, 50):
        finished(services, hours_ago=hours)
    retention = Retention(services.jobs)
    assert not retention.delete_expired(0)
    assert len(jobs_of(services)) == 2  # one in any case, so that a slow database keeps none for ever
    assert retention.delete_expired(60)
    assert jobs_of(services) == set()
    assert retention.delete_expired(0)


def test_two_servers_at_once_are_harmless(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    services = make(keep_runs=Keep(runs=3))
    definition_id = define(services)
    runs = [finished(services, hours_ago=hours, job_definition_id=definition_id) for hours in range(1, 20)]
    other = JobService(
        services.jobs.settings,
        services.database,
        services.engine,
        services.local_engine,
        services.jobs.validation,
    )
    threads = [
        threading.Thread(target=Retention(jobs).delete_expired, args=(60,)) for jobs in (services.jobs, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert jobs_of(services) == set(runs[:3])
    assert "could not delete" not in caplog.text


class TestReconciler:
    def test_it_applies_the_rules_after_it_has_observed_and_then_seldom(self, make: Make) -> None:
        services = make(keep_runs=Keep(runs=1))
        definition_id = define(services)
        completed = finished(services, "COMPLETED", 5, job_definition_id=definition_id)
        failed = finished(services, hours_ago=4, job_definition_id=definition_id)
        ending = finished(
            services, "IN_PROGRESS", job_definition_id=definition_id, end_time=None, create_time=now_ms()
        )
        services.engine.snapshot = Snapshot({ending: Observation(ended=True, message="gone")})
        Reconciler(services.jobs, services.definitions).reconcile()
        assert jobs_of(services) == {completed, failed, ending}  # a server has other things to do at first
        reconciler = Reconciler(services.jobs, services.definitions, retention_delay=0)
        reconciler.reconcile()
        assert jobs_of(services) == {completed, ending}
        assert job_row(services.database, ending).status == "FAILED"
        later = finished(services, hours_ago=-1, job_definition_id=definition_id)
        reconciler.reconcile()
        assert jobs_of(services) == {completed, ending, later}

    def test_what_a_pass_does_not_finish_the_next_one_does(self, make: Make) -> None:
        services = make(keep_jobs=DAYS)
        for hours in (30, 40):
            finished(services, hours_ago=hours)
        reconciler = Reconciler(services.jobs, services.definitions, retention_delay=0, retention_pass=0)
        reconciler.reconcile()
        assert len(jobs_of(services)) == 1
        reconciler.reconcile()
        assert jobs_of(services) == set()

    def test_an_engine_that_is_away_keeps_everything(self, make: Make) -> None:
        class Away(SmallEngine):
            def observe(self, *arguments: object, **options: object) -> Snapshot:
                raise EngineUnavailable("away")

        services = make(Away(), keep_jobs=DAYS)
        old = finished(services, hours_ago=30)
        reconciler = Reconciler(services.jobs, services.definitions, retention_delay=0)
        with pytest.raises(EngineUnavailable):
            reconciler.reconcile()
        assert jobs_of(services) == {old}


class BusyEngine(SmallEngine):
    """Deletes nothing, as a network file system does with a file that a process still has open."""

    def delete(self, job: JobRow) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def test_a_folder_that_cannot_be_deleted_does_not_keep_runs_from_being_observed(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    services = make(BusyEngine(), keep_jobs=DAYS)
    stuck = finished(services, hours_ago=30)
    reconciler = Reconciler(services.jobs, services.definitions, retention_delay=0)
    for _ in range(3):
        assert reconciler.reconcile() is False
    assert services.database.get_job(stuck)
    assert caplog.text.count("could not delete") == caplog.text.count("could not be finished yet") == 1


def test_a_scheduled_run_of_this_machine_that_is_deleted_is_not_started_again(make: Make) -> None:
    services = make(SmallLocalEngine(), starting_deadline_seconds=10 * 24 * 3600, keep_runs=DAYS)
    definition_id = define(services)
    services.definitions.update(definition_id, DefinitionChanges({"schedule": "0 0 * * *"}))
    row = definition_row(services.database, definition_id)
    services.database.update_definition(definition_id, update_time=row.update_time - 5 * 24 * HOUR_MS)
    moment = now_ms()
    server = LocalSchedules(services.jobs, services.reconciler, clock=lambda: moment)
    start_all(server)
    [run] = services.database.list_live_jobs()
    assert run.pid == LOCAL_WAITING
    services.database.mark_failed(run.job_id, "no")
    services.database.update_job(run.job_id, end_time=now_ms() - 30 * HOUR_MS)
    assert Retention(services.jobs).delete_expired(60)
    assert jobs_of(services) == set()
    start_all(LocalSchedules(services.jobs, services.reconciler, clock=lambda: moment))
    assert jobs_of(services) == set()

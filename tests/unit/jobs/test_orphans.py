"""What is left of jobs, without a server: a real database, real files, a small engine."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.identity import local_run_id
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.engines.base import CRON_WORKFLOW, WORKFLOW, EngineObject, ObjectKind
from argo_jupyter_scheduler.jobs.orphans import UNMARKED_AGE_SECONDS, Orphans
from argo_jupyter_scheduler.jobs.requests import JobRequest
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import NEW_SUFFIX, RunFolder
from argo_jupyter_scheduler.storage.input_folder import PRIVATE
from argo_jupyter_scheduler.storage.markers import DEFINITIONS, JOBS, STARTS, ChangeMarkers
from tests.support.jobs import notebook
from tests.support.services import Services

LONG_AGO_MS = now_ms() - int(UNMARKED_AGE_SECONDS * 2000)
REQUEST = {"input_uri": "n.ipynb", "input_filename": "n.ipynb", "runtime_environment_name": "venv"}


@pytest.fixture
def services(database: Database, tmp_path: Path) -> Services:
    services = Services(database, tmp_path)
    services.write("n.ipynb", notebook("1"))
    return services


@pytest.fixture
def orphans(services: Services) -> Orphans:
    return Orphans(services.jobs, services.definitions)


def create(services: Services, status: str = "COMPLETED") -> str:
    """Create a job that has ended long ago."""
    job_id = services.jobs.create_job(JobRequest(**REQUEST))  # type: ignore[arg-type]
    changes = {"status": status, "start_time": LONG_AGO_MS, "end_time": LONG_AGO_MS}
    services.database.update_job(job_id, **changes)
    age(services.jobs.folder(job_id))
    return job_id


def define(services: Services) -> str:
    definition_id = services.define()
    services.database.update_definition(definition_id, update_time=LONG_AGO_MS)
    age(services.jobs.folder(definition_id))
    return definition_id


def age(folder: RunFolder) -> RunFolder:
    for path in (folder.private, folder.path):
        if path.exists():
            os.utime(path, (time.time(), LONG_AGO_MS / 1000))
    return folder


def found(orphans: Orphans) -> list[tuple[str, str, bool]]:
    return [(orphan.kind, orphan.name, orphan.is_ours) for orphan in orphans.find()]


def test_what_is_whole_is_no_orphan(services: Services, orphans: Orphans) -> None:
    assert found(orphans) == []
    create(services)
    create(services, "IN_PROGRESS")
    define(services)
    (services.staging / "notes").mkdir()
    assert found(orphans) == []


def test_folders_without_a_row_are_removed(services: Services, orphans: Orphans) -> None:
    kept = create(services)
    job_id, definition_id = create(services), define(services)
    services.database.delete_job(job_id)
    services.database.delete_definition(definition_id)
    beside = services.jobs.folder(job_id).beside(NEW_SUFFIX)
    beside.create()
    beside.copy_settings(services.jobs.folder(job_id))
    age(beside)
    names = sorted([job_id, definition_id, beside.path.name])
    assert found(orphans) == [("folder", name, True) for name in names]
    for orphan in orphans.find():
        assert orphan.disk_bytes > 0
        orphans.remove(orphan)
    assert found(orphans) == []
    assert {path.name for path in services.staging.iterdir()} == {kept}


def test_rows_without_a_folder_are_removed(services: Services, orphans: Orphans) -> None:
    kept, job_id, definition_id = create(services), create(services), define(services)
    for id_ in (job_id, definition_id):
        services.jobs.folder(id_).delete()
    assert found(orphans) == [("job", job_id, True), ("job definition", definition_id, True)]
    for orphan in orphans.find():
        orphans.remove(orphan)
    assert found(orphans) == []
    assert [job.job_id for job in services.database.list_stored_jobs()] == [kept]
    assert services.database.list_schedules() == []
    assert services.engine.schedules == {}
    assert services.engine.deleted == [job_id]


@pytest.mark.parametrize(
    ("row", "ended_now"),
    [({"status": "IN_PROGRESS"}, False), ({"start_time": None, "status": "FAILED"}, False), ({}, True)],
    ids=["it is live", "it never began", "it ended just now"],
)
def test_rows_that_may_be_without_a_folder(
    services: Services, orphans: Orphans, row: dict[str, object], ended_now: bool
) -> None:
    create(services)
    job_id = create(services)
    services.database.update_job(job_id, **row, **({"end_time": now_ms()} if ended_now else {}))
    services.jobs.folder(job_id).delete()
    assert found(orphans) == []


def test_rows_are_left_where_the_staging_area_is_another_one(services: Services, orphans: Orphans) -> None:
    job_id = create(services)
    services.jobs.folder(job_id).path.rename(services.root / job_id)
    [orphan] = orphans.find()
    assert (orphan.name, orphan.is_ours) == (job_id, False)
    orphans.remove(orphan)
    assert services.database.get_job(job_id)


def test_a_folder_that_is_a_link_is_there(services: Services, orphans: Orphans) -> None:
    create(services)
    folder = services.jobs.folder(create(services)).path
    folder.rename(services.root / "moved")
    folder.symlink_to(services.root / "moved")
    assert found(orphans) == []


def test_folders_of_other_databases_are_left(services: Services, orphans: Orphans) -> None:
    kinds = {"other": "f" * 32, "unknown": ""}
    folders = {kind: services.jobs.folder(str(uuid.uuid4())) for kind in [*kinds, "empty"]}
    for kind, folder in folders.items():
        folder.create()
        if kind in kinds:
            folder.write_settings(RunSettings(database=kinds[kind]))
        age(folder)
    expected = [("folder", folders["unknown"].path.name, False), ("folder", folders["empty"].path.name, True)]
    assert sorted(found(orphans)) == sorted(expected)  # also where this database has no id yet
    services.database.make_id()
    assert sorted(found(orphans)) == sorted(expected)
    for orphan in orphans.find():
        orphans.remove(orphan)
    assert {path.name for path in services.staging.iterdir()} == {
        folders[kind].path.name for kind in ("other", "unknown")
    }


def test_what_is_being_created_is_no_orphan(services: Services, orphans: Orphans) -> None:
    """A mark stands for as long as that lasts; without one, as in earlier versions, an hour is enough."""
    folder = services.jobs.folder(create(services))
    services.database.delete_job(folder.path.name)
    os.utime(folder.path)
    assert found(orphans) == []
    age(folder)
    for subject in (JOBS, DEFINITIONS):
        with ChangeMarkers(services.staging, subject).mark_change(folder.path.name):
            assert found(orphans) == []
    definition_id, due = str(uuid.uuid4()), 1_700_000_000_000
    run = services.jobs.folder(local_run_id(definition_id, due)).beside(NEW_SUFFIX)
    run.create()
    age(run)
    with ChangeMarkers(services.staging, STARTS).mark_change(definition_id, str(due)):
        assert found(orphans) == [("folder", folder.path.name, True)]
    assert len(found(orphans)) == 2


def test_what_became_whole_since_it_was_found_is_left(services: Services, orphans: Orphans) -> None:
    job_id, other = create(services), create(services)
    row = services.database.get_job(job_id)
    assert row
    services.database.delete_job(job_id)
    services.jobs.folder(other).path.rename(services.root / "away")
    [_, run] = services.engine.objects = [of(WORKFLOW, "job-a"), of(WORKFLOW, f"job-{job_id}", job_id)]
    create(services)
    orphaned = orphans.find()
    assert len(orphaned) == 4
    services.database.insert_job(row)
    (services.root / "away").rename(services.jobs.folder(other).path)
    for orphan in orphaned:
        orphans.remove(orphan)
    assert services.jobs.folder(job_id).path.exists()
    assert services.database.get_job(other)
    assert services.engine.objects == [run]


def of(
    kind: ObjectKind, name: str, job_id: str | None = "a", definition_id: str | None = None
) -> EngineObject:
    return EngineObject(
        kind=kind,
        name=name,
        job_id=job_id,
        job_definition_id=definition_id,
        create_time=LONG_AGO_MS,
        database_id="0" * 32,
    )


def test_workflows_without_a_row_are_removed(services: Services, orphans: Orphans) -> None:
    job_id, definition_id, gone = create(services), define(services), str(uuid.uuid4())
    services.engine.objects = [
        of(WORKFLOW, "job-whole", job_id),
        of(WORKFLOW, "run-waits-for-a-node", "b", definition_id),
        of(CRON_WORKFLOW, "job-def-whole", None, definition_id),
        of(WORKFLOW, "run-whole", job_id, gone),  # a run of the past
        replace(of(WORKFLOW, "job-new"), create_time=now_ms()),
    ]
    kept = list(services.engine.objects)
    services.engine.objects += [
        of(WORKFLOW, "job-orphan"),
        of(WORKFLOW, "run-orphan", "a", gone),
        of(CRON_WORKFLOW, "job-def-orphan", None, gone),
    ]
    assert found(orphans) == [
        ("workflow", "job-orphan", True),
        ("workflow", "run-orphan", True),
        ("cron workflow", "job-def-orphan", True),
    ]
    for subject, id_, left in ((JOBS, "a", 1), (DEFINITIONS, gone, 1)):
        with ChangeMarkers(services.staging, subject).mark_change(id_):
            assert len(found(orphans)) == left
    for orphan in orphans.find():
        orphans.remove(orphan)
    assert services.engine.objects == kept
    assert not (services.staging / PRIVATE).exists()

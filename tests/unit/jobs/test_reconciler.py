"""Each pass of the reconciler, without a server: a real database, real files, a small engine."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import EngineRefused, EngineUnavailable
from argo_jupyter_scheduler.domain.identity import run_token
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.engines.base import Observation, ScheduledRun, Snapshot
from argo_jupyter_scheduler.jobs.details import describe_job, read_log
from argo_jupyter_scheduler.jobs.reconciler import Reconciler
from argo_jupyter_scheduler.jobs.requests import DefinitionChanges
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.output_names import output_filename
from argo_jupyter_scheduler.storage.schema import LOCAL_WAITING, JobRow
from tests.support.jobs import notebook
from tests.support.rows import definition_row, job_row
from tests.support.services import Services, SmallEngine, SmallLocalEngine

GONE = Observation(ended=True, message="pod deleted")


@pytest.fixture
def services(database: Database, tmp_path: Path) -> Services:
    return Services(database, tmp_path)


@pytest.fixture
def definition_id(services: Services) -> str:
    services.write("n.ipynb", notebook("1"))
    return services.define()


def add_job(services: Services, job_id: str, status: str = "IN_PROGRESS", **fields: object) -> JobRow:
    """Write a row and its folder, as a submit does."""
    row = JobRow(
        job_id=job_id,
        runtime_environment_name="venv",
        input_filename="n.ipynb",
        output_formats=("ipynb",),
        status=status,
        create_time=now_ms(),
        update_time=now_ms(),
    )
    services.database.insert_job(replace(row, **fields))  # type: ignore[arg-type]
    folder = services.jobs.folder(job_id)
    folder.create()
    folder.write_settings(RunSettings())
    return job_row(services.database, job_id)


class TestFinishInterruptedChanges:
    def test_the_engine_gets_what_the_row_says(self, services: Services, definition_id: str) -> None:
        services.engine.failure = EngineUnavailable("no answer", half_done=True)
        with pytest.raises(EngineUnavailable):
            services.definitions.update(definition_id, DefinitionChanges({"schedule": "0 7 * * *"}))
        services.engine.schedules.clear()  # it may be anything
        services.reconciler.finish_interrupted_changes()
        row = definition_row(services.database, definition_id)
        assert services.engine.schedules == {definition_id: row}
        calls = services.engine.calls
        services.reconciler.finish_interrupted_changes()
        assert services.engine.calls == calls


class TestRepairSchedules:
    def test_it_is_done_once_a_period(self, services: Services, definition_id: str) -> None:
        services.engine.schedules.clear()
        services.reconciler.reconcile()
        assert services.engine.schedules == {}
        Reconciler(services.jobs, services.definitions, repair_period=0).reconcile()
        assert list(services.engine.schedules) == [definition_id]

    def test_without_the_right_to_it_runs_are_observed_all_the_same(
        self, services: Services, definition_id: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        add_job(services, "a")
        services.engine.snapshot = Snapshot({"a": GONE})
        reconciler = Reconciler(services.jobs, services.definitions, repair_period=0)
        for _ in range(2):
            services.engine.failure = EngineRefused("may not list cronworkflows")
            reconciler.reconcile()
        assert job_row(services.database, "a").status == "FAILED"
        assert caplog.text.count("Some jobs cannot be checked: may not list cronworkflows") == 1


def test_outdated_schedules_are_updated_once_after_the_start(services: Services, definition_id: str) -> None:
    services.engine.outdated = [definition_id]
    calls = services.engine.calls
    for _ in range(2):
        services.reconciler.reconcile()
    assert services.engine.calls == calls + 1


class TestObserveRuns:
    def test_it_says_whether_a_run_is_live(self, services: Services) -> None:
        assert services.reconciler.observe_runs() is False
        add_job(services, "a")
        assert services.reconciler.observe_runs() is True

    def test_why_a_job_waits_is_written_once(self, services: Services) -> None:
        waiting = add_job(services, "a", "QUEUED", update_time=1)
        services.engine.snapshot = Snapshot({"a": Observation(ended=False, message="no node")})
        services.reconciler.observe_runs()
        row = job_row(services.database, "a")
        assert (row.status, row.status_message) == ("QUEUED", "no node")
        assert row.update_time > waiting.update_time
        services.database.update_job("a", update_time=1)
        services.reconciler.observe_runs()
        assert job_row(services.database, "a").update_time == 1

    def test_a_job_of_which_nothing_is_known_stays_as_it_is(self, services: Services) -> None:
        before = add_job(services, "a")
        services.reconciler.observe_runs()
        assert job_row(services.database, "a") == before

    def test_an_engine_that_is_away_changes_nothing(self, services: Services, tmp_path: Path) -> None:
        class Away(SmallEngine):
            def observe(self, *arguments: object, **options: object) -> Snapshot:
                raise EngineUnavailable("no answer")

        (tmp_path / "away").mkdir()
        away = Services(services.database, tmp_path / "away", Away())
        before = add_job(away, "a")
        with pytest.raises(EngineUnavailable):
            away.reconciler.reconcile()
        assert job_row(services.database, "a") == before

    def test_many_runs_that_ended_are_finished(self, services: Services) -> None:
        ids = [f"job-{number}" for number in range(20)]
        for job_id in ids:
            add_job(services, job_id)
        services.engine.snapshot = Snapshot(dict.fromkeys(ids, GONE))
        services.reconciler.observe_runs()
        assert {job_row(services.database, job_id).status for job_id in ids} == {"FAILED"}

    def test_jobs_of_this_machine_from_before_argo_are_observed_too(
        self, database: Database, tmp_path: Path
    ) -> None:
        here = SmallLocalEngine()
        services = Services(database, tmp_path, local_engine=here)
        add_job(services, "here", pid=4711)
        add_job(services, "argo")
        here.snapshot = Snapshot({"here": Observation(ended=True, message="process gone")})
        services.reconciler.observe_runs()
        assert job_row(database, "here").status_message == "process gone"
        assert job_row(database, "argo").status == "IN_PROGRESS"


class TestFinishRun:
    def finish(self, services: Services, job: JobRow, observation: Observation = GONE) -> JobRow:
        services.reconciler.finish_run(job, observation)
        return job_row(services.database, job.job_id)

    def test_it_fails_with_the_engines_reason_and_what_there_is_is_published(
        self, services: Services
    ) -> None:
        job = add_job(services, "a")
        folder = services.jobs.folder("a")
        folder.output("ipynb").write_text("so far")
        row = self.finish(services, job)
        assert (row.status, row.status_message) == ("FAILED", "pod deleted")
        published = folder.path / output_filename("n.ipynb", job.create_time, "ipynb")
        assert published.read_text() == "so far"

    def test_its_files_say_more_than_the_engine(self, services: Services) -> None:
        job, folder = add_job(services, "a"), services.jobs.folder("a")
        folder.write("result.json", {"succeeded": True})
        folder.output("ipynb").write_text("all of it")
        assert self.finish(services, job).status == "COMPLETED"
        job = add_job(services, "c")
        services.jobs.folder("c").write("result.json", {"succeeded": True})
        assert self.finish(services, job).status_message == messages.outputs.outputs_missing(["ipynb"])
        job = add_job(services, "b")
        services.jobs.folder("b").write("result.json", {"succeeded": False, "error": "ZeroDivisionError"})
        assert self.finish(services, job).status_message == "ZeroDivisionError"

    def test_what_it_waited_for_is_part_of_the_reason(self, services: Services) -> None:
        job = add_job(services, "a", "QUEUED", status_message="no node")
        message = self.finish(services, job, Observation(True, "deadline exceeded")).status_message
        assert message == "deadline exceeded. It was still waiting: no node"

    def test_one_that_somebody_ended_is_stopped(self, services: Services) -> None:
        row = self.finish(
            services, add_job(services, "a"), Observation(True, "stopped in Argo", stopped=True)
        )
        assert (row.status, row.status_message) == ("STOPPED", "stopped in Argo")

    @pytest.mark.parametrize("status", ["IN_PROGRESS", "COMPLETED", "STOPPED"])
    def test_old_information_changes_nothing(self, services: Services, status: str) -> None:
        job = add_job(services, "a", "QUEUED")
        services.database.update_job("a", status=status)
        assert self.finish(services, job).status == status

    @pytest.mark.parametrize(
        "damage",
        [
            {"result.json": {"succeeded": True, "attempts": None}},
            {"progress.json": {"attempt": [1], "cell": "x"}},
            {"run.json": {"output": "{"}},
        ],
    )
    def test_a_run_whose_notebook_damaged_its_private_files_ends(
        self, services: Services, damage: dict[str, dict[str, object]]
    ) -> None:
        job, folder = add_job(services, "a"), services.jobs.folder("a")
        folder.output("ipynb").write_text("all of it")
        for name, content in damage.items():
            folder.write(name, content)
        row = self.finish(services, job)
        assert row.status in ("COMPLETED", "FAILED")
        assert describe_job(services.jobs, "a", [])["status"] == row.status

    @pytest.mark.parametrize("makes_link", [True, False])
    def test_a_run_whose_folder_was_replaced_ends(
        self, services: Services, tmp_path: Path, makes_link: bool
    ) -> None:
        job, path = add_job(services, "a"), services.jobs.folder("a").path
        services.jobs.folder("a").delete()
        if makes_link:
            path.symlink_to(tmp_path / "nowhere")
        else:
            path.write_text("x")
        row = self.finish(services, job)
        assert (row.status, row.status_message) == ("FAILED", "pod deleted")
        services.jobs.delete_job("a")
        assert services.database.get_job("a") is None
        assert not os.path.lexists(path)

    def test_links_to_other_files_are_not_published(self, services: Services, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("another run's")
        job, folder = add_job(services, "a", output_formats=("ipynb", "log")), services.jobs.folder("a")
        for name in ("ipynb", "log"):
            folder.output(name).symlink_to(tmp_path / "secret")
        self.finish(services, job)
        assert folder.files() == []
        assert read_log(services.jobs, "a", 0, 100)["text"] == ""
        assert (tmp_path / "secret").read_text() == "another run's"

    def test_outputs_that_cannot_be_published_fail_it_all_the_same(self, services: Services) -> None:
        job = add_job(services, "a")
        folder = services.jobs.folder("a")
        folder.write("result.json", {"succeeded": True})
        folder.output("ipynb").write_text(notebook("1"))
        (folder.path / output_filename("n.ipynb", job.create_time, "ipynb") / "in the way").mkdir(
            parents=True
        )
        row = self.finish(services, job)
        assert row.status == "FAILED"
        assert str(row.status_message).startswith("The outputs could not be published. ")


class TestMissingRows:
    def run(self, definition_id: str, job_id: str = "r") -> ScheduledRun:
        return ScheduledRun(job_id, definition_id, 1_700_000_000_000, run_token(definition_id, 1_700_000_000))

    def test_a_run_whose_pod_could_not_write_its_row_gets_one(
        self, services: Services, definition_id: str
    ) -> None:
        services.engine.snapshot = Snapshot(runs=[self.run(definition_id)])
        services.reconciler.observe_runs()
        row = job_row(services.database, "r")
        assert (row.status, row.job_definition_id, row.input_filename) == ("QUEUED", definition_id, "n.ipynb")
        assert (row.create_time, row.is_scheduled) == (1_700_000_000_000, True)
        services.database.mark_failed("r", "why")
        services.reconciler.observe_runs()
        assert job_row(services.database, "r").status_message == "why"

    def test_one_that_was_deleted_meanwhile_gets_none(self, services: Services, definition_id: str) -> None:
        services.engine.snapshot = Snapshot(runs=[self.run(definition_id)])
        services.engine.unknown = {"r"}
        services.reconciler.observe_runs()
        assert services.database.get_job("r") is None

    def test_one_without_a_definition_gets_none(self, services: Services) -> None:
        services.engine.snapshot = Snapshot(runs=[self.run("gone")])
        services.reconciler.observe_runs()
        assert services.database.get_job("r") is None


def test_a_run_that_goes_on_though_it_was_stopped_is_stopped_again(services: Services) -> None:
    for job_id, age in (("old", 11_000), ("young", 1_000), ("elsewhere", 11_000)):
        add_job(services, job_id)
        services.database.mark_stopped(job_id)
        services.database.update_job(job_id, end_time=now_ms() - age)
    services.engine.snapshot = Snapshot(others=["old", "young"])
    services.reconciler.observe_runs()
    assert services.engine.stopped == ["old"]
    assert services.engine.looked_for_others
    for job_id in ("old", "young", "elsewhere"):
        services.database.update_job(job_id, end_time=now_ms() - 3_700_000)
    services.reconciler.observe_runs()
    assert not services.engine.looked_for_others


class TestJobsOfAnotherBackend:
    @pytest.mark.parametrize("status", ["QUEUED", "IN_PROGRESS"])
    def test_one_that_was_left_is_failed_after_a_while(
        self, database: Database, tmp_path: Path, status: str
    ) -> None:
        services = Services(database, tmp_path, SmallLocalEngine())
        row = JobRow(job_id="old", runtime_environment_name="e", input_filename="n.ipynb", status=status)
        for job_id, age in (("old", 120_000), ("young", 1_000)):
            moment = now_ms() - age
            database.insert_job(replace(row, job_id=job_id, create_time=moment, update_time=moment))
        services.reconciler.reconcile()
        old = job_row(database, "old")
        assert (old.status, old.status_message) == ("FAILED", messages.runs.OTHER_BACKEND)
        assert job_row(database, "young").status == status

    def test_own_jobs_are_known_by_their_process_or_their_folder(
        self, database: Database, tmp_path: Path
    ) -> None:
        services = Services(database, tmp_path, SmallLocalEngine())
        add_job(services, "from argo", create_time=1, update_time=1)
        add_job(services, "here", "QUEUED", pid=LOCAL_WAITING, create_time=1, update_time=1)
        services.jobs.folder("here").delete()
        services.reconciler.reconcile()
        assert {job.job_id for job in database.list_live_jobs()} == {"from argo", "here"}

"""The schedules of this machine, without a server: a real database, real files, a small engine and a clock that a test moves."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import EngineUnavailable
from argo_jupyter_scheduler.domain.identity import local_run_id, run_token
from argo_jupyter_scheduler.jobs.local_schedules import LocalSchedules
from argo_jupyter_scheduler.jobs.requests import DefinitionChanges
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.schema import LOCAL_WAITING, DefinitionRow, JobRow
from tests.support.eventually import eventually
from tests.support.jobs import notebook, start_all
from tests.support.rows import definition_row
from tests.support.services import Services, SmallLocalEngine


class Machine:
    """Services of this machine, and its clock."""

    def __init__(self, database: Database, folder: Path, **settings: Any) -> None:
        self.database = database
        self.services = Services(database, folder, SmallLocalEngine(), **settings)
        self.services.write("n.ipynb", notebook("1"))
        self.services.write("other.ipynb", notebook("2"))
        self.moment = now_ms()

    def server(self, cls: type[LocalSchedules] = LocalSchedules) -> LocalSchedules:
        return cls(self.services.jobs, self.services.reconciler, clock=lambda: self.moment)

    def define(self, schedule: str = "* * * * *", **fields: Any) -> str:
        return self.services.define(schedule=schedule, **{"name": "n", **fields})

    def minute(self, *servers: LocalSchedules) -> None:
        """Let a minute pass, and the servers start what is due."""
        self.moment += 60_000
        for server in servers:
            start_all(server)

    def runs(self, definition_id: str) -> list[JobRow]:
        return [job for job in self.database.list_live_jobs() if job.job_definition_id == definition_id]


@pytest.fixture
def machine(database: Database, tmp_path: Path) -> Machine:
    return Machine(database, tmp_path)


def test_a_run_has_a_row_a_folder_and_is_submitted(machine: Machine) -> None:
    server = machine.server()
    definition_id = machine.define(parameters={"a": "1"}, tags=("t",))
    assert server.start_due() == []
    machine.minute(server)
    [job] = machine.runs(definition_id)
    due = machine.moment - machine.moment % 60_000
    assert (job.job_id, job.status) == (local_run_id(definition_id, due), "QUEUED")
    assert (job.parameters, job.tags, job.is_scheduled) == ({"a": "1"}, ("t",), True)
    assert job.scheduled_moment == due // 1000
    assert machine.services.engine.submitted == [job]
    folder = machine.services.jobs.folder(job.job_id)
    assert folder.files() == ["n.ipynb"]
    assert folder.read_settings().engine == "local"


@pytest.mark.parametrize("change", [{"active": False}, {"schedule": "0 0 1 1 *"}])
def test_what_is_paused_or_due_later_is_not_started(machine: Machine, change: dict[str, Any]) -> None:
    server = machine.server()
    definition_id = machine.define()
    start_all(server)
    machine.services.definitions.update(definition_id, DefinitionChanges(change))
    machine.minute(server)
    assert machine.runs(definition_id) == []


def test_a_second_server_starts_no_run_twice(machine: Machine) -> None:
    definition_id = machine.define()
    servers = [machine.server() for _ in range(2)]
    machine.moment += 60_000
    with ThreadPoolExecutor() as pool:
        list(pool.map(start_all, servers))
    [job] = machine.runs(definition_id)
    assert {one.job_id for one in machine.services.engine.submitted} == {job.job_id}


def test_servers_that_began_at_different_times_count_every_alike(database: Database, tmp_path: Path) -> None:
    machine = Machine(database, tmp_path, concurrency_policy="Allow")
    definition_id = machine.define("@every 10m")
    begin = definition_row(database, definition_id).update_time // 1000
    servers = [machine.server()]
    for minute in range(1, 22):
        if minute in (4, 9):  # a second one, and one after a restart
            servers.append(machine.server())
        machine.minute(*servers)
    found = [job.idempotency_token for job in machine.runs(definition_id)]
    assert found == [run_token(definition_id, begin + 60 * minute) for minute in (10, 20)]


@pytest.mark.parametrize(("deadline", "expected"), [(0, 0), (600, 1)])
def test_a_run_that_was_missed_while_the_server_was_off(
    database: Database, tmp_path: Path, deadline: int, expected: int
) -> None:
    machine = Machine(database, tmp_path, starting_deadline_seconds=deadline)
    definition_id = machine.define("@hourly")
    hour = machine.moment - machine.moment % 3_600_000
    database.update_definition(definition_id, update_time=hour - 100_000)
    machine.moment = hour + 300_000
    for _ in range(2):  # a restart after the restart starts nothing again
        start_all(machine.server())
        assert len(machine.runs(definition_id)) == expected
    for job in machine.runs(definition_id):
        machine.services.jobs.delete_job(job.job_id)
    start_all(machine.server())
    assert machine.runs(definition_id) == []  # and none whose job the user has deleted


def test_a_slow_copy_holds_up_no_other_definition(database: Database, tmp_path: Path) -> None:
    machine = Machine(database, tmp_path, concurrency_policy="Allow")
    services = machine.services
    gate, copied = threading.Event(), threading.Semaphore(0)

    class Slow(LocalSchedules):
        def _copy(self, definition: DefinitionRow, folder: RunFolder) -> str:
            problem = super()._copy(definition, folder)
            if definition.name == "slow":
                copied.release()
                gate.wait(60)
            return problem

    slow = [machine.define(name="slow") for _ in range(3)]
    server = machine.server(Slow)
    machine.moment += 60_000
    starts = server.start_due()
    for _ in slow:
        assert copied.acquire(timeout=60)
    other = machine.define(name="other")
    for _ in range(3):  # minutes in which the slow ones are due again
        machine.moment += 60_000
        server.start_due()
    eventually(lambda: machine.runs(other))
    assert [machine.runs(one) for one in slow] == [[], [], []]

    same, changed, deleted = slow
    services.definitions.update(changed, DefinitionChanges({}, "other.ipynb"))
    services.definitions.delete(deleted)
    gate.set()
    wait(starts)
    [first], [second] = machine.runs(same), machine.runs(changed)
    assert (first.input_filename, second.input_filename) == ("n.ipynb", "other.ipynb")
    for job in (first, second):
        assert services.jobs.folder(job.job_id).files() == [job.input_filename]
    machine.moment += 1000
    start_all(server)  # what was due meanwhile, once, though it is late by now
    assert [len(machine.runs(one)) for one in slow] == [2, 2, 0]
    for one in (same, changed, other):
        for job in machine.runs(one):
            services.jobs.delete_job(job.job_id)
    left = {path.name for path in services.staging.iterdir()}
    assert left - {".argo-jupyter-scheduler"} == {same, changed, other}


def test_a_clock_that_was_wrong_for_a_while(machine: Machine) -> None:
    machine.define()
    server = machine.server()
    for seconds in (3600, -3600):
        machine.moment += seconds * 1000
        start_all(server)
    before = len(machine.services.engine.submitted)
    machine.minute(server)
    assert len(machine.services.engine.submitted) == before + 1


@pytest.mark.parametrize(
    ("policy", "statuses"),
    [
        ("Allow", ["QUEUED", "QUEUED"]),
        ("Forbid", ["QUEUED"]),
        ("Replace", ["QUEUED", "STOPPED"]),
    ],
)
@pytest.mark.parametrize("by_tag", [False, True])
def test_a_run_that_is_due_while_another_is_under_way(
    database: Database, tmp_path: Path, policy: str, statuses: list[str], by_tag: bool
) -> None:
    others = {"Allow": "Forbid", "Forbid": "Replace", "Replace": "Allow"}
    machine = Machine(database, tmp_path, concurrency_policy=others[policy] if by_tag else policy)
    definition_id = machine.define(tags=(f"concurrency:{policy.lower()}",) if by_tag else ())
    server = machine.server()
    for _ in range(2):
        machine.minute(server)
    engine = machine.services.engine
    found = [database.get_job(job.job_id) for job in engine.submitted]
    assert sorted(job.status for job in found if job) == statuses
    if policy == "Replace":
        [first, _] = engine.submitted
        assert engine.stopped == [first.job_id]
        assert found[0] is not None
        assert found[0].status_message == messages.runs.REPLACED
    assert {job.job_definition_id for job in engine.submitted} == {definition_id}


def test_a_run_whose_input_is_gone_is_a_failed_job_that_says_why(machine: Machine) -> None:
    definition_id = machine.define()
    machine.services.jobs.folder(definition_id).delete()
    server = machine.server()
    machine.minute(server)
    due = machine.moment - machine.moment % 60_000
    job = machine.services.jobs.get_job(local_run_id(definition_id, due))
    assert (job.status, job.pid) == ("FAILED", LOCAL_WAITING)
    assert job.status_message
    assert machine.services.engine.submitted == []


def test_a_start_that_failed_is_tried_again(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    class Full(LocalSchedules):
        """The disk is full, once."""

        failures = 1

        def _copy(self, definition: DefinitionRow, folder: RunFolder) -> str:
            if self.failures:
                self.failures -= 1
                raise EngineUnavailable("disk full")
            return super()._copy(definition, folder)

    definition_id = machine.define()
    server = machine.server(Full)
    machine.moment += 60_000
    wait(server.start_due())
    machine.moment += 1000
    start_all(server)
    assert len(machine.runs(definition_id)) == 1
    assert f"A run of job definition {definition_id} could not be started." in caplog.text

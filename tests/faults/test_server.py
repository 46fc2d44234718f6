"""JupyterLab is killed in the middle of what its user asked for, and started again."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from argo_jupyter_scheduler.domain.status import STOPPED
from tests.faults.injection import SERVER, Injection
from tests.faults.jupyterlab import Gone, JupyterLab
from tests.faults.verdicts import Verdict, judge_files, judge_leftovers, judge_run
from tests.faults.world import World
from tests.stand_ins.argo import ArgoStandIn
from tests.support.eventually import eventually
from tests.support.processes import marked

on_each_engine = pytest.mark.parametrize("place", ["local", "argo"], indirect=True)

WAIT = "import os, time\nwhile not os.path.exists({!r}): time.sleep(0.05)"


@pytest.fixture
def injection(world: World, choose: random.Random) -> Injection:
    return world.injection(SERVER, "kill", choose.randrange(1, 26))


def interrupt(verdict: Verdict, lab: JupyterLab, injection: Injection, ask: Callable[[], Any]) -> bool:
    """Ask for something at which the server is killed, and start it again; return whether it was answered."""
    injection.arm()
    try:
        ask()
        answered = True
    except Gone:
        answered = False
    injection.disarm()
    verdict.happened = injection.happened
    lab.restart()
    return answered


@pytest.mark.trials(2)
@pytest.mark.fault("JupyterLab is killed while it creates a job")
@on_each_engine
def test_create(
    world: World, lab: JupyterLab, injection: Injection, verdict: Verdict, stand_in: ArgoStandIn | None
) -> None:
    job = world.fields("print('now')")
    lab.start(injection)
    answered = interrupt(verdict, lab, injection, lambda: lab.request("POST", "jobs", body=job))
    lab.wait_until_finished()
    lab.wait_until_idle()
    rows = lab.request("GET", "jobs")["jobs"]
    folders = {path.name for path in world.staging.glob("[!.]*")}
    if answered and not rows:
        verdict.blame("lost", "the job was confirmed, and is gone")
    if folders - {row["job_id"] for row in rows}:
        verdict.blame("left over", f"folders {folders}")
    if stand_in and len(stand_in.runs) > len(rows):
        verdict.blame("left over", f"workflows {list(stand_in.runs)}")
    if len(rows) > 1:
        verdict.blame("doubled", str(rows))
    for row in rows:
        judge_run(verdict, world, row["job_id"], world.row(row["job_id"]))


def start_waiting_job(world: World, lab: JupyterLab, injection: Injection) -> tuple[str, Path]:
    """Start a job whose notebook waits until a file is there; return its id and the file."""
    gate = world.folder / "gate"
    lab.start(injection)
    job_id = str(lab.request("POST", "jobs", body=world.fields(WAIT.format(str(gate))))["job_id"])
    eventually(lambda: world.has_begun(job_id))
    return job_id, gate


@pytest.mark.fault("JupyterLab is killed while it stops a job")
@on_each_engine
def test_stop(
    world: World, lab: JupyterLab, injection: Injection, verdict: Verdict, stand_in: ArgoStandIn | None
) -> None:
    job_id, gate = start_waiting_job(world, lab, injection)
    body = {"status": STOPPED}
    answered = interrupt(verdict, lab, injection, lambda: lab.request("PATCH", "jobs", job_id, body=body))
    lab.wait_until_finished()
    row = world.row(job_id)
    assert row
    if row.status == STOPPED:
        eventually(lambda: not runs_on(world, job_id, stand_in))
    elif answered:
        verdict.blame("lost", "the stop was confirmed, and the job goes on")
    gate.touch()
    lab.wait_until_idle()
    row = world.row(job_id)
    if row and row.status == STOPPED and "ended" in world.words(job_id):
        verdict.blame("misreported", "STOPPED, but the notebook ran to its end")
    judge_run(verdict, world, job_id, row)


def runs_on(world: World, job_id: str, stand_in: ArgoStandIn | None) -> bool:
    """Return whether a run's process still lives."""
    if stand_in is None:
        return bool(marked(job_id))
    return any(run.pods for run in stand_in.runs.values())


@pytest.mark.fault("JupyterLab is killed while it deletes a job")
@on_each_engine
def test_delete(
    world: World, lab: JupyterLab, injection: Injection, verdict: Verdict, stand_in: ArgoStandIn | None
) -> None:
    job_id, gate = start_waiting_job(world, lab, injection)
    answered = interrupt(verdict, lab, injection, lambda: lab.request("DELETE", "jobs", job_id))
    lab.wait_until_finished()
    gate.touch()
    lab.wait_until_idle()
    row = world.row(job_id)
    if row is None:
        judge_leftovers(verdict, world, job_id)
        if stand_in and stand_in.runs:
            verdict.blame("left over", f"workflows {list(stand_in.runs)}")
        if "ended" in world.words(job_id):
            verdict.blame("misreported", "deleted, but the notebook ran to its end")
    elif answered:
        verdict.blame("lost", "the deletion was confirmed, and the job is there")
    else:
        judge_run(verdict, world, job_id, row)


@pytest.mark.fault("everything is killed at once")
@pytest.mark.parametrize("place", ["local"], indirect=True)
def test_everything(world: World, lab: JupyterLab, choose: random.Random, verdict: Verdict) -> None:
    lab.start()
    body = world.fields(*["import time; time.sleep(0.2)"] * 5)
    jobs = [lab.request("POST", "jobs", body=body)["job_id"] for _ in range(6)]
    time.sleep(choose.uniform(0, 4))
    doomed = [process for job_id in jobs for process in marked(job_id)]
    lab.kill()
    for process in doomed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    lab.start()
    lab.wait_until_idle()
    for job_id in jobs:
        judge_run(verdict, world, job_id, world.row(job_id), told="process ended")


CHANGES: dict[str, dict[str, Any]] = {
    "schedule": {"schedule": "7 7 7 7 *"},
    "pause": {"active": False},
    "input": {"input_uri": "other.ipynb"},
    "parameters": {"parameters": {"a": "2"}},
    "name": {"name": "another"},
}


@pytest.mark.fault("JupyterLab is killed while it changes a definition")
@pytest.mark.parametrize("change", CHANGES)
@on_each_engine
def test_change(
    world: World,
    lab: JupyterLab,
    injection: Injection,
    verdict: Verdict,
    stand_in: ArgoStandIn | None,
    change: str,
) -> None:
    body = {**world.fields(), "schedule": "0 0 1 1 *", "timezone": "UTC"}
    world.write("print('other')", name="other.ipynb")
    lab.start(injection)
    definition_id = lab.request("POST", "job_definitions", body=body)["job_definition_id"]
    before = world.database.get_definition(definition_id)
    answered = interrupt(
        verdict,
        lab,
        injection,
        lambda: lab.request("PATCH", "job_definitions", definition_id, body=CHANGES[change]),
    )
    lab.wait_until_finished()
    after = world.database.get_definition(definition_id)
    assert before
    if after is None:
        verdict.blame("lost", "the definition is gone")
        return
    if answered and after == before:
        verdict.blame("lost", "the change was confirmed, and is not there")
    folder = world.run_folder(definition_id)
    files = [path for path in folder.files() if path != after.input_filename]
    if files or not (folder.path / after.input_filename).is_file():
        verdict.blame("misreported", f"{after.input_filename} in the row, {folder.files()} in the folder")
    else:
        is_new = "other" in (folder.path / after.input_filename).read_text()
        if is_new != (after.input_filename == "other.ipynb"):
            verdict.blame("misreported", "row and input do not agree")
    if stand_in:
        judge_schedule(verdict, stand_in, after.schedule, after.active)
    judge_files(verdict, world, definition_id)


def judge_schedule(verdict: Verdict, stand_in: ArgoStandIn, schedule: str | None, active: bool) -> None:
    """Judge whether Argo has what the definition's row says."""
    specs = [cron["spec"] for cron in stand_in.crons.values()]
    found = [(spec["schedules"], not spec.get("suspend", False)) for spec in specs]
    if found != [([schedule], active)]:
        verdict.blame("misreported", f"{schedule}, {active} in the row, {found} in Argo")


@pytest.mark.fault("JupyterLab is killed while it creates or deletes a definition")
@pytest.mark.parametrize("deletes", [False, True], ids=["create", "delete"])
@on_each_engine
def test_create_and_delete_definition(
    world: World,
    lab: JupyterLab,
    injection: Injection,
    verdict: Verdict,
    stand_in: ArgoStandIn | None,
    deletes: bool,
) -> None:
    body = {**world.fields(), "schedule": "0 0 1 1 *", "timezone": "UTC"}
    lab.start(injection)

    def create() -> Any:
        return lab.request("POST", "job_definitions", body=body)

    if deletes:
        definition_id = create()["job_definition_id"]
        answered = interrupt(
            verdict, lab, injection, lambda: lab.request("DELETE", "job_definitions", definition_id)
        )
    else:
        answered = interrupt(verdict, lab, injection, create)
    lab.wait_until_finished()
    rows = world.database.list_schedules()
    folders = [path.name for path in world.staging.glob("[!.]*")]
    if answered and len(rows) != (0 if deletes else 1):
        verdict.blame("lost", f"it was confirmed, and there are {len(rows)} rows")
    if folders != [row.job_definition_id for row in rows]:
        verdict.blame("left over", f"folders {folders}, rows {rows}")
    if stand_in and len(stand_in.crons) != len(rows):
        verdict.blame("left over", f"{len(stand_in.crons)} schedules in Argo, {len(rows)} rows")

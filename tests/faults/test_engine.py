"""Argo refuses, hangs, answers with errors or garbage, loses answers, and loses pods."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from argo_jupyter_scheduler.domain.status import FAILED
from tests.faults.jupyterlab import JupyterLab
from tests.faults.verdicts import Verdict, judge_leftovers, judge_run
from tests.faults.world import World
from tests.stand_ins.argo import ArgoStandIn
from tests.support.eventually import eventually
from tests.support.jobs import REAL_ARGO

on_argo = pytest.mark.parametrize("place", ["argo"], indirect=True)
WAIT = "import os, time\nwhile not os.path.exists({!r}): time.sleep(0.05)"


def refuse(argo: ArgoStandIn, **where: Any) -> None:
    argo.fail_next(403, {"code": 7, "message": "not allowed"}, **where)


def break_(argo: ArgoStandIn, **where: Any) -> None:
    argo.fail_next(500, {"code": 2, "message": "etcdserver: request timed out"}, **where)


def talk_nonsense(argo: ArgoStandIn, **where: Any) -> None:
    argo.fail_next(200, "<html>Log in</html>", **where)


def answer_nothing(argo: ArgoStandIn, **where: Any) -> None:
    argo.fail_next(200, {}, **where)


def lose_answer(argo: ArgoStandIn, **where: Any) -> None:
    argo.fail_next(504, "gateway timeout", done=True, **where)


def cut_answer(argo: ArgoStandIn, **where: Any) -> None:
    argo.cuts = 1


def hang(argo: ArgoStandIn, **where: Any) -> None:
    argo.hang_seconds = 6


FAULTS = [refuse, break_, talk_nonsense, lose_answer, cut_answer, hang]


def mend(argo: ArgoStandIn) -> None:
    """Let Argo be well again."""
    argo.hang_seconds, argo.cuts, argo._failures = 0, 0, []


@pytest.fixture
def impatient(world: World) -> World:
    world.traits = {**world.traits, "argo_timeout": 4.0}
    return world


@pytest.mark.fault("Argo fails during a create")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("times", [1, 9], ids=["once", "for long"])
@on_argo
def test_create(
    impatient: World,
    lab: JupyterLab,
    verdict: Verdict,
    argo: ArgoStandIn,
    fault: Callable[..., None],
    times: int,
) -> None:
    """What the user is told is so: a job that was refused does not run, and one that was confirmed runs once."""
    world = impatient
    job = world.fields("print('now')")
    lab.start()
    fault(argo, times=times, path="/workflows/dev", method="POST")
    status, answer = lab.ask("POST", "jobs", body=job)
    mend(argo)
    lab.wait_until_finished()
    lab.wait_until_idle()
    rows = lab.request("GET", "jobs")["jobs"]
    if status < 300:
        judge_run(verdict, world, answer["job_id"], world.row(answer["job_id"]))
    else:
        if not answer["message"]:
            verdict.blame("misreported", "there is no message")
        if rows or list(world.staging.glob("[!.]*")):
            verdict.blame("left over", f"{rows} {list(world.staging.iterdir())}")
        eventually(lambda: not argo.runs, state=lambda: f"{list(argo.runs)} {lab.read_log()}")
        if any("ended" in path.read_text() for path in world.witness.iterdir()):
            verdict.blame("misreported", "refused, but the notebook ran")


@pytest.mark.fault("Argo fails during a stop or a delete")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("deletes", [False, True], ids=["stop", "delete"])
@on_argo
def test_stop_and_delete(
    impatient: World,
    lab: JupyterLab,
    verdict: Verdict,
    argo: ArgoStandIn,
    fault: Callable[..., None],
    deletes: bool,
) -> None:
    world, gate = impatient, impatient.folder / "gate"
    lab.start()
    job_id = lab.request("POST", "jobs", body=world.fields(WAIT.format(str(gate))))["job_id"]
    eventually(lambda: world.has_begun(job_id))
    fault(argo, times=9, path=job_id)
    if deletes:
        status, _ = lab.ask("DELETE", "jobs", job_id)
    else:
        status, _ = lab.ask("PATCH", "jobs", job_id, body={"status": "STOPPED"})
    mend(argo)
    lab.wait_until_finished()
    eventually(lambda: not any(run.pods for run in argo.runs.values()), state=lab.read_log)
    row = world.row(job_id)
    if row is None:
        judge_leftovers(verdict, world, job_id)
    elif deletes and status < 300:
        verdict.blame("lost", "the deletion was confirmed, and the job is there")
    elif row.status != "STOPPED":
        verdict.blame("misreported", f"{row.status}: {row.status_message}")


def kill(argo: ArgoStandIn, name: str) -> None:
    argo.kill_pod(name, "")  # the message is Argo's own


def run_out_of_memory(argo: ArgoStandIn, name: str) -> None:
    argo.kill_pod(name)


def evict(argo: ArgoStandIn, name: str) -> None:
    argo.end_pod(name, "The node was low on resource: memory.")


def pass_deadline(argo: ArgoStandIn, name: str) -> None:
    argo._deadline(argo.runs[name])


def delete_by_force(argo: ArgoStandIn, name: str) -> None:
    argo.delete_pod(name)


def delete_workflow(argo: ArgoStandIn, name: str) -> None:
    argo.collect(name)


LOST: dict[Callable[[ArgoStandIn, str], None], str] = {
    run_out_of_memory: r"OOMKilled",
    evict: r"low on resource",
    pass_deadline: r"took longer",
    delete_by_force: r"pod deleted|without giving a reason|was lost",
    delete_workflow: r"was deleted from Argo",
}


@pytest.mark.fault("a pod or workflow is lost")
@pytest.mark.parametrize("lose", LOST)
@pytest.mark.parametrize("place", ["argo", "argo-pod-per-step"], indirect=True)
def test_lost_pod(
    world: World,
    verdict: Verdict,
    argo: ArgoStandIn,
    choose: random.Random,
    lose: Callable[[ArgoStandIn, str], None],
) -> None:
    job_id = world.create("import time; time.sleep(0.5)")
    time.sleep(choose.uniform(0, 3))
    lose(argo, f"job-{job_id}")
    row = world.settle(job_id)
    judge_run(verdict, world, job_id, row, told=LOST[lose])


DELETIONS = {
    "by force": ["--force", "--grace-period=0"],
    "in time": [],  # as a node that is drained does it
}


@pytest.mark.fault("a pod or workflow is lost")
@pytest.mark.argo
@pytest.mark.parametrize("how", DELETIONS)
@pytest.mark.parametrize("place", REAL_ARGO, indirect=True)
def test_lost_pod_of_real_argo(world: World, verdict: Verdict, choose: random.Random, how: str) -> None:
    job_id = world.create("import time; time.sleep(2)")
    time.sleep(choose.uniform(1, 6))
    namespace = os.environ.get("ARGO_NAMESPACE", "dev")
    label = f"workflows.argoproj.io/workflow=job-{job_id}"
    subprocess.run(["kubectl", "-n", namespace, "delete", "pod", "-l", label, *DELETIONS[how]], check=True)
    row = world.settle(job_id, timeout=200)
    judge_run(verdict, world, job_id, row, told=r"pod deleted|lost|ended|exit code|without giving a reason")


@pytest.mark.fault("a pod or workflow is lost")
@pytest.mark.argo
@pytest.mark.parametrize("place", REAL_ARGO, indirect=True)
def test_lost_workflow_of_real_argo(world: World, verdict: Verdict, choose: random.Random) -> None:
    job_id = world.create("import time; time.sleep(2)")
    time.sleep(choose.uniform(1, 6))
    row = world.row(job_id)
    assert row
    world.scheduler.jobs.engine.delete(row)
    row = world.settle(job_id, timeout=200)
    judge_run(verdict, world, job_id, row, told="was deleted from Argo")


@pytest.mark.fault("Argo's server is away while a notebook runs")
@pytest.mark.parametrize("fault", [break_, answer_nothing])
@on_argo
def test_away(impatient: World, verdict: Verdict, argo: ArgoStandIn, fault: Callable[..., None]) -> None:
    world = impatient
    job_id = world.create("import time; time.sleep(1)")
    fault(argo, times=1000)
    for _ in range(5):
        world.reconcile()
        time.sleep(0.5)
    row = world.row(job_id)
    if row is None or (row.status == FAILED):
        verdict.blame("misreported", f"{row}")
    mend(argo)
    judge_run(verdict, world, job_id, world.settle(job_id))

"""Nothing can be written: the disk is full, or the staging area is read-only, from any point on."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.injection import SERVER, STEPS
from tests.faults.jupyterlab import JupyterLab
from tests.faults.verdicts import Verdict, judge_run
from tests.faults.world import World
from tests.stand_ins.argo import ArgoStandIn
from tests.support.eventually import eventually

TOLD = {
    "full": r"disk is full|No space left|database or disk is full",
    "read-only": r"[Rr]ead-only|readonly",
}
GONE = r"process ended|exit code 1"


@pytest.mark.trials(2)
@pytest.mark.fault("the disk is full, or read-only, during a run")
@pytest.mark.parametrize("kind", TOLD)
@pytest.mark.parametrize("place", ["local", "argo"], indirect=True)
def test_run(
    world: World, inject: Callable[..., Any], choose: random.Random, verdict: Verdict, kind: str
) -> None:
    injection = inject(STEPS, kind, choose.randrange(1, 50))
    job_id = world.create("print('now')")
    eventually(lambda: injection.happened or not world.database.list_live_jobs())
    injection.disarm()  # somebody makes room: what has not been written yet can be
    row = world.settle(job_id)
    verdict.happened = injection.happened
    judge_run(verdict, world, job_id, row, told=f"{TOLD[kind]}|{GONE}")


@pytest.mark.fault("the disk is full, or read-only, during a create")
@pytest.mark.parametrize("kind", TOLD)
@pytest.mark.parametrize("place", ["local", "argo"], indirect=True)
def test_create(
    world: World,
    lab: JupyterLab,
    choose: random.Random,
    verdict: Verdict,
    kind: str,
    stand_in: ArgoStandIn | None,
) -> None:
    job = world.fields("print('now')")
    injection = world.injection(SERVER, kind, choose.randrange(1, 15))
    lab.start(injection)
    injection.arm()
    status, answer = lab.ask("POST", "jobs", body=job)
    injection.disarm()
    verdict.happened = injection.happened
    lab.wait_until_finished()
    lab.wait_until_idle()
    rows = lab.request("GET", "jobs")["jobs"]
    if status >= 300:
        if not re.search(TOLD[kind], answer["message"]):
            verdict.blame("misreported", f"{status}: {answer['message']}")
        if rows or list(world.staging.glob("[!.]*")) or (stand_in and stand_in.runs):
            verdict.blame("left over", f"refused, and there are {rows} {list(world.staging.iterdir())}")
    else:
        judge_run(verdict, world, answer["job_id"], world.row(answer["job_id"]))

"""A step is killed at any point: before and after each statement of the database, and before each change of a file."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from argo_jupyter_scheduler.domain.status import COMPLETED
from tests.faults.injection import STEPS
from tests.faults.verdicts import Verdict, judge_run
from tests.faults.world import FORMATS, World
from tests.support.jobs import REAL_ARGO

PLACES = ["local", "argo", "argo-pod-per-step", *REAL_ARGO]
POINTS = {"local": 55, "argo": 50, "argo-pod-per-step": 60, "real-argo": 50}
"""About how many points a run has. A larger number than there are is a run that nothing happens to."""

DELIVERY = range(45, 95)
"""Points of a run of this machine from about where it delivers its outputs to a folder."""

KILLED = r"process ended|exit code 137"


@pytest.mark.trials(2)
@pytest.mark.fault("a step is killed")
@pytest.mark.parametrize("place", PLACES, indirect=True)
def test_a_killed_step(
    world: World,
    place: str,
    inject: Callable[..., Any],
    choose: random.Random,
    verdict: Verdict,
) -> None:
    injection = inject(STEPS, "kill", choose.randrange(1, POINTS[place]))
    job_id = world.create("print('now')")
    row = world.settle(job_id)
    verdict.happened = injection.happened
    judge_run(verdict, world, job_id, row, told=KILLED)


@pytest.mark.trials(4)
@pytest.mark.fault("a step is killed while it delivers outputs")
@pytest.mark.parametrize("place", ["local"], indirect=True)
def test_a_killed_delivery(
    world: World, inject: Callable[..., Any], choose: random.Random, verdict: Verdict
) -> None:
    """Each output is in the user's folder once, whole, and nothing else is."""
    injection = inject(STEPS, "kill", choose.choice(DELIVERY))
    job_id = world.create("print('now')", tags=["output:reports/{name}"])
    row = world.settle(job_id)
    verdict.happened = injection.happened
    judge_run(verdict, world, job_id, row, told=KILLED)
    suffixes = sorted(path.suffix for path in (world.root / "reports").rglob("*") if path.is_file())
    if ".part" in suffixes:
        verdict.blame("left over", f"{suffixes} in the user's folder")
    elif row and row.status == COMPLETED and suffixes != [".html", ".ipynb", ".log"]:
        column = "doubled" if len(suffixes) > len(FORMATS) else "lost"
        verdict.blame(column, f"{suffixes} in the user's folder")

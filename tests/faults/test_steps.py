"""A step is killed at any point: before and after each statement of the database, and before each change of a file."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.injection import STEPS
from tests.faults.verdicts import Verdict, judge_run
from tests.faults.world import World
from tests.support.jobs import REAL_ARGO

PLACES = ["local", "argo", "argo-pod-per-step", *REAL_ARGO]
POINTS = {"local": 55, "argo": 50, "argo-pod-per-step": 60, "real-argo": 50}
"""About how many points a run has. A larger number than there are is a run that nothing happens to."""

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

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from argo_jupyter_scheduler.steps import local_queue
from tests.faults.jupyterlab import JupyterLab
from tests.faults.table import SEED
from tests.faults.verdicts import Verdict
from tests.faults.world import World
from tests.stand_ins.argo import ArgoStandIn
from tests.support.jobs import real_argo

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "0"))
SAMPLED = 3
"""Trials of each test without `FAULT_ROUNDS`: all of them take ten minutes."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat each test as often as its mark `trials` says, once without, times `FAULT_ROUNDS`."""
    mark = metafunc.definition.get_closest_marker("trials")
    count = mark.args[0] if mark else 1
    metafunc.parametrize("seed", [f"{SEED}-{number}" for number in range(count * max(ROUNDS, 1))])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave `SAMPLED` trials of each test of faults, which the seed chooses, unless `FAULT_ROUNDS` asks for all."""
    if ROUNDS:
        return
    trials: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.path.parent == Path(__file__).parent and not item.get_closest_marker("argo"):
            trials.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out = {
        item
        for name, found in trials.items()
        for item in set(found) - set(random.Random(f"{SEED} {name}").sample(found, min(SAMPLED, len(found))))
    }
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def choose(request: pytest.FixtureRequest, seed: str) -> random.Random:
    """Chooses the moment of a trial; the same one for the same test, place and seed."""
    return random.Random(request.node.nodeid.rpartition("/")[2])


@pytest.fixture
def world(
    tmp_path: Path,
    db_url: str,
    place: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    jp_environ: None,
) -> Iterator[World]:
    traits = request.getfixturevalue("argo_config") if place.startswith("argo") else {}
    if place == "real-argo":
        traits = real_argo()
    if place == "argo-pod-per-step":
        traits = {**traits, "pod_per_step": True}
    world = World(tmp_path, db_url, traits)
    yield world
    world.close()
    world.database.dispose()


@pytest.fixture
def inject(
    world: World, place: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[..., Any]:
    """Break a process of the steps, from now on."""

    def inject(target: str, kind: str = "kill", at: int = 0) -> Any:
        injection = world.injection(target, kind, at)
        if place == "local":
            for name, value in injection.environment().items():
                monkeypatch.setenv(name, value)
        else:
            literal = {  # a trait's braces are placeholders
                name: value.replace("{", "{{").replace("}", "}}")
                for name, value in injection.environment().items()
            }
            world.traits = {**world.traits, "environment": {**world.traits["environment"], **literal}}
        injection.arm()
        return injection

    return inject


@pytest.fixture
def stand_in(place: str, request: pytest.FixtureRequest) -> ArgoStandIn | None:
    return request.getfixturevalue("argo") if place.startswith("argo") else None


@pytest.fixture
def lab(world: World) -> Iterator[JupyterLab]:
    lab = JupyterLab(world)
    yield lab
    lab.kill()
    (world.folder / "gate").touch()
    for job in world.database.list_live_jobs():
        local_queue.kill_run(job.job_id)


@pytest.fixture
def verdict(request: pytest.FixtureRequest, seed: str) -> Iterator[Verdict]:
    """What is found out in a trial; a trial with anything wrong fails."""
    mark = request.node.get_closest_marker("fault")
    verdict = Verdict(mark.args[0])
    yield verdict
    request.node.user_properties.append(
        ("verdict", json.dumps([verdict.fault, verdict.happened, sorted(verdict.wrong)]))
    )
    assert not verdict.wrong, verdict.wrong

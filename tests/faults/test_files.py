"""Somebody deletes or damages what a run needs."""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.faults.verdicts import Verdict, judge_run
from tests.faults.world import World
from tests.support.eventually import eventually
from tests.support.jobs import REAL_ARGO
from tests.support.processes import marked

on_each_engine = pytest.mark.parametrize("place", ["local", "argo", *REAL_ARGO], indirect=True)


def delete_folder(world: World, job_id: str) -> None:
    shutil.rmtree(world.run_folder(job_id).path, ignore_errors=True)


def delete_private_files(world: World, job_id: str) -> None:
    shutil.rmtree(world.run_folder(job_id).private, ignore_errors=True)


def empty_private_files(world: World, job_id: str) -> None:
    for path in world.run_folder(job_id).private.glob("*.json"):
        path.write_text("{")


def delete_input(world: World, job_id: str) -> None:
    (world.run_folder(job_id).path / "n.ipynb").unlink(missing_ok=True)


def cut_input(world: World, job_id: str) -> None:
    path = world.run_folder(job_id).path / "n.ipynb"
    if path.exists():
        path.write_text(path.read_text()[:100])


TOLD: dict[Callable[[World, str], None], str] = {
    delete_folder: "folder in the staging area was deleted",
    delete_private_files: "folder in the staging area was deleted",
    empty_private_files: "",
    delete_input: "n.ipynb",
    cut_input: "n.ipynb.*not a notebook|cannot be",
}


@pytest.mark.fault("a run's folder or files are deleted or damaged")
@pytest.mark.parametrize("spoil", TOLD)
@on_each_engine
def test_spoilt(
    world: World, verdict: Verdict, choose: random.Random, spoil: Callable[[World, str], None]
) -> None:
    job_id = world.create("import time; time.sleep(0.5)")
    time.sleep(choose.uniform(0, 2.5))
    spoil(world, job_id)
    row = world.settle(job_id)
    judge_run(verdict, world, job_id, row, told=TOLD[spoil])


@pytest.mark.fault("a job's row is deleted behind its back")
@on_each_engine
def test_deleted_row(world: World, verdict: Verdict, choose: random.Random) -> None:
    job_id = world.create("import time; time.sleep(0.3)", "import time; time.sleep(0.3)")
    time.sleep(choose.uniform(0, 2.5))
    path = str(world.database.engine.url.database)
    with closing(sqlite3.connect(path, timeout=30)) as database:
        database.execute("DELETE FROM jobs")
        database.commit()
    eventually(lambda: not marked(job_id))
    world.reconcile()
    assert world.row(job_id) is None
    assert world.words(job_id).count("begun") <= 1

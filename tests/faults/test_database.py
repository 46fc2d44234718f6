"""The database is locked, deleted or damaged while notebooks run, and put right."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from jupyter_scheduler.orm import create_tables

from tests.faults.verdicts import Verdict, judge_run
from tests.faults.world import World
from tests.support.eventually import eventually
from tests.support.processes import marked

on_each_engine = pytest.mark.parametrize("place", ["local", "argo"], indirect=True)


def path_of(world: World) -> Path:
    return Path(str(world.database.engine.url.database))


@pytest.mark.fault("the database is locked for 10 or 40 s")
@pytest.mark.parametrize("seconds", [10, 40])
@on_each_engine
def test_locked(world: World, verdict: Verdict, choose: random.Random, seconds: int) -> None:
    job_id = world.create("import time; time.sleep(0.5)")
    time.sleep(choose.uniform(0, 2.5))
    with closing(sqlite3.connect(path_of(world), timeout=60)) as other:
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(seconds)
        other.rollback()
    judge_run(verdict, world, job_id, world.settle(job_id))


def remove(path: Path) -> None:
    path.unlink()


def damage(path: Path) -> None:
    path.write_bytes(b"nothing that SQLite knows" * 100)


def overwrite(path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096))


@pytest.mark.fault("the database is deleted or damaged, and put back")
@pytest.mark.parametrize("spoil", [remove, damage, overwrite])
@pytest.mark.parametrize("place", ["local"], indirect=True)
def test_put_back(
    world: World, verdict: Verdict, choose: random.Random, spoil: Callable[[Path], None]
) -> None:
    job_id = world.create("import time; time.sleep(0.5)")
    time.sleep(choose.uniform(0, 2.5))
    path = path_of(world)
    kept = world.folder / "kept.sqlite"
    shutil.copy(path, kept)
    spoil(path)
    time.sleep(choose.uniform(0.2, 3))
    os.replace(kept, path)
    world.database.dispose()
    world.restart()  # as its user does with a server that says the database is damaged
    row = world.settle(job_id)
    judge_run(verdict, world, job_id, row)


@pytest.mark.fault("the database is deleted for good")
@pytest.mark.parametrize("place", ["local"], indirect=True)
def test_deleted_for_good(
    world: World, verdict: Verdict, choose: random.Random, empty_database: Path
) -> None:
    job_id = world.create("import time; time.sleep(0.5)")
    eventually(lambda: world.has_begun(job_id))
    shutil.copy(empty_database, path_of(world))
    world.database.dispose()
    world.restart()
    eventually(lambda: not marked(job_id), state=lambda: world.run_folder(job_id).log.read_text())
    assert world.row(job_id) is None


@pytest.mark.fault("the database is of an older Jupyter-Scheduler")
@pytest.mark.parametrize("place", ["local"], indirect=True)
def test_older_tables(world: World, verdict: Verdict) -> None:
    with closing(sqlite3.connect(path_of(world))) as database:
        for table in ("jobs", "job_definitions"):
            for column in ("package_input_folder", "packaged_files"):
                database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        database.commit()
    create_tables(str(world.database.engine.url))  # as Jupyter-Scheduler does when it starts
    job_id = world.create("print('now')")
    judge_run(verdict, world, job_id, world.settle(job_id))

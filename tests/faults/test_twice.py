"""The same thing is begun twice: a step, a server, a scheduled moment."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from argo_jupyter_scheduler.domain import messages, plan
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.jobs.local_schedules import LocalSchedules
from tests.faults.verdicts import Verdict, judge_run
from tests.faults.world import World
from tests.support.eventually import eventually
from tests.support.jobs import start_all
from tests.support.runs import Run


@pytest.mark.fault("the same step is started twice at once")
@pytest.mark.parametrize("local", [True, False], ids=["here", "as a pod"])
@pytest.mark.parametrize("place", ["local"], indirect=True)
def test_step(world: World, verdict: Verdict, choose: random.Random, local: bool) -> None:
    source = (world.root / world.write("import time; time.sleep(0.5)")).read_text()
    pid = 0 if local else None
    engine = RunSettings(engine="local" if local else "argo")
    run = Run(world.database, world.staging, source, engine, pid=pid, output_formats=("ipynb", "html", "log"))
    first = run.start(plan.STEPS, local=local)
    time.sleep(choose.uniform(0, 2))
    second = run.start(plan.STEPS, local=local)
    with first, second:
        codes = first.wait(60), second.wait(60)
    if any(codes):
        verdict.blame("misreported", f"exit codes {codes}: {run.log}")
    judge_run(verdict, world, run.id, run.row)


@pytest.mark.fault("a pod or workflow is lost")
@pytest.mark.parametrize("place", ["local"], indirect=True)
def test_pod_that_is_made_again(world: World, verdict: Verdict) -> None:
    """Argo makes a lost pod again if it has not seen it running yet."""
    source = (world.root / world.write("import time; time.sleep(5)")).read_text()
    run = Run(world.database, world.staging, source, RunSettings(engine="argo"), pid=None)
    with run.start(plan.STEPS, local=False) as lost:
        eventually(lambda: world.has_begun(run.id))
        lost.kill()
    with run.start(plan.STEPS, local=False) as again:
        again.wait(60)
    judge_run(verdict, world, run.id, run.row, told=messages.runs.POD_LOST)


@pytest.mark.fault("two servers share one database")
@pytest.mark.parametrize("place", ["local"], indirect=True)
def test_servers(world: World, verdict: Verdict, choose: random.Random) -> None:
    """Both create jobs, watch them, and start what is due."""
    other = World(world.folder, str(world.database.engine.url), {"staging_path": str(world.staging)})
    definition = world.define("print('now')", schedule="* * * * *")
    moment = [int(time.time() * 1000)]
    servers = [
        LocalSchedules(w.scheduler.jobs, w.scheduler.reconciler, lambda: moment[0]) for w in (world, other)
    ]
    moment[0] += 60_000
    with ThreadPoolExecutor() as pool:
        list(pool.map(start_all, servers))
        jobs = list(pool.map(lambda w: w.create("print('now')"), [world, other]))
        for _ in range(choose.randrange(1, 4)):
            list(pool.map(lambda w: w.reconcile(), [world, other]))
        runs = [row.job_id for row in world.runs_of(definition)]
        if len(runs) != 1:
            verdict.blame("doubled" if runs else "lost", f"runs {runs}")
        rows = list(pool.map(lambda job_id: other.settle(job_id), [*jobs, *runs]))
    for job_id, row in zip([*jobs, *runs], rows, strict=True):
        judge_run(verdict, world, job_id, row)
    other.close()
    other.database.dispose()

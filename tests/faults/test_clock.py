"""The clock steps back an hour, and passes both clock changes of a year, while schedules are followed."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from argo_jupyter_scheduler.jobs.local_schedules import LocalSchedules
from tests.faults.verdicts import Verdict
from tests.faults.world import World
from tests.support.jobs import start_all

local = pytest.mark.parametrize("place", ["local"], indirect=True)
ZONE = ZoneInfo("Europe/Berlin")


def follow(world: World, schedule: str, moments: list[datetime]) -> list[int]:
    """Let a server look at its clock at these moments; return for how many minutes past midnight runs were started."""
    now = [int(moments[0].timestamp() * 1000)]
    definition_id = world.define("print('now')", schedule=schedule, timezone=str(ZONE))
    world.database.update_definition(definition_id, update_time=now[0])
    schedules = LocalSchedules(world.scheduler.jobs, world.scheduler.reconciler, lambda: now[0])
    for moment in moments:
        now[0] = int(moment.timestamp() * 1000)
        start_all(schedules)
    found = world.runs_of(definition_id)
    for row in found:
        world.settle(row.job_id)
    return sorted(row.scheduled_moment for row in found)


@pytest.mark.fault("the clock steps back an hour")
@local
def test_step_back(world: World, verdict: Verdict) -> None:
    """A moment that comes again has its run already; those after it are not missed."""
    begun = datetime(2026, 6, 1, 11, 58, tzinfo=ZONE)
    minutes = [begun + timedelta(minutes=number) for number in range(8)]  # 11:58 to 12:05
    again = [moment - timedelta(hours=1) for moment in minutes[-2:]]  # 11:04, 11:05
    later = [begun + timedelta(minutes=number) for number in range(-48, 70, 5)]  # 11:10 to 13:05
    runs = follow(world, "0 * * * *", [*minutes, *again, *later])
    expected = [datetime(2026, 6, 1, hour, tzinfo=ZONE).timestamp() for hour in (12, 13)]
    if len(runs) > len(set(runs)):
        verdict.blame("doubled", str(runs))
    if runs != expected:
        verdict.blame("lost", f"{runs} instead of {expected}")


@pytest.mark.fault("a clock change of the time zone")
@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (datetime(2026, 3, 29, tzinfo=ZONE), [0, 1, 3, 4]),  # 2:00 does not exist
        (datetime(2026, 10, 25, tzinfo=ZONE), [0, 1, 2, 2, 3, 4]),  # 2:00 exists twice
    ],
    ids=["spring", "autumn"],
)
@local
def test_clock_change(world: World, verdict: Verdict, day: datetime, hours: list[int]) -> None:
    begun = day.timestamp() - 300
    moments = [datetime.fromtimestamp(begun + 300 * number, ZONE) for number in range(12 * len(hours) + 1)]
    runs = follow(world, "0 * * * *", moments)
    found = [datetime.fromtimestamp(moment, ZONE).hour for moment in runs]
    if found != hours:
        verdict.blame("lost" if len(found) < len(hours) else "doubled", f"{found} instead of {hours}")

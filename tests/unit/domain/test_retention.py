"""Which finished jobs are deleted, whatever the rule is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_jupyter_scheduler.domain.option_values import parse_keep
from argo_jupyter_scheduler.domain.retention import Keep, StoredJob, find_deletable
from argo_jupyter_scheduler.domain.status import COMPLETED, FAILED, LIVE, STOPPED

NOW = 1_000_000_000


def job(
    job_id: str, status: str = COMPLETED, hours_ago: float = 0, definition_id: str | None = "d"
) -> StoredJob:
    return StoredJob(
        job_id=job_id,
        job_definition_id=definition_id,
        status=status,
        start_time=0,
        end_time=NOW - int(hours_ago * 3_600_000),
        tags=None,
        runtime_environment_parameters=None,
    )


def by(keep: Keep) -> Callable[[StoredJob, int], bool]:
    return lambda job, rank: keep.excludes(job, rank, NOW)


RUNS = [
    job("a", hours_ago=50),
    job("b", COMPLETED, hours_ago=40),
    job("c", FAILED, hours_ago=30),
    job("d", STOPPED, hours_ago=20),
    job("e", FAILED, hours_ago=10),
    job("f", "IN_PROGRESS", hours_ago=60),
]


@pytest.mark.parametrize(
    ("keep", "deleted"),
    [
        (Keep(), ""),
        (Keep(runs=5), ""),
        (Keep(runs=2), "ac"),  # b is the last that completed
        (Keep(runs=1), "acd"),
        (Keep(seconds=25 * 3600), "ac"),
        (Keep(seconds=45 * 3600), "a"),
        (Keep(seconds=20 * 3600), "ac"),  # d ended just so long ago
        (Keep(seconds=3600), "acde"),
    ],
)
def test_what_a_rule_deletes_the_oldest_first(keep: Keep, deleted: str) -> None:
    for order in (RUNS, RUNS[::-1]):
        assert "".join(found.job_id for found in find_deletable(order, by(keep))) == deleted


def test_a_number_counts_the_runs_of_each_definition_and_no_jobs_of_their_own() -> None:
    jobs = [job(f"{id_}{number}", FAILED, number, id_) for id_ in "xy" for number in (1, 2)]
    own = [job(f"own{number}", COMPLETED, number, None) for number in (1, 2)]
    assert [found.job_id for found in find_deletable([*jobs, *own], by(Keep(runs=1)))] == ["x2", "y2"]
    assert [found.job_id for found in find_deletable(own, by(Keep(seconds=4000)))] == ["own2"]


JOBS = st.lists(
    st.builds(
        job,
        job_id=st.uuids().map(str),
        status=st.sampled_from([*LIVE, COMPLETED, FAILED, STOPPED]),
        hours_ago=st.floats(0, 1000),
        definition_id=st.sampled_from(["x", "y", None]),
    ),
    max_size=20,
)
KEEPS = st.builds(Keep, st.integers(0, 5), st.just(0)) | st.builds(
    Keep, st.just(0), st.integers(0, 4_000_000)
)


@given(JOBS, KEEPS)
def test_no_live_job_and_no_last_completed_run_is_deleted(jobs: list[StoredJob], keep: Keep) -> None:
    for is_wanted in (by(keep), lambda job, rank: True):
        deleted = {found.job_id for found in find_deletable(jobs, is_wanted)}
        assert not deleted & {one.job_id for one in jobs if one.status in LIVE}
        for definition_id in "xy":
            completed = [
                one for one in jobs if (one.job_definition_id, one.status) == (definition_id, COMPLETED)
            ]
            if completed:
                newest = max(one.end_time for one in completed)
                assert {one.job_id for one in completed if one.end_time == newest} - deleted


@given(JOBS, st.integers(1, 5))
def test_a_number_of_runs_is_kept(jobs: list[StoredJob], count: int) -> None:
    deleted = find_deletable(jobs, by(Keep(runs=count)))
    for definition_id in "xy":
        finished = [one for one in jobs if one.job_definition_id == definition_id and one.status not in LIVE]
        gone = [one for one in deleted if one.job_definition_id == definition_id]
        assert min(len(finished), count) <= len(finished) - len(gone) <= count + 1
        times = sorted((one.end_time for one in finished), reverse=True)
        assert all(one.end_time <= times[count - 1] for one in gone)


@given(JOBS, st.integers(1, 4_000_000))
def test_a_time_keeps_what_ended_within_it(jobs: list[StoredJob], seconds: int) -> None:
    deleted = {one.job_id for one in find_deletable(jobs, by(Keep(seconds=seconds)))}
    assert not deleted & {one.job_id for one in jobs if one.end_time >= NOW - seconds * 1000}
    old_failures = {
        one.job_id for one in jobs if one.status == FAILED and one.end_time < NOW - seconds * 1000
    }
    assert old_failures <= deleted


@pytest.mark.parametrize("text", ["20", "1d", "30d", "5400s", "3601s"])
def test_a_rule_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_keep(text)) == text


def test_a_rule_that_keeps_all_is_empty() -> None:
    assert str(Keep()) == ""

"""Every change of a job's status, from every status."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from jupyter_scheduler.models import Status
from jupyter_scheduler.orm import Job, create_session

from argo_jupyter_scheduler.domain.identity import run_token
from argo_jupyter_scheduler.domain.status import LIVE
from argo_jupyter_scheduler.storage.database import Database
from tests.support.rows import job_row


@pytest.fixture
def insert(db_url: str) -> Iterator[Callable[..., str]]:
    session = create_session(db_url)

    def insert(job_id: str = "a", **values: object) -> str:
        common = {"runtime_environment_name": "e", "input_filename": "n.ipynb", "name": "n"}
        with session() as open_session:
            open_session.add(Job(job_id=job_id, **{**common, "status": "QUEUED", **values}))
            open_session.commit()
        return job_id

    yield insert
    session.kw["bind"].dispose()


TRANSITIONS: dict[str, tuple[Callable[[Database], bool], tuple[str, ...]]] = {
    "IN_PROGRESS": (lambda d: d.mark_started("a"), ("CREATED", "QUEUED", "IN_PROGRESS")),
    "COMPLETED": (lambda d: d.mark_completed("a"), LIVE),
    "FAILED": (lambda d: d.mark_failed("a", "why"), LIVE),
    "STOPPED": (lambda d: d.mark_stopped("a"), LIVE),
}


@pytest.mark.parametrize("before", [status.value for status in Status])
@pytest.mark.parametrize("after", list(TRANSITIONS))
def test_a_transition_changes_what_it_may_and_no_end_status(
    database: Database, insert: Callable[..., str], before: str, after: str
) -> None:
    insert(status=before)
    transition, allowed = TRANSITIONS[after]
    assert transition(database) == (before in allowed)
    row = database.get_job("a")
    assert row
    assert row.status == (after if before in allowed else before)


def test_a_retried_pod_keeps_the_first_start(database: Database, insert: Callable[..., str]) -> None:
    insert(start_time=5)
    database.mark_started("a")
    assert job_row(database, "a").start_time == 5


def test_a_run_is_replaced_by_one_of_a_later_moment_only(
    database: Database, insert: Callable[..., str]
) -> None:
    """Not by itself, as another server sees it that comes to the same moment, and not by an earlier one."""
    for job_id, moment in (("a", 100), ("b", 200), ("c", 1000)):
        insert(job_id, job_definition_id="d", idempotency_token=run_token("d", moment))
    insert("by hand", job_definition_id="d")
    insert("named otherwise", job_definition_id="d", idempotency_token=run_token("d", "x"))
    insert("another's", job_definition_id="e", idempotency_token=run_token("e", 100))
    insert("ended", job_definition_id="d", idempotency_token=run_token("d", 50), status="COMPLETED")
    found = [job.job_id for job in database.list_earlier_runs("d", 200)]
    assert sorted(found) == ["a", "named otherwise"]


def test_old_information_changes_nothing(database: Database, insert: Callable[..., str]) -> None:
    insert(status="IN_PROGRESS")
    assert not database.mark_failed("a", "gone", only_if=["QUEUED"])
    assert database.explain_waiting("a", "Unschedulable") is False


def test_a_message_fits_its_column(database: Database, insert: Callable[..., str]) -> None:
    insert()
    database.mark_failed("a", "x" * 5000)
    assert len(job_row(database, "a").status_message or "") == 1024


def test_a_message_has_only_what_all_databases_take(database: Database, insert: Callable[..., str]) -> None:
    insert()
    database.mark_failed("a", "NUL \0, and half of \ud83d")
    assert job_row(database, "a").status_message == "NUL , and half of ?"


def test_places_go_to_the_oldest_and_only_as_many_as_there_are(
    database: Database, insert: Callable[..., str]
) -> None:
    insert("first", pid=0, create_time=1)
    insert("second", pid=0, create_time=2)
    insert("third", pid=0, create_time=2)
    insert("argo", create_time=0)
    assert not database.claim_job("second", 11, max_concurrent_runs=1)
    assert database.claim_job("first", 11, max_concurrent_runs=1)
    assert not database.claim_job("first", 12, max_concurrent_runs=9)
    assert not database.claim_job("second", 12, max_concurrent_runs=1)
    assert database.claim_job("second", 12, max_concurrent_runs=2)
    database.mark_completed("first")
    assert database.claim_job("third", 13, max_concurrent_runs=2)
    assert not database.claim_job("argo", 14, max_concurrent_runs=9)

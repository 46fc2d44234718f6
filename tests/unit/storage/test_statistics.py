"""What the rows of many jobs say together."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import JobRow
from argo_jupyter_scheduler.storage.statistics import count_failures, find_last_result


def insert(database: Database, job_id: str, status: str, end_time: int, definition: str = "d") -> None:
    row = JobRow(job_id=job_id, status=status, job_definition_id=definition, end_time=end_time)
    database.insert_job(row)


def test_the_last_result_of_a_definition(database: Database) -> None:
    assert find_last_result(database, "d") == ""
    insert(database, "a", "FAILED", 1)
    insert(database, "b", "COMPLETED", 3)
    insert(database, "c", "FAILED", 2)
    insert(database, "e", "STOPPED", 4)
    insert(database, "f", "FAILED", 5, definition="other")
    assert find_last_result(database, "d") == "COMPLETED"


def test_a_run_waits_for_a_database_that_is_away(db_url: str) -> None:
    """Else it would have no message about the third failure."""
    file = Path(db_url.removeprefix("sqlite:///"))
    patient = Database(db_url, keep_connections=False, patience_seconds=60)
    insert(patient, "a", "FAILED", 1)
    away = file.with_suffix(".away")
    file.rename(away)
    threading.Timer(0.5, os.replace, (away, file)).start()
    assert count_failures(patient, "d") == (1, 0)
    patient.dispose()

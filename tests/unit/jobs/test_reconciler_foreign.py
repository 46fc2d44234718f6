"""Jobs of another backend on the same database."""

from __future__ import annotations

from pathlib import Path

import pytest

from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.messages import OTHER_BACKEND
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import JobRow
from tests.support.rows import job_row
from tests.support.services import Services, SmallEngine


class LocalLike(SmallEngine):
    """Owns what has a process, as the engine of this machine."""

    name = "local"

    def owns(self, job: JobRow) -> bool:
        return job.pid is not None


@pytest.mark.parametrize("status", ["QUEUED", "IN_PROGRESS"])
def test_a_job_that_another_backend_left_is_failed_after_a_while(
    database: Database, tmp_path: Path, status: str
) -> None:
    services = Services(database, tmp_path, engine=LocalLike())
    row = {"runtime_environment_name": "e", "input_filename": "n.ipynb", "status": status}
    for job_id, age in (("old", 120_000), ("young", 1_000)):
        moment = now_ms() - age
        database.insert_job(JobRow(job_id=job_id, create_time=moment, update_time=moment, **row))  # type: ignore[arg-type]
    services.reconciler.reconcile()
    old = job_row(database, "old")
    assert (old.status, old.status_message) == ("FAILED", OTHER_BACKEND)
    assert job_row(database, "young").status == status

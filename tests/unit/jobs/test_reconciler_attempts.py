"""Runs whose last attempt could not write their end."""

from __future__ import annotations

from pathlib import Path

from argo_jupyter_scheduler.engines.argo.observations import observe_job
from argo_jupyter_scheduler.engines.base import Snapshot
from argo_jupyter_scheduler.jobs.requests import JobRequest
from argo_jupyter_scheduler.storage.database import Database
from tests.support.jobs import notebook
from tests.support.services import Services


def test_the_attempts_of_a_run_whose_pods_were_killed_are_counted(database: Database, tmp_path: Path) -> None:
    services = Services(database, tmp_path)
    services.write("n.ipynb", notebook("1"))
    request = JobRequest(input_uri="n.ipynb", input_filename="n.ipynb", runtime_environment_name="venv")
    job = services.jobs.get_job(services.jobs.create_job(request))
    names = ("main", "main(0)", "main(1)")
    nodes = {name: {"displayName": name, "type": "Pod", "message": "OOMKilled"} for name in names}
    workflow = {"status": {"phase": "Failed", "message": "No more retries left", "nodes": nodes}}
    observation = observe_job(job, workflow, {})
    assert observation is not None
    services.engine.snapshot = Snapshot({job.job_id: observation})
    services.reconciler.reconcile()
    row = services.jobs.get_job(job.job_id)
    assert (row.status, row.status_message) == ("FAILED", "OOMKilled (after 2 attempts)")

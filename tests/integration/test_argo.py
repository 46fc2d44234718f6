"""What only the engine of Argo does: manifests, errors of the server, runs that are ended from outside."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_scheduler.models import CreateJob
from tornado.httpclient import HTTPClientError
from traitlets.config import Config

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.argo_failures import read_failures
from argo_jupyter_scheduler.jupyter.environment_manager import ArgoEnvironmentManager
from argo_jupyter_scheduler.jupyter.models import read_job
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.database import Database
from tests.stand_ins.argo import ArgoStandIn
from tests.support.eventually import eventually_async
from tests.support.jobs import Jobs, notebook, outputs, refusal
from tests.support.rows import job_row

DATA = Path(__file__).parents[1] / "data"
SLEEPS = notebook("import time; print('begun', flush=True); time.sleep(60)")


def test_reason_of_failures_as_argo_passes_them() -> None:
    recorded = json.loads((DATA / "argo" / "oom-failures.json").read_text())
    assert read_failures(recorded) == "OOMKilled (exit code 137)"
    success = [{"displayName": "success", "message": "main: Error (exit code 1)"}]
    assert read_failures(json.dumps(success)) == messages.runs.POD_LOST
    assert (
        read_failures(json.dumps([*json.loads(json.loads(recorded)), *success]))
        == "OOMKilled (exit code 137)"
    )
    assert read_failures("") == read_failures("{{workflow.failures}}") == read_failures('"[]"') == ""


async def test_a_workflow_runs_the_steps_and_the_exit_handler_is_skipped(
    jobs: Jobs, argo: ArgoStandIn
) -> None:
    job_id = await jobs.create("w.ipynb", notebook("1"))
    await jobs.wait(job_id)
    workflow = argo.wait(f"job-{job_id}")
    assert workflow["status"]["phase"] == "Succeeded"
    nodes = {name: node["phase"] for name, node in workflow["status"]["nodes"].items()}
    assert nodes == {"main": "Succeeded", "failure": "Skipped"}


async def test_a_failed_run_is_failed_for_argo_too(jobs: Jobs, argo: ArgoStandIn) -> None:
    job_id = await jobs.create("w.ipynb", notebook("1 / 0"))
    job = await jobs.wait(job_id)
    assert argo.wait(f"job-{job_id}")["status"]["phase"] == "Failed"
    assert (await jobs.get(job_id))["status_message"] == job["status_message"]


async def test_the_exit_handler_tells_what_killed_main(jobs: Jobs, argo: ArgoStandIn, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    source = notebook("print('so far')", f"open({str(flag)!r}, 'w'); import time; time.sleep(60)")
    job_id = await jobs.create("o.ipynb", source, output_formats=["ipynb", "log"])
    await eventually_async(flag.exists)
    argo.kill_pod(f"job-{job_id}")
    job = await jobs.wait(job_id)
    assert (job["status"], job["status_message"]) == ("FAILED", "OOMKilled (exit code 137)")
    files = await jobs.download(job_id)
    assert outputs(files["ipynb"]) == "so far\n"
    assert "so far" in files["log"].read_text()


async def test_a_run_that_could_not_write_its_end_is_judged_by_its_files(
    jobs: Jobs, argo: ArgoStandIn, database: Database
) -> None:
    job_id = await jobs.create("j.ipynb", notebook("1"))
    await jobs.wait(job_id)
    argo.wait(f"job-{job_id}")
    database.update_job(job_id, status="IN_PROGRESS")
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"


async def test_argos_success_alone_is_no_proof(jobs: Jobs, argo: ArgoStandIn) -> None:
    job_id = await jobs.create("l.ipynb", SLEEPS)
    await jobs.wait(job_id, until="IN_PROGRESS")
    argo.delete_pod(f"job-{job_id}")
    job = await jobs.wait(job_id)
    assert (job["status"], job["status_message"]) == ("FAILED", "pod deleted")


async def test_a_workflow_that_is_deleted_behind_our_back(
    jobs: Jobs, argo: ArgoStandIn, database: Database
) -> None:
    job_id = await jobs.create("g.ipynb", SLEEPS)
    await jobs.wait(job_id, until="IN_PROGRESS")
    argo._end(f"job-{job_id}")
    del argo.runs[f"job-{job_id}"]
    database.update_job(job_id, create_time=int(time.time() * 1000) - 120_000)
    job = await jobs.wait(job_id)
    assert job["status"] == "FAILED"
    assert "was deleted from Argo" in job["status_message"]


async def test_what_keeps_a_run_waiting_is_told(jobs: Jobs, argo: ArgoStandIn, database: Database) -> None:
    argo.pending = "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu."
    job_id = await jobs.create("q.ipynb", notebook("1"))
    assert (await jobs.get(job_id))["status"] == "QUEUED"
    before = (await jobs.get(job_id))["create_time"]
    database.update_job(job_id, create_time=int(time.time() * 1000) - 120_000)

    async def is_told() -> bool:
        job = await jobs.get(job_id)
        return (job["status"], job.get("status_message")) == ("QUEUED", argo.pending)

    await eventually_async(is_told)
    ended = {
        "displayName": "ended",
        "type": "Pod",
        "phase": "Failed",
        "message": "Step exceeded its deadline",
    }
    argo.runs[f"job-{job_id}"].workflow["status"]["nodes"]["ended"] = ended
    argo.pending = "Unschedulable: 0/1 nodes are available: 2 Insufficient cpu."
    await eventually_async(is_told)
    del argo.runs[f"job-{job_id}"].workflow["status"]["nodes"]["ended"]
    database.update_job(job_id, create_time=before)
    argo.pending = ""
    job = await jobs.wait(job_id)
    assert (job["status"], job["status_message"]) == ("COMPLETED", None)


async def test_nothing_that_a_user_typed_is_in_the_manifest(jobs: Jobs, argo: ArgoStandIn) -> None:
    fields = {"name": "zebra-1", "parameters": {"zebra_2": "zebra-3 {{workflow.name}}"}, "tags": ["zebra-4"]}
    job_id = await jobs.create("zebra {{x}}.ipynb", notebook("print(zebra_2)"), **fields)
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"
    assert "zebra" not in json.dumps(argo.runs[f"job-{job_id}"].workflow["spec"])
    assert outputs((await jobs.download(job_id))["ipynb"]) == "zebra-3 {{workflow.name}}\n"


def recorded_error(status: int) -> tuple[int, dict[str, Any]]:
    errors = json.loads((DATA / "argo" / "errors.json").read_text())
    return status, next(one["response"] for one in errors if one["status"] == status)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (*recorded_error(401), "Argo refused the token (401)"),
        (*recorded_error(403), "Argo does not allow this (403): "),
        (*recorded_error(400), "Argo refused this (400): "),
        (500, {"code": 2, "message": "boom"}, "has a problem (500): boom"),
        (503, "<html>busy</html>", "has a problem (503): Service Unavailable"),
        (200, "not json", "is not Argo's API"),
        (200, "[]", "is not Argo's API"),
        (200, {}, "is not Argo's API"),
        (302, "", "redirects this (302) to"),
    ],
)
async def test_an_answer_of_argo_that_is_an_error_is_told_in_the_dialog(
    jobs: Jobs, argo: ArgoStandIn, staging_path: Path, status: int, body: Any, words: str
) -> None:
    await jobs.environment()
    argo.fail_next(status, body, times=9, path="/workflows/dev")
    await refused(jobs, staging_path, words)


async def test_argo_that_hangs_is_given_up_and_jupyterlab_answers_meanwhile(
    jobs: Jobs, argo: ArgoStandIn, staging_path: Path
) -> None:
    await jobs.environment()
    argo.hang_seconds = 30
    begun = time.monotonic()
    creating = asyncio.create_task(refused(jobs, staging_path, "did not answer within"))
    await asyncio.sleep(0.5)
    await jobs.request("GET", "jobs")
    assert not creating.done()
    await creating
    assert time.monotonic() - begun < 25


@pytest.mark.parametrize("scheduler_config", [{"argo_server": "placeholder"}], indirect=True)
async def test_argo_that_refuses_connections(jobs: Jobs, staging_path: Path) -> None:
    await refused(jobs, staging_path, "cannot be reached")


@pytest.fixture
def scheduler_config(request: pytest.FixtureRequest, argo_config: dict[str, Any]) -> dict[str, Any]:
    """Argo, in one pod a run; or nobody at a port that was free a moment ago."""
    if hasattr(request, "param"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return {**argo_config, "argo_server": f"http://127.0.0.1:{free.getsockname()[1]}"}
    return argo_config


async def test_a_stop_that_argo_did_not_hear_ends_the_run_at_the_next_cell(
    jobs: Jobs, argo: ArgoStandIn, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(.05)"
    job_id = await jobs.create(
        "s.ipynb", notebook(wait, f"pathlib.Path({str(tmp_path / 'reached')!r}).touch()")
    )
    await jobs.wait(job_id, until="IN_PROGRESS")
    argo.fail_next(503, "busy", times=9, path="/stop")
    with pytest.raises(HTTPClientError, match="500"):
        await jobs.request("PATCH", "jobs", job_id, body={"status": "STOPPED"})
    gate.touch()
    assert argo.wait(f"job-{job_id}")["status"]["phase"] == "Failed"
    assert (await jobs.get(job_id))["status"] == "STOPPED"
    assert not (tmp_path / "reached").exists()


async def test_a_stop_that_argo_did_not_hear_is_told_again_also_in_the_midst_of_a_cell(
    jobs: Jobs, argo: ArgoStandIn, database: Database, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    code = f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(600)"
    job_id = await jobs.create("s.ipynb", notebook(code))
    await eventually_async(begun.exists)
    argo.fail_next(503, "busy", times=3, path="/stop")
    with pytest.raises(HTTPClientError, match="500"):
        await jobs.request("PATCH", "jobs", job_id, body={"status": "STOPPED"})
    database.update_job(job_id, end_time=int(time.time() * 1000) - 60_000)
    ended = await asyncio.to_thread(argo.wait, f"job-{job_id}")
    assert ended["status"]["message"] == "Stopped with strategy 'Stop'"
    assert (await jobs.get(job_id))["status"] == "STOPPED"


async def test_jobs_of_this_machine_from_before_argo_was_configured_end_too(
    jobs: Jobs, db_url: str, database: Database, staging_path: Path
) -> None:
    jobs.write("s.ipynb", SLEEPS)
    jobs.write("n.ipynb", notebook("print(1)"))
    traits = {"engine": "local", "staging_path": str(staging_path), "max_concurrent_runs": 1}
    before = ArgoScheduler(
        str(jobs.root), ArgoEnvironmentManager(), db_url, config=Config(ArgoScheduler=traits)
    )
    environment = await jobs.environment()

    def create(path: str) -> str:
        model = CreateJob(input_uri=path, name=path, runtime_environment_name=environment)
        return before.jobs.create_job(read_job(model))

    killed, stopped, waiting = create("s.ipynb"), create("s.ipynb"), create("n.ipynb")
    await jobs.wait(killed, until="IN_PROGRESS")
    psutil.Process(job_row(database, killed).pid).kill()
    assert (await jobs.wait(killed))["status_message"] == messages.runs.PROCESS_GONE
    await jobs.wait(stopped, until="IN_PROGRESS")
    process = psutil.Process(job_row(database, stopped).pid)
    await jobs.request("PATCH", "jobs", stopped, body={"status": "STOPPED"})
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert (await jobs.wait(waiting))["status"] == "COMPLETED"


async def refused(jobs: Jobs, staging_path: Path, words: str) -> None:
    with pytest.raises(HTTPClientError) as error:
        await jobs.create("good.ipynb", notebook("1"))
    assert words in refusal(error)
    assert list(staging_path.glob("[!.]*")) == []
    assert (await jobs.request("GET", "jobs"))["jobs"] == []

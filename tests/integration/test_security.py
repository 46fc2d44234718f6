"""Who gets in, and which files leave: each route demands a login, and downloads are a job's own files."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_scheduler.extension import JOB_DEFINITION_ID_REGEX, JOB_ID_REGEX, SchedulerApp
from tornado.httpclient import HTTPClientError
from tornado.web import RequestHandler

from argo_jupyter_scheduler.storage.folders import SETTINGS, RunFolder
from tests.stand_ins.argo import ArgoStandIn
from tests.support.jobs import Jobs, notebook, outputs

local = pytest.mark.parametrize("place", ["local"], indirect=True)
ID = "00000000-0000-4000-8000-000000000000"


def list_requests() -> Iterator[tuple[str, str]]:
    """Return method and path of everything that Jupyter-Scheduler's handlers answer, whichever version is installed."""
    for route, handler, *_ in SchedulerApp.handlers:
        path = route.replace(JOB_ID_REGEX, ID).replace(JOB_DEFINITION_ID_REGEX, ID)
        assert "(" not in path
        for method in RequestHandler.SUPPORTED_METHODS:
            if getattr(handler, method.lower()) is not getattr(RequestHandler, method.lower()):
                yield method, path


@local
async def test_each_route_demands_a_login(jobs: Jobs, jp_fetch: Callable[..., Any]) -> None:
    job_id = await jobs.create("n.ipynb", notebook("1"))
    before = await jobs.wait(job_id)
    requests = [(m, p.replace(ID, job_id)) for m, p in list_requests() if m != "OPTIONS"]  # CORS' preflight
    assert {"GET", "POST", "PATCH", "DELETE"} <= {method for method, _ in requests}
    assert len(requests) > 12
    forgery = {"Cookie": "_xsrf=x", "X-XSRFToken": "x"}  # passes the check that comes before the login's
    answers = {}
    for method, path in requests:
        body = "{}" if method in ("POST", "PATCH", "PUT") else None
        for token in ("", "token wrong"):
            with pytest.raises(HTTPClientError) as error:
                await jp_fetch(
                    *path.split("/"),
                    method=method,
                    body=body,
                    headers={"Authorization": token, **forgery},
                    follow_redirects=False,
                )
            assert error.value.response
            assert b"_xsrf" not in error.value.response.body
            answers[method, path, token] = error.value.code
    assert {request: code for request, code in answers.items() if code not in (401, 403)} == {}
    assert await jobs.get(job_id) == before


@local
async def test_a_download_is_the_jobs_own_files_and_has_the_users_mode(
    jobs: Jobs, staging_path: Path
) -> None:
    one, other = [
        await jobs.create(f"{name}.ipynb", notebook(f"open('{name}.txt', 'w').write('{name}')"))
        for name in ("one", "other")
    ]
    for job_id in (one, other):
        assert (await jobs.wait(job_id))["status"] == "COMPLETED"
    for path in (staging_path / one).iterdir():
        if path.is_file():
            path.chmod(0o600)  # a private file's mode must not come along
    assert (staging_path / one / "one.txt").exists()
    files = await jobs.download(one)
    folder = files["ipynb"].parent
    names = {path.name for path in folder.iterdir()}
    assert "one.txt" in names
    assert not [name for name in names if name.startswith((".", "other"))]
    assert not [path for path in jobs.root.rglob("*") if path.name in ("other.txt", SETTINGS)]
    (jobs.root / "new").write_text("")
    usual = stat.S_IMODE((jobs.root / "new").stat().st_mode)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {usual}


@local
@pytest.mark.parametrize("job_id", ["..", "%2e%2e", "..%2F..%2Fetc", ID])
async def test_a_download_of_no_job_brings_nothing(jobs: Jobs, job_id: str) -> None:
    before = sorted(jobs.root.rglob("*"))
    with pytest.raises(HTTPClientError) as error:
        await jobs.request("GET", "jobs", job_id, "download_files")
    assert error.value.code in (404, 500)
    assert sorted(jobs.root.rglob("*")) == before


@pytest.fixture
def argo() -> Iterator[ArgoStandIn]:
    """Argo with a token that is nowhere else by chance."""
    with ArgoStandIn(token="argo-secret-7f3a") as argo:
        yield argo


@pytest.mark.parametrize("place", ["argo"], indirect=True)
async def test_argos_token_is_in_the_servers_environment_only(
    jobs: Jobs, argo: ArgoStandIn, staging_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gate = tmp_path / "gate"
    code = f"""import os, pathlib, time
while not pathlib.Path({str(gate)!r}).exists(): time.sleep(.05)
print(dict(os.environ))"""
    job_id = await jobs.create("n.ipynb", notebook(code), output_formats=["ipynb", "html", "log"])
    await jobs.wait(job_id, until="IN_PROGRESS")
    lines = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    gate.touch()
    assert any(job_id in (line or []) for line in lines)
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"
    files = await jobs.download(job_id)
    assert set(files) == {"ipynb", "html", "log", "input"}
    assert "PATH" in outputs(files["ipynb"])
    run = argo.runs[f"job-{job_id}"]
    seen = [json.dumps([run.workflow, run.logs, lines]), caplog.text]
    paths = [path for folder in (staging_path, jobs.root) for path in folder.rglob("*") if path.is_file()]
    assert RunFolder(staging_path, job_id).private / SETTINGS in paths
    seen += [path.read_text(encoding="utf-8", errors="replace") for path in paths]
    seen.append((tmp_path / "scheduler.sqlite").read_text(encoding="utf-8", errors="replace"))
    assert not [text for text in seen if argo.token in text]

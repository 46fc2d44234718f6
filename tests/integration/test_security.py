"""Who gets in, and which files leave: each route demands a login, and downloads are a job's own files."""

from __future__ import annotations

import contextlib
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_scheduler.extension import SchedulerApp
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.storage.folders import SETTINGS, RunFolder
from tests.stand_ins.argo import ArgoStandIn
from tests.support.hostile import is_one_line
from tests.support.jobs import Jobs, notebook, outputs
from tests.support.machine import Machine
from tests.support.routes import ID, OWN_ROUTES, list_requests

local = pytest.mark.parametrize("place", ["local"], indirect=True)


@local
async def test_each_route_demands_a_login(jobs: Jobs, jp_fetch: Callable[..., Any]) -> None:
    job_id = await jobs.create("n.ipynb", notebook("1"))
    before = await jobs.wait(job_id)
    requests = [
        (m, p.replace(ID, job_id))
        for m, p in list_requests([*SchedulerApp.handlers, *OWN_ROUTES])
        if m != "OPTIONS"
    ]  # CORS' preflight
    assert {"GET", "POST", "PATCH", "DELETE"} <= {method for method, _ in requests}
    assert len(requests) > 20
    assert ("GET", "argo-scheduler/metrics") in requests
    forgery = {"Cookie": "_xsrf=x", "X-XSRFToken": "x"}  # passes the check that comes before the login's
    answers = {}
    links = {
        f"argo-scheduler/jobs/{job_id}/result": 302
    }  # a person who follows a link gets the page to log in
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
    assert {
        request: code for request, code in answers.items() if code not in (401, 403, links.get(request[1]))
    } == {}
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
async def test_a_download_follows_no_link_of_a_notebook(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("somebody else's")
    code = f"import os; os.remove('n.ipynb'); os.symlink({str(tmp_path / 'secret')!r}, 'n.ipynb')"
    job_id = await jobs.create("n.ipynb", notebook(code))
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"
    assert set(await jobs.download(job_id)) == {"ipynb", "html"}
    texts = [path.read_text() for path in jobs.root.rglob("*") if path.is_file()]
    assert "somebody else's" not in texts


@local
@pytest.mark.parametrize("job_id", ["..", "%2e%2e", "..%2F..%2Fetc", ID])
async def test_a_download_of_no_job_brings_nothing(jobs: Jobs, job_id: str) -> None:
    before = sorted(jobs.root.rglob("*"))
    with pytest.raises(HTTPClientError) as error:
        await jobs.request("GET", "jobs", job_id, "download_files")
    assert error.value.code in (404, 500)
    assert sorted(jobs.root.rglob("*")) == before


SHELL = "$(touch pwned-1) `touch pwned-2` ; touch pwned-3 ; ' ; touch pwned-4 ; \" ; touch pwned-5 ; "


@pytest.mark.parametrize("place", ["local", "argo"], indirect=True)
async def test_what_a_user_types_reaches_no_shell_template_or_line_of_a_log(
    jobs: Jobs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    steering = "\x1b[31m\x1b]0;title\x07\r\n2026-01-01 00:00:00,000 INFO COMPLETED after 0.1 s\u2028"
    typed = f"{SHELL} {{{{workflow.name}}}} {{0.__class__}} %(x)s %s"
    fields = {
        "name": f"{typed}{steering}",
        "tags": [typed, f"timeouts:1h{steering}", f"retry{steering}:3", "retry:3"],
        "parameters": {"a": f"{typed}{steering}"},
        "output_formats": ["ipynb", "html", "log"],
    }
    code = "print(repr(a)); print('\\x1b]0;title\\x07\\x1b[31mred\\x85\\u2028\\rend')"
    job_id = await jobs.create(
        f"n {SHELL}{{{{x}}}} %s\n.ipynb".replace("/", ""), notebook(code, parameters="a = ''"), **fields
    )
    row = await jobs.wait(job_id)
    assert (row["status"], row["name"]) == ("COMPLETED", fields["name"])
    files = await jobs.download(job_id)
    assert outputs(files["ipynb"]).startswith(f"{fields['parameters']['a']!r}\n")  # type: ignore[index]
    assert list(tmp_path.rglob("pwned*")) + list(Path.cwd().glob("pwned*")) == []
    lines = files["log"].read_text(encoding="utf-8").split("\n")
    assert all(is_one_line(line.replace("\t", "")) for line in lines), lines
    assert not [line for line in lines if line.startswith("2026-01-01 00:00:00")]
    [near_miss] = [record.getMessage() for record in caplog.records if "Did you mean" in record.getMessage()]
    assert is_one_line(near_miss)


def test_no_secret_is_in_what_the_commands_print(
    machine: Machine, argo: ArgoStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {"slack": "xoxb-slack-secret-1", "conda": "conda-secret-2", "database": "database-secret-3"}
    monkeypatch.setenv("ARGO_TOKEN", argo.token)
    monkeypatch.setenv("CONDA_STORE_TOKEN", secrets["conda"])
    traits = {
        "argo_server": argo.url,
        "argo_timeout": 2,
        "image": "a",
        "slack_token": secrets["slack"],
        "slack_channel": "#team",
        "conda_store_url": "http://127.0.0.1:9",
        "use_conda_store_env": True,
    }
    for db_url in (f"postgresql://me:{secrets['database']}@127.0.0.1:9/x", ""):
        machine.configure(ArgoScheduler=traits, SchedulerApp={"db_url": db_url} if db_url else {})
        (machine.home / "n.ipynb").write_text(notebook("1"))
        monkeypatch.chdir(machine.home)
        machine.command("doctor")
        machine.command("doctor", "--json")
        for arguments in (["jobs"], ["definitions"], ["manifest", "n.ipynb"]):
            with contextlib.suppress(SystemExit):
                machine.command(*arguments)
    assert "conda-store" in machine.output
    assert "database" in machine.output
    assert not [secret for secret in (*secrets.values(), argo.token) if secret in machine.output]


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

"""Outputs in folders that users name, in an object store too, and linked inputs, in every place where runs happen."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from moto.server import ThreadedMotoServer

from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.steps.__main__ import run_steps
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.destinations import StoreFolder
from tests.support.delivery import CREATED, DATE, DEFINITION, Ended
from tests.support.eventually import eventually_async
from tests.support.jobs import Jobs, notebook, outputs
from tests.support.machine import Machine, of
from tests.support.runs import Run

CREDENTIAL = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"

local = pytest.mark.parametrize("place", ["local"], indirect=True)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


async def next_runs(
    jobs: Jobs, definition_id: str, next_minute: Callable[[], Awaitable[None]], count: int
) -> list[dict[str, Any]]:
    """Let a minute pass; return the definition's runs, newest first, once there are as many."""
    await next_minute()

    async def find() -> list[dict[str, Any]]:
        runs = await jobs.runs(definition_id)
        return runs if len(runs) == count else []

    return await eventually_async(find)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
async def test_a_schedule_delivers_what_the_linked_notebook_says(
    jobs: Jobs, next_minute: Callable[[], Awaitable[None]], jp_fetch: Callable[..., Any], database: Database
) -> None:
    path = jobs.write("project/n.ipynb", notebook("print('before')", parameters="region = 'North'"))
    git(jobs.root, "init", "-q")
    tags = ["output:reports/{name}/{region}/{date}", "input:linked"]
    definition_id = await jobs.define(path, tags=tags)
    jobs.write(path, notebook("print('now')", parameters="region = 'North'"))
    git(jobs.root, "add", "project")
    git(jobs.root, "commit", "-qm", "now")
    commit = git(jobs.root, "rev-parse", "HEAD")

    [run] = await next_runs(jobs, definition_id, next_minute, 1)
    job = await jobs.wait(run["job_id"])
    assert job["status"] == "COMPLETED", job
    assert job["tags"] == [*tags, f"commit:{commit}"]
    assert job["downloaded"]
    paths = {file["file_format"]: file["file_path"] for file in job["job_files"]}
    for suffix in ("ipynb", "html"):
        assert paths[suffix].startswith("reports/a definition/North/20")
        assert paths[suffix].endswith(f".{suffix}")
        assert (jobs.root / paths[suffix]).is_file()
    assert outputs(jobs.root / paths["ipynb"]) == "now\n"
    latest = jobs.root / "reports" / "a definition" / "North" / "latest"
    assert (latest / "n.html").read_bytes() == (jobs.root / paths["html"]).read_bytes()
    metadata = nbformat.read(latest / "n.ipynb", as_version=4).metadata["argo_jupyter_scheduler"]
    assert metadata == {"path": path, "commit": commit, "with_changes": False}
    answer = await jp_fetch("argo-scheduler", "jobs", run["job_id"])
    listed = {output["format"]: output["path"] for output in json.loads(answer.body)["outputs"]}
    assert listed == {name: paths[name] for name in ("ipynb", "html")}

    (jobs.root / path).unlink()
    [second, _] = await next_runs(jobs, definition_id, next_minute, 2)
    failed = await jobs.wait(second["job_id"])
    assert (
        failed["status"],
        "linked notebook 'project/n.ipynb' does not exist" in failed["status_message"],
    ) == (
        "FAILED",
        True,
    ), failed
    assert outputs(latest / "n.ipynb") == "now\n"


@pytest.mark.parametrize("place", ["local", "argo-pod-per-step"], indirect=True)
async def test_a_run_whose_outputs_cannot_be_delivered_fails(jobs: Jobs) -> None:
    blocked = jobs.root / "r"
    source = notebook(f"open({str(blocked)!r}, 'w').close()")  # after the job was accepted
    job_id = await jobs.create("n.ipynb", source, tags=["output:r/{name}"])
    job = await jobs.wait(job_id)
    assert job["status"] == "FAILED", job
    assert "The outputs could not be written to" in job["status_message"]
    assert "You can still download them in the panel." in job["status_message"]
    assert (await jobs.download(job_id))["html"].is_file()
    assert blocked.read_text() == ""


@local
async def test_the_server_says_what_can_be_asked_for(jp_fetch: Callable[..., Any]) -> None:
    options = json.loads((await jp_fetch("argo-scheduler", "options")).body)
    assert options["output_directory_template"] == ""
    assert options["output_placeholders"] == ["name", "date", "time", "job_id", "definition", "status"]
    assert "s3" in options["output_stores"]
    assert options["inputs"] == ["linked", "snapshot"]


@local
async def test_the_panel_links_what_the_notebook_made(jobs: Jobs, jp_fetch: Callable[..., Any]) -> None:
    cell = "import os; os.mkdir('data'); open('data/a.csv', 'w').close()"
    job_id = await jobs.create("n.ipynb", notebook(cell), tags=["output:r"])
    job = await jobs.wait(job_id)
    [folder] = [file["file_path"] for file in job["job_files"] if file["file_format"] == "files"]
    assert (jobs.root / folder / "data" / "a.csv").is_file()
    assert job["downloaded"]
    await jp_fetch("argo-scheduler", "jobs", job_id, "outputs", method="POST", body="{}")
    assert not (jobs.root / "jobs").exists()  # there is nothing to copy


def test_the_command_prints_where_outputs_are(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine.home / "n.ipynb").write_text(notebook("print(1)"))
    monkeypatch.chdir(machine.home)
    answer = json.loads(
        machine.command("run", "n.ipynb", "--json", "--format", "html", "--tag", "output:r/{status}")
    )
    [file] = answer["files"]
    assert Path(file["path"]).parent == machine.home / "r" / "completed"
    assert not (machine.home / "n").exists()
    assert machine.command("outputs", answer["job_id"]).splitlines() == [file["path"]]


def test_the_doctor_reports_places_that_runs_cannot_use(machine: Machine) -> None:
    machine.configure(
        ArgoScheduler={"output_directory_template": "r/{name}"}, ServerApp={"root_dir": str(machine.home)}
    )
    assert of(machine.doctor())["outputs"] == ["ok"]
    (machine.home / "r").write_text("")
    [finding] = machine.doctor()["outputs"]
    assert (
        finding["message"] == "Outputs cannot be written to 'r': 'r' is not a folder. Choose another folder."
    )
    machine.configure(ArgoScheduler={"output_directory_template": "r/{nam}"})
    [*_, finding] = machine.doctor()["configuration"]
    assert "output_directory_template: placeholder '{nam}' not found. Available: name" in finding["message"]


# Object stores


def test_the_doctor_asks_the_store(store: str, machine: Machine) -> None:
    machine.configure(ArgoScheduler={"output_directory_template": "s3://bucket/{name}"})
    assert of(machine.doctor())["outputs"] == ["ok"]
    assert stored("bucket") == {}
    machine.configure(ArgoScheduler={"output_directory_template": "s3://other/{name}"})
    [finding] = machine.doctor()["outputs"]
    assert finding["status"] == "problem"
    assert finding["message"].startswith("s3://other cannot be used from here: ")
    StoreFolder("s3://bucket", ["a"]).check(write=True)
    assert stored("bucket") == {}  # and nothing is left


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A real S3 server with a bucket, and its credentials in the environment."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIAL)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    try:
        import s3fs

        urllib.request.urlopen(
            urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
        ).close()
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def stored(folder: str) -> dict[str, str]:
    """Return the content of an object store's folder."""
    import s3fs

    files = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    return {name.removeprefix("bucket/"): files.cat(name).decode() for name in files.find(folder)}


def test_a_store_has_whole_files_and_overwrites_none(store: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("one")
    folder = StoreFolder("s3://bucket", ["a"])
    assert folder.create(source, "x/y.html")
    assert folder.locate("x/y.html") == "s3://bucket/a/x/y.html"
    source.write_text("two")
    assert not folder.create(source, "x/y.html")
    assert stored("bucket") == {"a/x/y.html": "one"}
    folder.replace(source, "x/y.html")
    assert folder.read_record() == {}
    folder.write_record({"files": {}})
    assert folder.read_record() == {"files": {}}
    folder.delete("x/y.html")
    folder.delete("x/y.html")
    assert not folder.exists("x/y.html")


def test_a_run_puts_its_outputs_into_a_store(store: str, database: Database, staging_path: Path) -> None:
    settings = RunSettings(output="s3://bucket/r/{name}/{date}", own_environment="e")
    run = Run(database, staging_path, notebook("print(1)"), settings, job_definition_id=DEFINITION)
    row = run.finish()
    assert (row.status, row.status_message) == ("COMPLETED", None)
    found = stored("bucket")
    assert {name for name in found if "latest" in name and not name.endswith(".json")} == {
        f"r/n/latest/n.{suffix}" for suffix in ("html", "ipynb", "log")
    }
    [html] = [name for name in found if name.startswith("r/n/2023-11-1") and name.endswith(".html")]
    assert found[html] == run.published(".html").read_text(encoding="utf-8") == found["r/n/latest/n.html"]
    assert run.folder.delivered()[run.published(".html").name] == f"s3://bucket/{html}"
    assert_no_secret(run)


def test_a_store_that_fails_is_tried_again_and_reported(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused.getsockname()[1]}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIAL)
    ended = Ended(database, tmp_path, "s3://bucket/r/{date}", job_definition_id=DEFINITION)
    assert run_steps(["rename-files", "success", "failure"], ended.context) == 1
    row = ended.run.row
    assert row.status == "FAILED"
    assert str(row.status_message).startswith(f"The outputs could not be written to s3://bucket/r/{DATE}: ")
    assert ended.run.published(".html").is_file()
    assert caplog.text.count("Retrying the object store") == 2
    assert_no_secret(ended.run)


def test_a_bucket_that_does_not_exist_is_reported(store: str, database: Database, tmp_path: Path) -> None:
    ended = Ended(database, tmp_path, "s3://other/r")
    with pytest.raises(RunError, match=r"written to s3://other/r: .* does not exist"):
        ended.deliver()


def test_latest_in_a_store_is_that_of_the_last_run(store: str, database: Database, tmp_path: Path) -> None:
    fields: dict[str, Any] = {"job_definition_id": DEFINITION}
    newer = Ended(database, tmp_path, "s3://bucket/r", create_time=CREATED + 60_000, **fields).deliver()
    Ended(database, tmp_path, "s3://bucket/r", **fields).deliver()
    found = stored("bucket")
    assert len(found) == 4  # two outputs, the last one again, and who wrote it
    assert found["r/latest/n.html"] == newer.run.id
    assert (
        json.loads(found["r/latest/.argo-jupyter-scheduler.json"])["files"]["n.html"]["job"] == newer.run.id
    )


def assert_no_secret(run: Run) -> None:
    """No file of the run and no row has the store's credentials."""
    for base, _, names in os.walk(run.folder.path):
        for name in names:
            assert CREDENTIAL.encode() not in Path(base, name).read_bytes(), name
    assert CREDENTIAL not in repr(run.row)

"""What the first version left in a cluster and on a disk: CronWorkflows, a database, a staging area."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.environments.locations import own_environment
from argo_jupyter_scheduler.storage.database import Database
from tests.support.jobs import Jobs, Story, notebook, outputs
from tests.support.rows import job_row

OLDER = Path(__file__).parents[1] / "data" / "older"
JOB_ID = "040704e4-9630-4524-9cc5-1a9270852d73"
DEFINITION_ID = "8bdef603-6bd8-476c-8c5f-a334b5d799fc"

RUN_NOW = ["run-now.yaml", "run-now-pod-per-step.yaml"]
SCHEDULED = ["schedule.yaml", "schedule-argo-3.4.yaml", "schedule-pod-per-step.yaml"]


def with_own_environment(text: str) -> str:
    """Return a text of the first version, made where this package's environment was called ``.venv``."""
    return text.replace(".venv", own_environment().name)


@pytest.fixture
def db_url(tmp_path: Path) -> str:
    path = tmp_path / "scheduler.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(with_own_environment((OLDER / "scheduler.sql").read_text()))
    return f"sqlite:///{path}"


@pytest.fixture
def staging_path(tmp_path: Path) -> Path:
    path = shutil.copytree(OLDER / "staging", tmp_path / "staging {{area}} 100%")
    for settings in path.glob("*/*/run.json"):
        settings.write_text(with_own_environment(settings.read_text()))
    return path


@pytest.fixture
def database(db_url: str) -> Iterator[Database]:
    database = Database(db_url)
    yield database
    database.dispose()


def commands(manifest: str, kind: str, values: Mapping[str, str], staging_path: Path) -> list[list[str]]:
    """Return the commands of a manifest's pods, in the order in which Argo runs those of a template of steps."""
    spec = yaml.safe_load((OLDER / manifest).read_text())["spec"]
    spec = spec.get("workflowSpec", spec)
    templates = {template["name"]: template for template in spec["templates"]}
    found = []
    for [step] in templates[spec[kind]]["steps"]:
        container = templates[step["template"]]["container"]
        [_, *command], arguments = container["command"], list(container["args"])
        for option, value in values.items():
            if option in arguments:
                arguments[arguments.index(option) + 1] = value
        place = arguments.index("--staging-path") + 1  # quoted as the first version did it
        arguments[place] = str(staging_path).replace("%", "%25").replace("{", "%7B")
        assert unexpanded(arguments) == []
        found.append([sys.executable, *command, *arguments])
    return found


def unexpanded(arguments: list[str]) -> list[str]:
    return [argument for argument in arguments if "{{" in argument or "jovyan" in argument]


def run_all(found: list[list[str]]) -> list[int]:
    return [subprocess.run(command, env=dict(os.environ), check=False).returncode for command in found]


@pytest.fixture
def queued(database: Database, db_url: str, staging_path: Path) -> str:
    """A job that the first version submitted to Argo, and that has not begun."""
    job_id = str(uuid.uuid4())
    columns = "name, runtime_environment_name, input_filename, output_formats, create_time, update_time, compute_type"
    with closing(sqlite3.connect(db_url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute(
            f"INSERT INTO jobs (job_id, status, {columns}) SELECT ?, 'QUEUED', {columns} FROM jobs WHERE job_id = ?",
            (job_id, JOB_ID),
        )
    private = staging_path / job_id / ".argo-jupyter-scheduler"
    private.mkdir(parents=True)
    shutil.copy(OLDER / "staging" / JOB_ID / "hello.ipynb", staging_path / job_id)
    (private / "run.json").write_text(with_own_environment((OLDER / "run-argo.json").read_text()))
    return job_id


@pytest.mark.parametrize("manifest", RUN_NOW)
def test_pods_of_an_older_workflow_complete_their_run(
    manifest: str, database: Database, db_url: str, staging_path: Path, queued: str, jp_environ: None
) -> None:
    values = {"--db-url": quote(db_url, safe="/:"), "--job-id": queued}
    assert set(run_all(commands(manifest, "entrypoint", values, staging_path))) == {0}
    row = job_row(database, queued)
    assert (row.status, row.status_message) == ("COMPLETED", None)
    [executed] = (staging_path / queued).glob("hello-*.ipynb")
    assert outputs(executed) == "hello\n"
    assert list((staging_path / queued).glob("hello-*.log"))


OUT_OF_MEMORY = json.dumps(
    json.dumps([{"displayName": "main", "message": "OOMKilled (exit code 137)", "phase": "Failed"}])
)


@pytest.mark.parametrize("manifest", RUN_NOW)
def test_the_exit_handler_of_an_older_workflow_gives_the_run_its_end(
    manifest: str, database: Database, db_url: str, staging_path: Path, queued: str, jp_environ: None
) -> None:
    values = {"--db-url": db_url, "--job-id": queued, "--failures": OUT_OF_MEMORY}
    run_all(commands(manifest, "onExit", values, staging_path))
    row = job_row(database, queued)
    assert (row.status, row.status_message) == ("FAILED", "OOMKilled (exit code 137)")


@pytest.mark.parametrize("manifest", SCHEDULED)
def test_an_older_cron_workflow_starts_runs_that_complete(
    manifest: str, database: Database, db_url: str, staging_path: Path, jp_environ: None
) -> None:
    job_id = str(uuid.uuid4())
    workflow = f"job-def-{DEFINITION_ID}-1795694400"
    values = {
        "--db-url": db_url,
        "--job-id": job_id,
        "--definition-id": DEFINITION_ID,
        "--workflow": workflow,
        "--created": "2026-11-26T12:00:00Z",
    }
    assert set(run_all(commands(manifest, "entrypoint", values, staging_path))) == {0}
    row = job_row(database, job_id)
    assert (row.status, row.status_message) == ("COMPLETED", None)
    assert (row.job_definition_id, row.name, row.idempotency_token) == (DEFINITION_ID, "every day", workflow)
    [executed] = (staging_path / job_id).glob("hello-*.ipynb")
    assert outputs(executed) == "hello\n"


class TestAServerOnWhatTheFirstVersionLeft:
    """The user installs this version, and starts the server again."""

    @pytest.fixture(params=["local"])
    def place(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def scheduler_config(self) -> dict[str, Any]:
        small = {"mem_limit": "1G", "cpu_limit": 1, "node_selector": {"pool": "a"}}
        return {"compute_types": {"small": small}}

    async def test_the_job_is_listed_downloaded_and_deleted(self, jobs: Jobs, staging_path: Path) -> None:
        [listed] = (await jobs.request("GET", "jobs"))["jobs"]
        assert (listed["job_id"], listed["status"], listed["name"]) == (JOB_ID, "COMPLETED", "hello")
        assert (listed["tags"], listed["parameters"]) == (["timeout:1h"], {"a": "1"})
        files = await jobs.download(JOB_ID)
        assert sorted(files) == ["input", "ipynb", "log"]
        assert outputs(files["ipynb"]) == "hello\n"
        await jobs.request("DELETE", "jobs", JOB_ID)
        assert not (staging_path / JOB_ID).exists()

    async def test_outputs_with_their_old_suffixes_are_found_and_downloaded(
        self, jobs: Jobs, staging_path: Path, database: Database
    ) -> None:
        database.update_job(JOB_ID, output_formats=["ipynb", "script", "slides", "markdown"])
        [executed] = (staging_path / JOB_ID).glob("hello-*.ipynb")
        for suffix in ("script", "slides", "markdown"):
            executed.with_suffix(f".{suffix}").write_text(suffix)
        files = await jobs.download(JOB_ID)
        assert {name: path.suffix for name, path in files.items() if name != "input"} == {
            "ipynb": ".ipynb",
            "script": ".script",
            "slides": ".slides",
            "markdown": ".markdown",
        }
        assert files["slides"].read_text() == "slides"

    async def test_the_definition_lives_on(
        self, jobs: Jobs, next_minute: Callable[[], Any], staging_path: Path
    ) -> None:
        story = Story(jobs, next_minute, DEFINITION_ID)
        [listed] = (await jobs.request("GET", "job_definitions"))["job_definitions"]
        assert (listed["job_definition_id"], listed["schedule"]) == (DEFINITION_ID, "0 6 * * *")

        by_hand = await jobs.request("POST", "job_definitions", DEFINITION_ID, "jobs", body={})
        job = await jobs.wait(by_hand["job_id"])
        assert (job["status"], job["status_message"]) == ("COMPLETED", None)
        assert await story.printed(job) == "hello\n"

        await story.change(schedule="* * * * *", name="every minute")
        job = await story.next_run()
        assert (job["status"], job["name"], job["compute_type"]) == ("COMPLETED", "every minute", "small")

        jobs.write("new.ipynb", notebook("print('new')"))
        await story.change(input_uri="new.ipynb")
        assert await story.printed(await story.next_run()) == "new\n"

        await story.change(active=False)
        await story.no_run()
        await jobs.request("DELETE", "job_definitions", DEFINITION_ID)
        assert not (staging_path / DEFINITION_ID).exists()
        with pytest.raises(HTTPClientError):
            await jobs.request("GET", "job_definitions", DEFINITION_ID)

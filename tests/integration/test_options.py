"""What a job may ask for: a time limit, further attempts, an image."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from tests.stand_ins.argo import ArgoStandIn
from tests.support.eventually import eventually_async
from tests.support.jobs import Jobs, Story, notebook, on_each_engine, outputs, refusal

REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"runtime_environment_parameters": {"colour": 1}},
        "Option 'colour' not found. Available: timeout, retries, image, concurrency",
    ),
    ({"tags": ["timeout:soon"]}, "is not a duration"),
    ({"tags": ["retries:21"]}, "Option retries"),
    ({"tags": ["timeout:1h", "timeout:2h"]}, "given twice: tag 'timeout:1h' and tag 'timeout:2h'"),
]


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "local"))


@pytest.fixture
def scheduler_config(scheduler_config: dict[str, Any]) -> dict[str, Any]:
    return {**scheduler_config, "allowed_images": ["quay.io/*"]}


async def refused(jobs: Jobs, words: str, **fields: Any) -> None:
    with pytest.raises(HTTPClientError) as error:
        await jobs.create("r.ipynb", notebook("1"), **fields)
    assert words in refusal(error)


@on_each_engine
async def test_options_are_checked_at_submit(jobs: Jobs, staging_path: Path, place: str) -> None:
    for fields, words in REFUSED:
        await refused(jobs, words, **fields)
    if place == "local":
        await refused(jobs, "runs on this machine have none", tags=["image:quay.io/a:1"])
    else:
        await refused(
            jobs, "'docker.io/a:1' is not allowed here. Allowed: quay.io/*", tags=["image:docker.io/a:1"]
        )
    assert list(staging_path.iterdir()) == []
    definition_id = await jobs.define("n.ipynb", notebook("1"), tags=["timeout:1h"])
    for changes in ({"tags": ["timeout:soon"]}, {"runtime_environment_parameters": {"timeout": "2h"}}):
        with pytest.raises(HTTPClientError, match="400"):
            await jobs.request("PATCH", "job_definitions", definition_id, body=changes)
    definition = await jobs.request("GET", "job_definitions", definition_id)
    assert (definition["tags"], definition["runtime_environment_parameters"]) == (["timeout:1h"], None)


@on_each_engine
async def test_near_misses_are_in_the_logs_and_the_job_runs(
    jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING"):
        tags = ["retry:3", "memory:leak"]
        job_id = await jobs.create("n.ipynb", notebook("1"), tags=tags, output_formats=["log"])
    assert "Tag 'retry:3' is not an option. Did you mean 'retries:3'?" in caplog.text
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"
    log = (await jobs.download(job_id))["log"].read_text()
    assert "Tag 'retry:3' is not an option. Did you mean 'retries:3'?" in log
    assert "leak" not in log


@on_each_engine
async def test_a_run_that_takes_too_long_is_ended(jobs: Jobs) -> None:
    source = notebook("import time; time.sleep(600)")
    fields = {"tags": ["timeout:4s", "retries:3"], "output_formats": ["log"]}
    job_id = await jobs.create("t.ipynb", source, **fields)
    job = await jobs.wait(job_id)
    assert job["status"] == "FAILED"
    expected = ("option timeout", "deadline")  # of this machine, of Argo
    assert any(words in job["status_message"] for words in expected), job["status_message"]
    files = await jobs.download(job_id)
    assert files["log"].read_text().count("Attempt") == 1


COUNTS = """
import pathlib
file = pathlib.Path({!r})
attempt = int(file.read_text()) + 1 if file.exists() else 1
file.write_text(str(attempt))
print('this is', attempt, flush=True)
"""


async def reached(count: Path, attempt: int) -> None:
    """Wait until a notebook that counts its attempts is in this one."""
    await eventually_async(lambda: count.exists() and count.read_text() == str(attempt))


@pytest.mark.parametrize("place", ["local", "argo", "argo-pod-per-step"], indirect=True)
async def test_a_run_that_failed_is_tried_again_until_it_succeeds(jobs: Jobs, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"import time\nwhile attempt == 2 and not pathlib.Path({str(gate)!r}).exists(): time.sleep(.05)"
    source = notebook(COUNTS.format(str(tmp_path / "count")), wait, "assert attempt == 3, 'not yet'")
    fields = {"output_formats": ["ipynb", "log"], "runtime_environment_parameters": {"retries": 3}}
    job_id = await jobs.create("t.ipynb", source, **fields)
    await reached(tmp_path / "count", 2)
    assert (await jobs.get(job_id))["status"] == "IN_PROGRESS"
    gate.touch()
    job = await jobs.wait(job_id)
    assert (job["status"], job["status_message"]) == ("COMPLETED", None)
    files = await jobs.download(job_id)
    assert outputs(files["ipynb"]) == "this is 3\n"
    log = files["log"].read_text()
    for number in (1, 2, 3):
        assert f"Attempt {number} of 4" in log
        assert f"this is {number}" in log
    assert "Attempt 4" not in log


async def test_the_last_attempts_failure_is_the_runs(jobs: Jobs, tmp_path: Path) -> None:
    source = notebook(COUNTS.format(str(tmp_path / "count")), "raise ValueError(attempt)")
    job_id = await jobs.create("t.ipynb", source, tags=["retries:1"])
    job = await jobs.wait(job_id)
    assert (job["status"], job["status_message"]) == (
        "FAILED",
        "ValueError: 2 (cell 2, In [2]) (after 2 attempts)",
    )


async def test_a_kernel_that_dies_is_tried_again(jobs: Jobs, tmp_path: Path) -> None:
    source = notebook(COUNTS.format(str(tmp_path / "count")), "import os\nif attempt == 1: os._exit(3)")
    job_id = await jobs.create("t.ipynb", source, tags=["retries:1"])
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"


@on_each_engine
async def test_a_stop_ends_all_attempts(jobs: Jobs, tmp_path: Path) -> None:
    count = tmp_path / "count"
    source = notebook(COUNTS.format(str(count)), "import time; time.sleep(600)")
    job_id = await jobs.create("t.ipynb", source, tags=["retries:3"])
    await reached(count, 1)
    await jobs.request("PATCH", "jobs", job_id, body={"status": "STOPPED"})
    await asyncio.sleep(2)
    assert (await jobs.get(job_id))["status"] == "STOPPED"
    assert count.read_text() == "1"


@pytest.mark.parametrize("place", ["argo"], indirect=True)
class TestOnArgo:
    async def test_pods_that_are_killed_are_tried_again(
        self, jobs: Jobs, argo: ArgoStandIn, tmp_path: Path
    ) -> None:
        count = tmp_path / "count"
        source = notebook(COUNTS.format(str(count)), "import time; time.sleep(600 if attempt < 3 else 0)")
        job_id = await jobs.create("t.ipynb", source, tags=["retries:2"])
        for number, end in (
            (1, argo.kill_pod),
            (2, lambda name: argo.end_pod(name, "The node was low on memory")),
        ):
            await reached(count, number)
            end(f"job-{job_id}")
        job = await jobs.wait(job_id)
        assert (job["status"], job["status_message"]) == ("COMPLETED", None)
        nodes = argo.wait(f"job-{job_id}")["status"]["nodes"]
        assert {name: node["phase"] for name, node in nodes.items()} == {
            "main": "Succeeded",
            "main(0)": "Failed",
            "main(1)": "Failed",
            "main(2)": "Succeeded",
            "failure": "Skipped",
        }

    async def test_what_killed_the_last_attempt_is_told(
        self, jobs: Jobs, argo: ArgoStandIn, tmp_path: Path
    ) -> None:
        count = tmp_path / "count"
        source = notebook(
            COUNTS.format(str(count)), "import time; time.sleep(600 if attempt == 2 else 0); 1 / 0"
        )
        job_id = await jobs.create("t.ipynb", source, tags=["retries:1"])
        await reached(count, 2)
        argo.kill_pod(f"job-{job_id}")
        job = await jobs.wait(job_id)
        assert (job["status"], job["status_message"]) == (
            "FAILED",
            "OOMKilled (exit code 137) (after 2 attempts)",
        )

    async def test_options_are_in_the_manifest(self, jobs: Jobs, argo: ArgoStandIn) -> None:
        tags = ["timeout:2h", "retries:3", "image:quay.io/a/b:1"]
        job_id = await jobs.create("t.ipynb", notebook("1"), tags=tags)
        assert (await jobs.wait(job_id))["status"] == "COMPLETED"
        spec = argo.runs[f"job-{job_id}"].workflow["spec"]
        main = next(one for one in spec["templates"] if one["name"] == "main")
        assert spec["activeDeadlineSeconds"] == 7200
        assert main["retryStrategy"] == {"limit": "3", "retryPolicy": "Always"}
        assert main["container"]["image"] == "quay.io/a/b:1"
        helpers = [one for one in spec["templates"] if one.get("container") and one != main]
        assert [one["container"]["image"] for one in helpers] == ["stand-in"]


@pytest.mark.parametrize("place", ["argo"], indirect=True)
async def test_definitions_have_options_too_and_can_change_them(
    jobs: Jobs, next_minute: Callable[[], Awaitable[None]], tmp_path: Path
) -> None:
    source = notebook(COUNTS.format(str(tmp_path / "count")), "assert attempt % 2 == 0, 'odd'")
    story = Story(jobs, next_minute, await jobs.define("n.ipynb", source, tags=["retries:1", "weekly"]))
    assert (await story.next_run())["status"] == "COMPLETED"
    await story.change(tags=["weekly"])
    job = await story.next_run()
    assert (job["status"], job["tags"]) == ("FAILED", ["weekly"])

"""The message to Slack at every place where a run can happen, to a stand-in that is as strict as Slack."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from argo_jupyter_scheduler.database import Database
from argo_jupyter_scheduler.engines.local import KILLED

from .argo_stand_in import ArgoStandIn
from .conftest import Jobs, notebook, outputs
from .slack_stand_in import Message, SlackStandIn

SECRET = {"name": "slack", "key": "token"}
CHANNEL = {"SLACK_CHANNEL": "#reports"}


@pytest.fixture
def slack(place: str) -> Iterator[SlackStandIn]:
    with SlackStandIn(real_pods=place == "real-argo") as slack:
        yield slack


@pytest.fixture
def scheduler_config(
    scheduler_config: dict[str, Any], place: str, slack: SlackStandIn, request: pytest.FixtureRequest
) -> dict[str, Any]:
    """A server that has a token, each place in its own way; on a real Argo each run brings its own."""
    config = {**scheduler_config, "slack_base_url": slack.base_url}
    if place == "local":
        config["slack_token"] = slack.token
    elif place != "real-argo":
        config["slack_token_secret"] = SECRET
        request.getfixturevalue("argo").secrets["slack", "token"] = f"{slack.token}\n"
    return config


@pytest.fixture
def parameters(place: str, slack: SlackStandIn) -> dict[str, str]:
    """What a user types in."""
    return {**CHANNEL, "SLACK_TOKEN": slack.token} if place == "real-argo" else CHANNEL


def where(place: str, job: dict[str, Any]) -> str:
    return f"on {socket.gethostname()}" if place == "local" else f"on Argo, dev/job-{job['job_id']}"


def only(slack: SlackStandIn) -> Message:
    [message] = slack.messages
    assert message.channel == "reports"
    return message


async def test_after_a_success_the_html_is_sent(
    jobs: Jobs, slack: SlackStandIn, parameters: dict[str, str], place: str
) -> None:
    fields = {"name": "bike *rides*\n<!channel>", "parameters": parameters}
    job_id = await jobs.create("a & b.ipynb", notebook("print(6 * 7)"), **fields)
    job = await jobs.wait(job_id)
    assert (job["status"], job["status_message"]) == ("COMPLETED", None)
    message = only(slack)
    assert message.text.startswith(":white_check_mark: *bike *rides* &lt;!channel&gt;* has completed · a &amp; b.ipynb · ")
    assert message.text.endswith(f" s · {where(place, job)}")
    [file] = message.files
    published = (await jobs.download(job_id))["html"]
    assert (file.name, file.content) == (published.name, published.read_bytes())


async def test_after_a_failure_the_error_and_the_notebook_so_far_are_sent(
    jobs: Jobs, slack: SlackStandIn, parameters: dict[str, str], place: str, request: pytest.FixtureRequest
) -> None:
    source = notebook("print('so far')", "raise ValueError('<b> & ```')", "print('never')")
    job_id = await jobs.create("f.ipynb", source, parameters=parameters)
    job = await jobs.wait(job_id)
    assert job["status_message"] == "ValueError: <b> & ``` (cell 2, In [2])"
    message = only(slack)
    assert message.text.startswith(":x: *a job* has failed · f.ipynb · ")
    assert message.text.endswith(f" s · {where(place, job)}\n```ValueError: &lt;b&gt; &amp; ''' (cell 2, In [2])```")
    [file] = message.files
    assert file.name == (await jobs.download(job_id))["ipynb"].name
    assert printed(file.content) == "so far\n"
    await nothing_more(slack, job_id, place, request)


async def test_a_killed_run_is_told_too(
    jobs: Jobs, slack: SlackStandIn, parameters: dict[str, str], place: str, request: pytest.FixtureRequest
) -> None:
    source = notebook("print('so far')", "import os, signal; os.kill(os.getppid(), signal.SIGKILL)")
    job_id = await jobs.create("k.ipynb", source, parameters=parameters)
    job = await jobs.wait(job_id)
    reason = KILLED if place == "local" else "Error (exit code 137)"
    assert (job["status"], job["status_message"]) == ("FAILED", reason)
    message = only(slack)
    assert message.text.startswith(":x: *a job* has failed · k.ipynb · ")
    assert message.text.endswith(f" s · {where(place, job)}\n```{reason}```")
    [file] = message.files
    assert (file.name, printed(file.content)) == ((await jobs.download(job_id))["ipynb"].name, "so far\n")
    await nothing_more(slack, job_id, place, request)


async def nothing_more(slack: SlackStandIn, job_id: str, place: str, request: pytest.FixtureRequest) -> None:
    """Let the exit handler, or some cycles of the task runner, go by."""
    if place.startswith("argo"):
        await asyncio.to_thread(request.getfixturevalue("argo").wait, f"job-{job_id}")
    await asyncio.sleep(1)
    assert len(slack.messages) == 1


def printed(content: bytes | None) -> str:
    cells = nbformat.reads((content or b"").decode(), as_version=4).cells
    return "".join(o.get("text", "") for c in cells if c.cell_type == "code" for o in c.outputs)

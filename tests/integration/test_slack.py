"""The message to Slack at every place where a run can happen, to a stand-in that is as strict as Slack."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_scheduler.orm import Job

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder
from tests.stand_ins.slack import Message, SlackStandIn
from tests.support.eventually import eventually_async
from tests.support.jobs import Jobs, Story, notebook, outputs, reconcile_twice
from tests.support.rows import job_row

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
    assert message.text.startswith(
        ":white_check_mark: *bike \u2217rides\u2217 &lt;!channel&gt;* has completed · a &amp; b.ipynb · "
    )
    assert message.text.endswith(f" s · {where(place, job)}")
    [file] = message.files
    published = (await jobs.download(job_id))["html"]
    assert (file.name, file.content) == (published.name, published.read_bytes())


async def test_after_a_failure_the_error_and_the_notebook_so_far_are_sent(
    jobs: Jobs, slack: SlackStandIn, parameters: dict[str, str], place: str, request: pytest.FixtureRequest
) -> None:
    source = notebook("print('so far')", r"raise ValueError('\x1b[1;31m<b>\x1b[0m & ```')", "print('never')")
    job_id = await jobs.create("f.ipynb", source, parameters=parameters)
    job = await jobs.wait(job_id)
    assert job["status_message"] == "ValueError: <b> & ``` (cell 2, In [2])"
    message = only(slack)
    assert message.text.startswith(":x: *a job* has failed · f.ipynb · ")
    assert message.text.endswith(
        f" s · {where(place, job)}\n```ValueError: &lt;b&gt; &amp; ''' (cell 2, In [2])```"
    )
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
    reason = messages.runs.PROCESS_GONE if place == "local" else "Error (exit code 137)"
    assert (job["status"], job["status_message"]) == ("FAILED", reason)
    message = only(slack)
    assert message.text.startswith(":x: *a job* has failed · k.ipynb · ")
    assert message.text.endswith(f" s · {where(place, job)}\n```{reason}```")
    [file] = message.files
    assert (file.name, printed(file.content)) == ((await jobs.download(job_id))["ipynb"].name, "so far\n")
    await nothing_more(slack, job_id, place, request)


async def nothing_more(
    slack: SlackStandIn, job_id: str, place: str, request: pytest.FixtureRequest, messages: int = 1
) -> None:
    """Let the exit handler and the reconciler go by."""
    if place.startswith("argo"):
        await asyncio.to_thread(request.getfixturevalue("argo").wait, f"job-{job_id}")
    await reconcile_twice(request.getfixturevalue("scheduler"))
    assert len(slack.messages) == messages


def printed(content: bytes | None) -> str:
    cells = nbformat.reads((content or b"").decode(), as_version=4).cells
    return "".join(o.get("text", "") for c in cells if c.cell_type == "code" for o in c.outputs)


async def test_a_message_that_cannot_be_sent_is_told_in_the_log_and_after_the_reason(
    jobs: Jobs, slack: SlackStandIn, parameters: dict[str, str], place: str, request: pytest.FixtureRequest
) -> None:
    fields = {"parameters": {**parameters, "SLACK_CHANNEL": "random"}, "output_formats": ["log"]}
    job_id = await jobs.create("f.ipynb", notebook("1 / 0"), **fields)
    job = await jobs.wait(job_id)
    reason = "the app is not in the channel: invite it there, with /invite and its name (not_in_channel)."
    told = f"No message was sent to Slack: {reason}"
    assert job["status_message"] == f"ZeroDivisionError: division by zero (cell 1, In [1]) ({told})"
    log = (await jobs.download(job_id))["log"].read_text()
    assert [line[24:] for line in log.splitlines() if "Slack" in line] == [f"ING {told}"]
    asked = len(slack.requests)
    await nothing_more(slack, job_id, place, request, messages=0)
    assert len(slack.requests) == asked


class TestATokenThatNobodySees:
    @pytest.fixture
    def scheduler_config(
        self,
        scheduler_config: dict[str, Any],
        place: str,
        slack: SlackStandIn,
        monkeypatch: pytest.MonkeyPatch,
    ) -> dict[str, Any]:
        """All is configured by environment variables, of the server and of the pods; a Secret is not."""
        names = {"SLACK_CHANNEL": "general", "SLACK_NOTIFY": "success", "SLACK_TOKEN": slack.token}
        for name, value in names.items():
            monkeypatch.setenv(name, value)
        config = {name: value for name, value in scheduler_config.items() if name != "slack_token"}
        if place != "local":
            names.pop("SLACK_TOKEN")
            config["environment"] = {**config["environment"], **names}
        return config

    async def test_it_is_found_nowhere(
        self,
        jobs: Jobs,
        slack: SlackStandIn,
        place: str,
        request: pytest.FixtureRequest,
        staging_path: Path,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        code = "import json, os, psutil; print(json.dumps(dict(os.environ)))"
        processes = "[print(process.info) for process in psutil.process_iter(['cmdline'])];"
        fields = {"output_formats": ["html", "ipynb", "log"]}
        configured, typed = (None if place == "real-argo" else slack.tokens[0]), slack.tokens[1]
        parameters = {"SLACK_TOKEN": typed, "SLACK_CHANNEL": "C0000000004", "SLACK_NOTIFY": "always"}
        job_ids = [
            await jobs.create("a.ipynb", notebook(code, processes), **fields) if configured else "",
            await jobs.create("b.ipynb", notebook(code, processes), parameters=parameters, **fields),
        ]
        for job_id in filter(None, job_ids):
            job = await jobs.wait(job_id)
            assert (job["status"], job["status_message"]) == ("COMPLETED", None)
            files = await jobs.download(job_id)
            environment = json.loads(outputs(files["ipynb"]).splitlines()[0])
            assert [name for name in environment if name.startswith("SLACK_")] == []
            assert "argo_jupyter_scheduler.steps" in outputs(files["ipynb"])
        assert (
            sorted(message.channel for message in slack.messages) == ["general", "reports"][not configured :]
        )

        seen = [
            path.read_bytes() for path in [*staging_path.rglob("*"), *jobs.root.rglob("*")] if path.is_file()
        ]
        seen.append(caplog.text.encode())
        if place.startswith("argo"):
            argo = request.getfixturevalue("argo")
            for run in argo.runs.values():
                seen += [json.dumps(run.workflow).encode(), json.dumps(run.logs).encode()]
            assert b"secretKeyRef" in seen[-2]
            assert not [content for content in seen if b"SLACK_CHANNEL" in content]
        assert len(seen) > 12
        for token in slack.tokens:
            assert not [content for content in seen if token.encode() in content]
        rows = (tmp_path / "scheduler.sqlite").read_bytes()
        assert (slack.tokens[0].encode() in rows, typed.encode() in rows) == (False, True)


async def test_of_a_run_that_is_tried_again_only_the_end_is_told(
    jobs: Jobs, slack: SlackStandIn, parameters: dict[str, str], tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    source = notebook(
        f"import os; new = not os.path.exists({str(flag)!r}); open({str(flag)!r}, 'w'); 1 / (1 - new)"
    )
    job_id = await jobs.create("r.ipynb", source, parameters=parameters, tags=["retries:1"])
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"
    assert "has completed" in only(slack).text


@pytest.mark.parametrize("place", ["local"], indirect=True)
class TestOnThisMachine:
    @pytest.fixture
    def scheduler_config(self, scheduler_config: dict[str, Any]) -> dict[str, Any]:
        return {**scheduler_config, "max_concurrent_runs": 1, "slack_time_limit": 1.0}

    async def test_a_run_that_another_one_started_has_the_token_too_and_nothing_else(
        self, jobs: Jobs, slack: SlackStandIn
    ) -> None:
        prints = notebook("import os; print(os.environ.get('mine'), os.environ.get('others'))")
        job_ids = [
            await jobs.create("n.ipynb", prints, parameters={**CHANNEL, name: "1"})
            for name in ("others", "mine")
        ]
        for job_id, text in zip(job_ids, ("None 1\n", "1 None\n"), strict=True):
            assert (await jobs.wait(job_id))["status"] == "COMPLETED"
            assert outputs((await jobs.download(job_id))["ipynb"]) == text
        assert len(slack.messages) == 2

    async def test_a_slack_that_hangs_delays_a_run_by_no_more_than_its_time(
        self, jobs: Jobs, slack: SlackStandIn
    ) -> None:
        slack.hang = {"conversations.list"}
        job = await jobs.wait(await jobs.create("n.ipynb", notebook("1"), parameters=CHANNEL))
        assert (job["status"], job["status_message"]) == ("COMPLETED", None)
        slack.hang = {"chat.postMessage", "files.getUploadURLExternal"}
        job = await jobs.wait(await jobs.create("n.ipynb", notebook("1 / 0"), parameters=CHANNEL))
        assert job["status_message"].endswith(
            "(No message was sent to Slack: Slack did not answer within 1 s.)"
        )

    async def test_runs_that_were_killed_together_do_not_wait_for_each_others_messages(
        self, slack: SlackStandIn, scheduler: ArgoScheduler, database: Database
    ) -> None:
        slack.hang = {"conversations.list"}
        row = {
            "name": "n",
            "input_filename": "n.ipynb",
            "runtime_environment_name": "e",
            "parameters": CHANNEL,
        }
        for job_id in "abcdefghijkl":
            folder = RunFolder(scheduler.staging_path, job_id)
            folder.create()
            folder.write_settings(scheduler.jobs.staging.run_settings(None, None, None))
            with scheduler.db_session() as session:  # of a process that is no more
                session.add(Job(job_id=job_id, status="IN_PROGRESS", pid=2**22 + 1, **row))
                session.commit()
        begun = time.monotonic()
        await eventually_async(lambda: not database.list_live_jobs())
        assert time.monotonic() - begun < 9  # each takes 1 s
        ends = {job_row(database, job_id).status_message for job_id in "abcdefghijkl"}
        assert ends == {
            f"{messages.runs.PROCESS_GONE} (No message was sent to Slack: Slack did not answer within 1 s.)"
        }


async def test_scheduled_runs_are_told_for_as_long_as_their_definition_has_a_channel(
    jobs: Jobs,
    slack: SlackStandIn,
    parameters: dict[str, str],
    place: str,
    next_minute: Callable[[], Awaitable[None]],
    staging_path: Path,
) -> None:
    story = Story(jobs, next_minute, await jobs.define("n.ipynb", notebook("1")))
    await story.change(parameters=parameters)
    job = await story.next_run()
    message = only(slack)
    assert message.text.startswith(":white_check_mark: *a definition* has completed · n.ipynb · ")
    assert f"on Argo, dev/job-def-{story.id}-" in message.text or place == "local"
    assert (job["status"], message.files[0].name[-5:]) == ("COMPLETED", ".html")

    slack.messages.clear()
    staged = staging_path / story.id / "n.ipynb"
    staged.unlink()
    job = await story.next_run()
    await asyncio.sleep(0.5)  # the exit handler's turn
    assert job["status_message"] in only(slack).text

    slack.messages.clear()
    staged.write_text(notebook("1"))
    await story.change(parameters={})
    assert (await story.next_run())["status"] == "COMPLETED"
    assert slack.messages == []


@pytest.mark.parametrize("place", ["argo"], indirect=True)
class TestOnArgo:
    @pytest.fixture
    def scheduler_config(self, scheduler_config: dict[str, Any]) -> dict[str, Any]:
        """A token of the server's own, which reaches no pod, and one to which the pods' environment refers."""
        referred = {"SLACK_TOKEN": {"valueFrom": {"secretKeyRef": SECRET}}}
        environment = {**scheduler_config.pop("environment"), **referred}
        scheduler_config.pop("slack_token_secret")
        return {**scheduler_config, "environment": environment, "slack_token": "xoxb-of-the-server"}

    async def test_a_token_that_the_pods_environment_refers_to(self, jobs: Jobs, slack: SlackStandIn) -> None:
        job_id = await jobs.create("n.ipynb", notebook("1"), parameters=CHANNEL)
        assert (await jobs.wait(job_id))["status"] == "COMPLETED"
        assert only(slack).files

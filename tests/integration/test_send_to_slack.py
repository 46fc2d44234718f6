"""The step `send-to-slack` by itself: what Slack may answer, and that nothing is sent twice."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from jupyter_scheduler.orm import Job, create_session

from argo_jupyter_scheduler.domain.argo_failures import TIME_OVER
from argo_jupyter_scheduler.domain.run_settings import RunSettings, SlackSettings
from argo_jupyter_scheduler.steps import failure, send_to_slack
from argo_jupyter_scheduler.steps.__main__ import run_steps
from argo_jupyter_scheduler.steps.context import Context
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder
from tests.stand_ins.slack import SlackStandIn
from tests.support.eventually import eventually
from tests.support.jobs import notebook
from tests.support.rows import job_row

ERROR = "ValueError: no (cell 1, In [1])"
SUCCEEDED = {"succeeded": True, "error": None}
FAILED = {"succeeded": False, "error": ERROR}


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as slack:
        yield slack


Run = Callable[..., Context]


@pytest.fixture
def run(slack: SlackStandIn, database: Database, db_url: str, staging_path: Path) -> Iterator[Run]:
    """Make a run whose notebook was executed; `result` is what `main` said of it."""
    session = create_session(db_url)

    def make(
        result: dict[str, Any] = SUCCEEDED,
        parameters: dict[str, Any] | None = None,
        token: str = slack.token,
        **configured: Any,
    ) -> Context:
        settings = SlackSettings(
            **{"has_token": True, "base_url": slack.base_url, "time_limit": 20, **configured}
        )
        folder = RunFolder(staging_path, "a")
        folder.create()
        folder.write("run.json", {"slack": asdict(settings)})
        if result:
            folder.write("result.json", result)
        folder.output("html").write_text("<h1>html</h1>")
        folder.output("ipynb").write_text(notebook("1"))
        folder.log.touch()
        row: dict[str, Any] = {
            "name": "n",
            "input_filename": "n.ipynb",
            "runtime_environment_name": "e",
            "status": "IN_PROGRESS",
        }
        row |= {"output_formats": ["ipynb", "html", "log"], "start_time": 0}
        row["parameters"] = {"SLACK_CHANNEL": "reports"} if parameters is None else parameters
        with session() as open_session:
            open_session.add(Job(job_id="a", **row))
            open_session.commit()
        return Context("a", database, folder, slack_token=token)

    yield make
    session.kw["bind"].dispose()


def reason(context: Context) -> str:
    """Return why no message was sent, which is told in three places."""
    told = str(context.folder.read("slack.json").get("reason", ""))
    [published] = context.folder.path.glob("n-*.log") if told else [context.folder.log]
    assert (f"WARNING No message was sent to Slack: {told}" in published.read_text()) == bool(told)
    return told


@pytest.mark.parametrize(
    ("channel", "found"),
    [
        ("reports", "reports"),
        ("#reports", "reports"),
        ("Reports", "reports"),
        ("C0000000004", "reports"),
        ("#private-team", "private-team"),
        ("G0000000005", "private-team"),
        ("https://x.slack.com/archives/C0000000004", "reports"),
        ("https://app.slack.com/client/T0000000001/C0000000004/p1?x", "reports"),
    ],
)
def test_channels(run: Run, slack: SlackStandIn, channel: str, found: str) -> None:
    send_to_slack.run(run(parameters={"SLACK_CHANNEL": channel}))
    assert [message.channel for message in slack.messages] == [found]


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ("nope", "the channel does not exist, or it is private"),
        ("C0000000099", "(channel_not_found)"),
        ("others-private", "the channel does not exist, or it is private"),
        ("random", "invite it there, with /invite and its name (not_in_channel)."),
        ("old", "the channel does not exist"),
        ("C0000000003", "the channel is archived (is_archived)."),
    ],
)
def test_channels_that_cannot_be_told(run: Run, slack: SlackStandIn, channel: str, words: str) -> None:
    context = run(parameters={"SLACK_CHANNEL": channel})
    send_to_slack.run(context)
    assert words in reason(context)
    assert channel not in context.folder.log.read_text()
    assert slack.messages == []


@pytest.mark.parametrize("scope", ["files:write", "chat:write", "channels:read", "groups:read"])
def test_scopes(run: Run, slack: SlackStandIn, scope: str) -> None:
    context = run()
    slack.scopes.discard(scope)
    send_to_slack.run(context)
    if scope == "chat:write":  # it is for messages without a file
        assert slack.messages[0].files
    elif scope == "files:write":
        [message] = slack.messages
        assert message.text.endswith(
            ".html is not attached: the app lacks a scope: files:write (missing_scope)."
        )
    else:
        assert reason(context) == f"the app lacks a scope: {scope} (missing_scope)."


SHOWN = "files.completeUploadExternal"
MAYBE = " The message may have arrived anyway."
ANSWERS: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "500": ((SHOWN, 500, "<html>oops"), {}, f"Slack has a problem (500).{MAYBE}"),
    "200, no JSON": (("conversations.list", 200, "<html>"), {}, "the server is not Slack"),
    "200, half JSON": (("conversations.list", 200, "{"), {}, "the server is not Slack"),
    "503": (("conversations.list", 503), {}, "Slack has a problem (503)."),
    "unknown": ((SHOWN, 200, {"ok": False, "error": "fatal"}), {}, "Slack refused it (fatal)."),
    "ratelimited": (
        ("conversations.list", 429),
        {"Retry_After": "30"},
        "asks to wait 30 s, longer than the remaining time (ratelimited)",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_that_are_errors(run: Run, slack: SlackStandIn, name: str) -> None:
    answer, headers, words = ANSWERS[name]
    context = run(FAILED)
    slack.answer(*answer, **{"times": 9, **headers})
    begun = time.monotonic()
    send_to_slack.run(context)
    assert time.monotonic() - begun < 25
    assert words in reason(context)
    assert slack.messages == []
    failure.run(context)
    row = job_row(context.database, "a")
    assert (row.status, row.status_message) == (
        "FAILED",
        f"{ERROR} (No message was sent to Slack: {reason(context)})",
    )


@pytest.mark.parametrize("token", ["xoxb-wrong", "", "two words", "xoxb-1\nX-Header: 1"])
def test_tokens_that_are_none(run: Run, slack: SlackStandIn, token: str) -> None:
    context = run(token=token)
    send_to_slack.run(context)
    words = {"xoxb-wrong": "(invalid_auth)", "": "was not found"}.get(token, "contains characters")
    assert words in reason(context)
    assert token not in context.folder.log.read_text() or not token
    assert len(slack.requests) == (token == "xoxb-wrong")


def test_what_slack_asks_to_wait_for_is_waited_for(run: Run, slack: SlackStandIn) -> None:
    slack.answer("conversations.list", 429, {"ok": False, "error": "ratelimited"}, times=2, Retry_After="1")
    slack.answer(SHOWN, 429, Retry_After="0")
    begun = time.monotonic()
    send_to_slack.run(run())
    assert time.monotonic() - begun >= 2
    assert len(slack.messages) == 1


@pytest.mark.parametrize("drip", [False, True])
@pytest.mark.parametrize("method", ["conversations.list", "files.getUploadURLExternal", "upload", SHOWN])
def test_a_slack_that_hangs_is_given_up_in_time(
    run: Run, slack: SlackStandIn, method: str, drip: bool
) -> None:
    context = run(FAILED, time_limit=1.0)
    slack.hang, slack.drip = {method}, drip
    begun = time.monotonic()
    send_to_slack.run(context)
    assert time.monotonic() - begun < 8
    assert reason(context) == "Slack did not answer within 1 s." + (MAYBE if method == SHOWN else "")


def test_one_that_is_late_shows_nothing_any_more(run: Run, slack: SlackStandIn) -> None:
    context = run(time_limit=0.5)
    slack.slow["conversations.list"] = 1.0
    send_to_slack.run(context)
    assert "did not answer" in reason(context)
    time.sleep(1)
    assert slack.messages == []


def test_nobody_at_the_address(run: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/api/"
    context = run(base_url=address)
    send_to_slack.run(context)
    assert "Slack cannot be reached: " in reason(context)
    assert "Connection refused" in reason(context)


def test_a_connection_that_is_lost_while_it_is_shown_is_not_tried_again(
    run: Run, slack: SlackStandIn
) -> None:
    context = run()
    slack.answer(SHOWN, 500, done=True)
    send_to_slack.run(context)
    assert reason(context) == f"Slack has a problem (500).{MAYBE}"
    send_to_slack.run(context)
    assert len(slack.messages) == 1


def test_it_is_sent_once_whoever_tries(run: Run, slack: SlackStandIn) -> None:
    context = run()
    threads = [threading.Thread(target=send_to_slack.run, args=(context,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    send_to_slack.run(context)
    assert len(slack.messages) == 1
    assert reason(context) == ""


@pytest.mark.parametrize(("method", "messages"), [("upload", 1), (SHOWN, 0)])
def test_a_process_that_died_is_made_up_for_while_nobody_can_have_seen_anything(
    run: Run, slack: SlackStandIn, method: str, messages: int
) -> None:
    context = run()
    slack.hang = {method}
    command = [sys.executable, "-m", "argo_jupyter_scheduler.steps", "send-to-slack", "--job-id", "a"]
    command += ["--db-url", context.database.url, "--staging-path", str(context.folder.path.parent)]
    with subprocess.Popen(command, env={**os.environ, "SLACK_TOKEN": slack.token}) as process:
        eventually(lambda: method in slack.requests)
        process.kill()
    slack.hang = set()
    slack.requests.clear()
    send_to_slack.run(context)
    assert (len(slack.messages), len(slack.requests) > 0) == (messages, messages > 0)


def test_what_is_not_asked_for_is_not_sent(run: Run, slack: SlackStandIn) -> None:
    context = run(parameters={}, has_token=False, channel="general")
    send_to_slack.run(context)
    assert slack.requests == []


NOTIFY = [
    ("always", "cf"),
    ("success", "c"),
    ("failure", "f"),
    ("Failure ", "f"),
    ("change", "f"),  # of a job without a definition
]


@pytest.mark.parametrize(("notify", "after"), NOTIFY)
@pytest.mark.parametrize("result", [SUCCEEDED, FAILED], ids=["c", "f"])
@pytest.mark.parametrize("by_parameter", [True, False])
def test_after_which_runs(
    run: Run, slack: SlackStandIn, notify: str, after: str, result: dict[str, Any], by_parameter: bool
) -> None:
    parameters = {"SLACK_CHANNEL": "reports"} | ({"SLACK_NOTIFY": notify} if by_parameter else {})
    configured = {} if by_parameter else {"notify": notify.strip().lower()}
    send_to_slack.run(run(result, parameters, **configured))
    assert len(slack.messages) == (("c" if result == SUCCEEDED else "f") in after)


def test_a_run_that_was_stopped_or_deleted_sends_nothing(run: Run, slack: SlackStandIn) -> None:
    context = run({})
    context.reason, context.stopped = "It was stopped in Argo.", True
    send_to_slack.run(context)
    context.database.mark_stopped("a")
    context.stopped = False
    send_to_slack.run(context)
    context.database.delete_job("a")
    send_to_slack.run(context)
    assert slack.requests == []


def test_a_run_whose_reason_only_argo_knows_is_left_to_the_exit_handler(
    run: Run, slack: SlackStandIn
) -> None:
    context = run({})
    send_to_slack.run(context)
    assert slack.requests == []
    context.reason = "OOMKilled (exit code 137)"
    send_to_slack.run(context)
    assert slack.messages[0].text.endswith("```OOMKilled (exit code 137)```")


def test_what_a_run_waited_for_until_its_end_is_told(run: Run, slack: SlackStandIn) -> None:
    context = run({})
    context.database.update_job("a", status="QUEUED")
    context.database.explain_waiting("a", "ImagePullBackOff: nope:1")
    context.reason = "Step exceeded its deadline"
    send_to_slack.run(context)
    failure.run(context)
    told = (
        "The run took longer than your administrator allows. It was still waiting: ImagePullBackOff: nope:1"
    )
    assert slack.messages[0].text.endswith(f"```{told}```")
    job = context.database.get_job("a")
    assert job
    assert (job.status, job.status_message) == ("FAILED", told)


def test_files_that_are_not_sent_are_named(run: Run, slack: SlackStandIn) -> None:
    context = run(file_limit=0.00001)
    send_to_slack.run(context)
    [message] = slack.messages
    assert ".html is not attached: it has 1.3e-05 MB, and the limit is 1e-05 MB." in message.text
    assert "WARNING The message to Slack had no file" in context.folder.log.read_text()


def test_a_file_that_slack_does_not_take_costs_no_message(run: Run, slack: SlackStandIn) -> None:
    slack.answer("files.getUploadURLExternal", 200, {"ok": False, "error": "file_uploads_disabled"})
    send_to_slack.run(run(FAILED))
    [message] = slack.messages
    assert message.text.endswith(
        ".ipynb is not attached: this Slack does not accept files (file_uploads_disabled)."
    )


def test_a_run_without_outputs_sends_text(run: Run, slack: SlackStandIn) -> None:
    context = run()
    context.folder.output("html").unlink()
    context.folder.output("ipynb").write_bytes(b"")
    send_to_slack.run(context)
    [message] = slack.messages
    assert (message.files, "has completed" in message.text) == ([], True)


def test_the_first_output_made_stands_in_for_the_html(run: Run, slack: SlackStandIn) -> None:
    context = run()
    context.folder.output("html").unlink()
    send_to_slack.run(context)
    assert slack.messages[0].files[0].name.endswith(".ipynb")


def test_long_reasons_fit(run: Run, slack: SlackStandIn) -> None:
    context = run({"succeeded": False, "error": "x" * 5000}, parameters={"SLACK_CHANNEL": "nope"})
    send_to_slack.run(context)
    failure.run(context)
    message = job_row(context.database, "a").status_message
    assert message
    assert len(message) == 1024
    assert message.endswith(f"x… (No message was sent to Slack: {reason(context)})")


def test_a_run_that_is_told_to_end_meanwhile_keeps_its_result(run: Run, slack: SlackStandIn) -> None:
    context = run()
    slack.hang = {"upload"}
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    before = signal.getsignal(signal.SIGTERM)
    try:
        code = run_steps(["send-to-slack", "success", "failure"], context)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (code, job_row(context.database, "a").status) == (0, "COMPLETED")
    assert reason(context) == "the run was ended in the meantime."


def test_what_killed_a_run_after_its_work_was_done_does_not_fail_it(run: Run, slack: SlackStandIn) -> None:
    context = run()
    context.reason = TIME_OVER
    run_steps(["send-to-slack", "failure"], context)
    assert job_row(context.database, "a").status == "COMPLETED"
    assert "has completed" in slack.messages[0].text


def test_settings_of_another_version_are_read_as_far_as_they_are_known() -> None:
    assert RunSettings.from_json({"slack": {"channel": "a", "new": 1}}).slack == SlackSettings(channel="a")
    assert RunSettings.from_json({}).slack == SlackSettings()

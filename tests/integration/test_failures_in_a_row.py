"""The third failure in a row of a job definition, which the run itself reports."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.run_settings import RunSettings, SlackSettings
from argo_jupyter_scheduler.steps import failure, send_to_slack, success
from argo_jupyter_scheduler.steps.context import RESULT, Context
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.schema import JobRow
from tests.stand_ins.slack import SlackStandIn
from tests.support.jobs import Jobs, Story, notebook, on_each_engine
from tests.support.rows import job_row

THREE = messages.runs.runs_failed(3)


@pytest.fixture
def slack(place: str) -> Iterator[SlackStandIn]:
    with SlackStandIn(real_pods=place == "real-argo") as slack:
        yield slack


class Definition:
    """A definition's folder, and runs whose notebooks were executed."""

    def __init__(self, database: Database, staging_path: Path, slack: SlackStandIn) -> None:
        self.database, self.staging_path, self.slack = database, staging_path, slack
        self.parameters = {"SLACK_CHANNEL": "reports"}
        self.made = 0
        RunFolder(staging_path, "d").create()

    def executed(self, succeeded: bool = False, **columns: Any) -> Context:
        """Return a run that has come to its step `send-to-slack`."""
        self.made += 1
        job_id = f"run-{self.made}"
        folder = RunFolder(self.staging_path, job_id)
        folder.create()
        folder.write_settings(
            RunSettings(slack=SlackSettings(has_token=True, base_url=self.slack.base_url, time_limit=60))
        )
        folder.write(RESULT, {"succeeded": succeeded, "error": None if succeeded else "ValueError: no"})
        row = JobRow(
            job_id=job_id,
            job_definition_id="d",
            name="nightly",
            input_filename="n.ipynb",
            runtime_environment_name="e",
            status="IN_PROGRESS",
            parameters=self.parameters,
            start_time=1,
        )
        self.database.insert_job(replace(row, **columns))
        return Context(job_id, self.database, folder, slack_token=self.slack.token)

    def end(self, context: Context) -> str:
        """Let a run end; return what Slack has shown of it."""
        before = len(self.slack.messages)
        send_to_slack.run(context)
        (success if context.read_result().succeeded else failure).run(context)
        return "\n".join(message.text for message in self.slack.messages[before:])

    def fail(self, **columns: Any) -> str:
        return self.end(self.executed(**columns))

    def succeed(self) -> str:
        return self.end(self.executed(succeeded=True))


@pytest.fixture
def definition(database: Database, staging_path: Path, slack: SlackStandIn) -> Definition:
    return Definition(database, staging_path, slack)


def test_the_third_failure_reports_it_once_for_each_streak(definition: Definition) -> None:
    def reports(count: int) -> list[bool]:
        return ["runs of this job definition" in definition.fail() for _ in range(count)]

    assert reports(5) == [False, False, True, False, False]
    assert "runs of this job definition" not in definition.succeed()
    assert reports(4) == [False, False, True, False]
    definition.succeed()
    assert reports(2) == [False, False]
    definition.succeed()
    assert reports(3) == [False, False, True]


def test_what_it_says(definition: Definition) -> None:
    definition.fail()
    definition.fail()
    text = definition.fail()
    assert text.startswith(":x: *nightly* has failed · n.ipynb · ")
    assert text.endswith(f"```ValueError: no```\n:rotating_light: {THREE}")


def test_a_run_that_was_stopped_does_not_count(definition: Definition, database: Database) -> None:
    definition.fail()
    definition.fail()
    stopped = definition.executed()
    database.mark_stopped(stopped.job_id)
    assert definition.end(stopped) == ""
    assert THREE in definition.fail()


def test_jobs_of_others_do_not_count(definition: Definition) -> None:
    for other in (None, "other", None, "other"):
        assert THREE not in definition.fail(job_definition_id=other)
    assert [THREE in definition.fail() for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(("notify", "expected"), [("success", 1), ("failure", 3), ("always", 3)])
def test_it_is_reported_also_where_single_failures_are_not(
    definition: Definition, slack: SlackStandIn, notify: str, expected: int
) -> None:
    definition.parameters["SLACK_NOTIFY"] = notify
    for _ in range(3):
        definition.fail()
    assert len(slack.messages) == expected
    assert THREE in slack.messages[-1].text


def test_without_a_channel_nothing_is_sent(definition: Definition, slack: SlackStandIn) -> None:
    definition.parameters.clear()
    for _ in range(4):
        definition.fail()
    assert slack.requests == []
    definition.parameters["SLACK_CHANNEL"] = "reports"
    assert messages.runs.runs_failed(5) in definition.fail()  # the first that can


def test_runs_that_fail_together_report_it_once(definition: Definition, slack: SlackStandIn) -> None:
    definition.fail()
    definition.fail()
    together = [definition.executed() for _ in range(6)]
    threads = [threading.Thread(target=definition.end, args=(context,)) for context in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(slack.messages) == 8
    assert sum("runs of this job definition" in message.text for message in slack.messages) == 1


def test_a_process_that_makes_up_for_one_that_died_reports_it_too(
    definition: Definition, slack: SlackStandIn
) -> None:
    definition.fail()
    definition.fail()
    context = definition.executed()
    slack.answer("conversations.list", 200, {"ok": False, "error": "fatal"})
    send_to_slack.run(context)
    (context.folder.private / "slack.json").unlink()  # it died before it could write that
    assert THREE in definition.end(context)


def test_a_deleted_success_does_not_begin_the_streak_anew(definition: Definition, database: Database) -> None:
    definition.succeed()
    for _ in range(3):
        definition.fail()
    database.delete_job("run-1")
    for _ in range(2):
        assert "runs of this job definition" not in definition.fail()


def test_a_slack_that_refuses_changes_no_result(definition: Definition, slack: SlackStandIn) -> None:
    slack.tokens = ()
    for number in range(1, 4):
        assert definition.fail() == ""
        row = job_row(definition.database, f"run-{number}")
        assert row.status == "FAILED"
        assert str(row.status_message).startswith("ValueError: no (No message was sent to Slack: ")


class TestScheduledRuns:
    @pytest.fixture
    def scheduler_config(self, scheduler_config: dict[str, Any], slack: SlackStandIn) -> dict[str, Any]:
        return {**scheduler_config, "slack_base_url": slack.base_url}

    @on_each_engine
    async def test_three_failures_a_success_and_three_more(
        self,
        jobs: Jobs,
        slack: SlackStandIn,
        next_minute: Callable[[], Awaitable[None]],
        tmp_path: Path,
    ) -> None:
        parameters = {"SLACK_CHANNEL": "reports", "SLACK_TOKEN": slack.token, "SLACK_NOTIFY": "success"}
        flag = tmp_path / "flag"
        source = notebook(f"open({str(flag)!r})")
        definition_id = await jobs.define("n.ipynb", source, parameters=parameters)
        story = Story(jobs, next_minute, definition_id)
        for _ in range(4):
            assert (await story.next_run())["status"] == "FAILED"
        [message] = slack.messages
        assert message.text.endswith(f":rotating_light: {THREE}")
        flag.touch()
        assert (await story.next_run())["status"] == "COMPLETED"
        flag.unlink()
        for _ in range(3):
            assert (await story.next_run())["status"] == "FAILED"
        assert [THREE in message.text for message in slack.messages] == [True, False, True]

"""Scheduled runs that did not begin in time: who is told, how often, and when nobody is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.identity import local_run_id, run_token
from argo_jupyter_scheduler.domain.run_settings import SlackSettings
from argo_jupyter_scheduler.jobs.late_runs import LateRuns
from argo_jupyter_scheduler.jobs.requests import DefinitionChanges
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import MESSAGE
from argo_jupyter_scheduler.storage.schema import LOCAL_WAITING
from tests.stand_ins.argo import ArgoStandIn
from tests.stand_ins.slack import SlackStandIn
from tests.support.eventually import eventually, eventually_async
from tests.support.jobs import Jobs, Story, notebook, on_each_engine
from tests.support.services import Services, SmallEngine, SmallLocalEngine

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
MIDNIGHT = int(datetime(2026, 3, 2, tzinfo=timezone.utc).timestamp()) * 1000
DUE = MIDNIGHT + 6 * HOUR
LATE = DUE + 11 * MINUTE


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as slack:
        yield slack


class Watch:
    """A definition that runs at six, and the servers that watch it by a clock that a test moves."""

    def __init__(
        self, database: Database, folder: Path, slack: SlackStandIn, engine: SmallEngine, **settings: Any
    ) -> None:
        self.database, self.slack = database, slack
        given = {"slack": SlackSettings(base_url=slack.base_url, time_limit=60.0), **settings}
        self.services = Services(database, folder, engine, **given)
        self.services.write("n.ipynb", notebook("1"))
        self.parameters = {"SLACK_CHANNEL": "reports", "SLACK_TOKEN": slack.token}
        self.moment = LATE
        self.id = self.define()
        self.server = self.start()

    def define(self, schedule: str = "0 6 * * *", **fields: Any) -> str:
        given = {"name": "nightly *report*", "tags": ("late:10m",), "parameters": self.parameters, **fields}
        definition_id = self.services.define(schedule=schedule, **given)
        self.database.update_definition(definition_id, update_time=MIDNIGHT)
        return definition_id

    def start(self) -> LateRuns:
        """Return what watches in a server that has just begun."""
        return LateRuns(self.services.jobs, clock=lambda: self.moment)

    def give_up_soon(self) -> None:
        """Let messages about the definition wait a second for Slack."""
        folder = self.services.jobs.folder(self.id)
        settings = folder.read_settings()
        folder.write_settings(replace(settings, slack=replace(settings.slack, time_limit=1.0)))

    def texts(self) -> list[str]:
        """Let the server look; return all that Slack has shown."""
        self.server.report()
        return [message.text for message in self.slack.messages]

    def run(self, due: int = DUE, **columns: Any) -> str:
        """Write the row of a scheduled run, as its engine does."""
        pid = self.services.engine.new_job_pid
        job_id = local_run_id(self.id, due)
        assert self.database.insert_run(job_id, self.id, due, run_token(self.id, due // 1000), pid)
        if columns:
            self.database.update_job(job_id, **columns)
        return job_id


@pytest.fixture(params=[SmallEngine, SmallLocalEngine])
def watch(database: Database, tmp_path: Path, slack: SlackStandIn, request: pytest.FixtureRequest) -> Watch:
    return Watch(database, tmp_path, slack, request.param())


def test_a_run_that_nobody_created_is_reported(watch: Watch) -> None:
    assert watch.texts() == [
        ":hourglass: *nightly \u2217report\u2217* did not start in time · n.ipynb · due 2026-03-02 06:00 UTC · grace 10 min\n"
        f"```{messages.schedules.NO_RUN}```"
    ]
    [message] = watch.slack.messages
    assert (message.channel, message.files) == ("reports", [])


QUEUED: dict[str, Any] = {"status": "QUEUED"}
REPORTED = [
    (QUEUED, "It is still waiting for its turn."),
    ({**QUEUED, "status_message": "Insufficient cpu"}, "It is still waiting: Insufficient cpu"),
    (
        {"status": "COMPLETED", "start_time": DUE + 12 * MINUTE},
        "It started 12 min after its scheduled time.",
    ),
    (
        {"status": "FAILED", "status_message": "ImagePullBackOff"},
        "It failed before it could start: ImagePullBackOff",
    ),
    ({"status": "STOPPED", "status_message": messages.runs.REPLACED}, messages.schedules.REPLACED_EARLY),
    (
        {"status": "STOPPED", "status_message": f"{messages.runs.WAITED}Insufficient cpu"},
        messages.schedules.REPLACED_EARLY,
    ),
]


@pytest.mark.parametrize(("columns", "words"), REPORTED)
def test_a_run_that_did_not_begin_in_time_is_reported_with_what_is_known(
    watch: Watch, columns: dict[str, Any], words: str
) -> None:
    watch.run(**columns)
    [text] = watch.texts()
    assert text.endswith(f"```{words}```")


NOT_REPORTED: list[dict[str, Any]] = [
    {"status": "IN_PROGRESS", "start_time": DUE},
    {"status": "COMPLETED", "start_time": DUE + 10 * MINUTE},
    {"status": "FAILED", "start_time": DUE + 9 * MINUTE},
    {"status": "STOPPED", "status_message": None},
]


@pytest.mark.parametrize("columns", NOT_REPORTED)
def test_a_run_that_began_in_time_or_was_stopped_is_not_reported(
    watch: Watch, columns: dict[str, Any]
) -> None:
    watch.run(**columns)
    assert watch.texts() == []


def test_a_run_whose_own_message_said_why_it_could_not_begin_is_not_reported_again(watch: Watch) -> None:
    folder = watch.services.jobs.folder(watch.run(status="FAILED", status_message="ImagePullBackOff"))
    folder.create()
    folder.claim(MESSAGE)
    assert watch.texts() == []


def test_it_is_not_reported_before_its_grace_is_over(watch: Watch) -> None:
    watch.moment = DUE + 10 * MINUTE
    assert watch.texts() == []
    watch.moment += 6_000
    assert len(watch.texts()) == 1


def test_each_moment_is_reported_once_by_all_servers_and_after_restarts(watch: Watch) -> None:
    servers = [watch.start() for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(LateRuns.report, servers))
    for server in (*servers, watch.start()):
        server.report()
    assert len(watch.slack.messages) == 1
    watch.moment += DAY
    for server in (*servers, watch.start()):
        server.report()
    assert ["03-02" in text for text in watch.texts()] == [True, False]
    watch.moment -= DAY  # a server whose clock is slow
    watch.start().report()
    assert len(watch.texts()) == 2


def test_of_several_missed_moments_the_last_is_reported(watch: Watch) -> None:
    watch.moment += 9 * DAY
    [text] = watch.texts()
    assert "due 2026-03-11 06:00" in text


@pytest.mark.parametrize(
    "changes", [{"active": False}, {"name": "b"}, {"schedule": "0 5 * * *"}, {"tags": ["late:10m", "a"]}]
)
def test_moments_before_a_definition_was_changed_are_not_reported(
    watch: Watch, changes: dict[str, Any]
) -> None:
    watch.services.definitions.update(watch.id, DefinitionChanges(changes))
    watch.database.update_definition(watch.id, update_time=DUE + MINUTE)
    assert watch.texts() == []
    watch.moment += DAY
    assert len(watch.texts()) == (0 if changes == {"active": False} else 1)


def test_one_that_was_resumed_is_watched_from_then_on(watch: Watch) -> None:
    for active in (False, True):
        watch.services.definitions.update(watch.id, DefinitionChanges({"active": active}))
    watch.moment = now_ms()
    assert watch.texts() == []


@pytest.mark.parametrize(("policy", "reports"), [("forbid", 0), ("allow", 1), ("replace", 1)])
@pytest.mark.parametrize("has_ended", [False, True])
def test_a_run_that_was_skipped_by_design_is_not_reported(
    watch: Watch, policy: str, reports: int, has_ended: bool
) -> None:
    watch.database.update_definition(watch.id, tags=("late:10m", f"concurrency:{policy}"))
    watch.database.update_definition(watch.id, update_time=MIDNIGHT)
    columns = {"status": "COMPLETED", "end_time": DUE + MINUTE} if has_ended else {"status": "IN_PROGRESS"}
    watch.run(DUE - HOUR, start_time=DUE - HOUR, **columns)
    assert len(watch.texts()) == reports


def test_an_earlier_run_that_had_ended_skips_nothing(watch: Watch) -> None:
    watch.database.update_definition(watch.id, tags=("late:10m", "concurrency:forbid"))
    watch.database.update_definition(watch.id, update_time=MIDNIGHT)
    watch.run(DUE - HOUR, status="COMPLETED", start_time=DUE - HOUR, end_time=DUE - MINUTE)
    assert len(watch.texts()) == 1


def test_a_run_whose_job_its_user_deleted_is_not_reported(watch: Watch) -> None:
    watch.services.jobs.delete_job(watch.run(status="COMPLETED", start_time=DUE))
    assert watch.texts() == []
    watch.moment += DAY
    assert len(watch.texts()) == 1


@pytest.mark.parametrize("tags", [(), ("late:0",), ("late=10m",)])
def test_it_is_off_by_default(watch: Watch, tags: tuple[str, ...]) -> None:
    watch.database.update_definition(watch.id, tags=tags)
    watch.database.update_definition(watch.id, update_time=MIDNIGHT)
    assert watch.texts() == []


@pytest.mark.parametrize(("tags", "reports"), [((), 1), (("late:0",), 0), (("late:1h",), 0)])
def test_a_default_for_all(
    database: Database, tmp_path: Path, slack: SlackStandIn, tags: tuple[str, ...], reports: int
) -> None:
    watch = Watch(database, tmp_path, slack, SmallEngine(), late_after_seconds=600)
    watch.database.update_definition(watch.id, tags=tags)
    watch.database.update_definition(watch.id, update_time=MIDNIGHT)
    assert len(watch.texts()) == reports


@pytest.mark.parametrize("where", ["channel", "hangs", "token"])
def test_one_that_cannot_be_sent_is_in_the_servers_log_once(
    watch: Watch, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    if where == "channel":
        watch.slack.channels.clear()
    elif where == "hangs":
        watch.slack.hang = {"conversations.list"}
        watch.give_up_soon()
    else:
        watch.slack.tokens = ()
    with caplog.at_level(logging.WARNING):
        for server in (watch.server, watch.server, watch.start()):
            server.report()
    assert len(caplog.records) == 1
    assert (
        f"due at 2026-03-02 06:00 UTC did not start within 10 min. {messages.schedules.NO_RUN}" in caplog.text
    )
    assert "No message was sent to Slack: " in caplog.text
    assert watch.slack.token not in caplog.text


def test_without_a_channel_it_is_in_the_servers_log_once(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    watch.database.update_definition(watch.id, parameters={})
    watch.database.update_definition(watch.id, update_time=MIDNIGHT)
    with caplog.at_level(logging.WARNING):
        for server in (watch.server, watch.start()):
            server.report()
    assert ["did not start within" in record.getMessage() for record in caplog.records] == [True]
    assert watch.slack.requests == []


def test_a_definition_that_is_gone_or_has_no_folder_is_not_reported(watch: Watch) -> None:
    watch.services.jobs.folder(watch.id).delete()
    assert watch.texts() == []
    watch.services.definitions.delete(watch.id)
    assert watch.texts() == []


def test_a_slack_that_hangs_keeps_no_other_definition_waiting(watch: Watch) -> None:
    watch.slack.hang = {"conversations.list"}
    watch.give_up_soon()
    watch.define(parameters={**watch.parameters, "SLACK_CHANNEL": "C0000000004"})
    with ThreadPoolExecutor(1) as pool:
        looked = pool.submit(watch.server.report)
        eventually(lambda: watch.slack.messages)
        looked.result(60)
    assert len(watch.slack.messages) == 1


class TestEvery:
    """``@every``: this machine counts from the definition's change, Argo from its last run."""

    def test_on_this_machine(self, database: Database, tmp_path: Path, slack: SlackStandIn) -> None:
        watch = Watch(database, tmp_path, slack, SmallLocalEngine())
        watch.services.definitions.delete(watch.id)
        watch.id = watch.define("@every 1h")
        watch.run(DUE, status="COMPLETED", start_time=DUE)
        assert watch.texts() == []
        watch.moment += HOUR
        [text] = watch.texts()
        assert "due 2026-03-02 07:00" in text

    def test_on_argo(self, database: Database, tmp_path: Path, slack: SlackStandIn) -> None:
        watch = Watch(database, tmp_path, slack, SmallEngine())
        watch.services.definitions.delete(watch.id)
        watch.id = watch.define("@every 1h")
        watch.run(DUE + 7_000, status="COMPLETED", start_time=DUE + 9_000)
        watch.moment += 7_000
        assert watch.texts() == []
        watch.moment += HOUR
        [text] = watch.texts()
        assert "due 2026-03-02 07:00" in text
        watch.run(DUE + 2 * HOUR + 7_000, status="QUEUED")
        watch.moment += HOUR
        assert "still waiting" in watch.texts()[-1]
        assert len(watch.texts()) == 2


class TestAServer:
    @pytest.fixture
    def scheduler_config(self, scheduler_config: dict[str, Any], slack: SlackStandIn) -> dict[str, Any]:
        return {**scheduler_config, "slack_base_url": slack.base_url}

    @pytest.fixture
    def fields(self, slack: SlackStandIn) -> dict[str, Any]:
        parameters = {"SLACK_CHANNEL": "reports", "SLACK_TOKEN": slack.token}
        return {"tags": ["late:10m"], "parameters": parameters}

    @on_each_engine
    async def test_it_looks_by_itself(
        self, jobs: Jobs, slack: SlackStandIn, database: Database, fields: dict[str, Any], place: str
    ) -> None:
        definition_id = await jobs.define("n.ipynb", notebook("1"), schedule="0 6 * * *", **fields)
        database.update_definition(definition_id, update_time=now_ms() - 2 * DAY)  # nobody ran it since
        await eventually_async(lambda: slack.messages)
        assert messages.schedules.NO_RUN in slack.messages[0].text

    @pytest.mark.parametrize("place", ["argo"], indirect=True)
    async def test_while_argo_is_away(
        self, jobs: Jobs, slack: SlackStandIn, database: Database, fields: dict[str, Any], argo: ArgoStandIn
    ) -> None:
        definition_id = await jobs.define("n.ipynb", notebook("1"), schedule="0 6 * * *", **fields)
        argo.fail_next(503, "away", times=10_000)
        database.update_definition(definition_id, update_time=now_ms() - 2 * DAY)
        await eventually_async(lambda: slack.messages)

    @pytest.mark.parametrize("place", ["argo"], indirect=True)
    async def test_a_cron_workflow_that_was_suspended_in_argo(
        self,
        jobs: Jobs,
        slack: SlackStandIn,
        scheduler: ArgoScheduler,
        fields: dict[str, Any],
        argo: ArgoStandIn,
        next_minute: Any,
    ) -> None:
        story = Story(jobs, next_minute, await jobs.define("n.ipynb", notebook("1"), **fields))
        assert (await story.next_run())["status"] == "COMPLETED"
        slack.messages.clear()
        late_runs = LateRuns(scheduler.jobs, clock=lambda: int(argo.clock * 1000) + 10 * MINUTE + 6_000)
        argo.crons[f"job-def-{story.id}"]["spec"]["suspend"] = True
        await asyncio.to_thread(late_runs.report)
        assert slack.messages == []
        await story.no_run()
        await asyncio.to_thread(late_runs.report)
        assert [messages.schedules.NO_RUN in message.text for message in slack.messages] == [True]

    @pytest.mark.parametrize("place", ["argo"], indirect=True)
    async def test_a_run_without_a_node(
        self,
        jobs: Jobs,
        slack: SlackStandIn,
        scheduler: ArgoScheduler,
        database: Database,
        fields: dict[str, Any],
        argo: ArgoStandIn,
    ) -> None:
        argo.clock -= 3600  # its run was created a while ago, but the server itself does not call it late
        argo.pending = "Unschedulable: 0/3 nodes are available"
        soon = datetime.fromtimestamp(argo.clock + 60, timezone.utc)
        given = {**fields, "tags": ["late:2h"], "schedule": f"{soon.minute} {soon.hour} * * *"}
        definition_id = await jobs.define("n.ipynb", notebook("1"), **given)
        database.update_definition(definition_id, update_time=int(argo.clock * 1000))
        await asyncio.to_thread(argo.tick)
        late_runs = LateRuns(scheduler.jobs, clock=lambda: int(argo.clock * 1000) + 2 * HOUR + 6_000)

        async def is_explained() -> bool:
            return any(job.get("status_message") for job in await jobs.runs(definition_id))

        await eventually_async(is_explained)
        await asyncio.to_thread(late_runs.report)
        [message] = slack.messages
        assert message.text.endswith("```It is still waiting: Unschedulable: 0/3 nodes are available```")


def test_a_queued_run_of_this_machine_waits_for_its_turn(
    database: Database, tmp_path: Path, slack: SlackStandIn
) -> None:
    watch = Watch(database, tmp_path, slack, SmallLocalEngine())
    job_id = watch.run()
    job = watch.services.jobs.get_job(job_id)
    assert (job.status, job.pid) == ("QUEUED", LOCAL_WAITING)
    [text] = watch.texts()
    assert text.endswith("```It is still waiting for its turn.```")

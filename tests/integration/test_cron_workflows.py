"""What only Argo's engine does with job definitions: live objects that others change, and an Argo that is away in between."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jupyter_scheduler.exceptions import SchedulerError
from jupyter_scheduler.models import UpdateJobDefinition
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.argo_failures import TIME_OVER
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.input_folder import PRIVATE
from tests.stand_ins.argo import ArgoStandIn
from tests.support.eventually import eventually_async
from tests.support.jobs import Jobs, Story, notebook, reconcile_twice, refusal, restarted
from tests.support.rows import definition_row

PRINTS = notebook("print('done')")
SLEEPS = notebook("import time; time.sleep(600)")


@pytest.fixture
def deadline() -> int:
    """How late a missed run may begin, in seconds."""
    return 0


@pytest.fixture
def scheduler_config(argo_config: dict[str, Any], deadline: int) -> dict[str, Any]:
    return {**argo_config, "starting_deadline_seconds": deadline}


@pytest.fixture
def define(jobs: Jobs, argo: ArgoStandIn) -> Callable[..., Any]:
    """Make a definition's story."""

    async def make(content: str = PRINTS, **fields: Any) -> Story:
        async def tick() -> None:
            await asyncio.to_thread(argo.tick)

        return Story(jobs, tick, await jobs.define("n.ipynb", content, **fields))

    return make


def cron_of(argo: ArgoStandIn, story: Story) -> dict[str, Any]:
    return argo.crons[f"job-def-{story.id}"]


def marks(staging_path: Path) -> list[Path]:
    """Return the marks of changes that are not settled."""
    return list(staging_path.glob(f"{PRIVATE}/unsettled/*"))


async def refused(story: Story, method: str, words: str, **fields: Any) -> None:
    body = fields if method == "PATCH" else None
    with pytest.raises(HTTPClientError) as error:
        await story.jobs.request(method, "job_definitions", story.id, body=body)
    assert words in refusal(error)


async def job_that(
    jobs: Jobs, definition_id: str, condition: Callable[[dict[str, Any]], Any]
) -> dict[str, Any]:
    """Wait for a definition's newest job to be so."""
    found: list[dict[str, Any]] = []

    async def is_so() -> Any:
        found[:] = await jobs.runs(definition_id)
        return found and condition(found[0])

    await eventually_async(is_so, state=lambda: found)
    return found[0]


async def test_what_others_put_into_the_live_object_survives(define: Any, argo: ArgoStandIn) -> None:
    story = await define()
    cron = cron_of(argo, story)
    cron["metadata"]["labels"]["team"] = "blue"
    cron["metadata"]["annotations"] = {"note": "keep"}
    cron["spec"]["workflowSpec"]["templates"][0]["nodeSelector"] = {"disk": "fast"}
    await story.change(schedule="* * * * *", timezone="Europe/Paris")
    await story.change(active=False)
    await story.change(active=True)
    assert cron_of(argo, story) is cron
    assert (cron["metadata"]["labels"]["team"], cron["metadata"]["annotations"]["note"]) == ("blue", "keep")
    assert cron["spec"]["workflowSpec"]["templates"][0]["nodeSelector"] == {"disk": "fast"}
    assert (cron["spec"]["timezone"], bool(cron["spec"].get("suspend"))) == ("Europe/Paris", False)
    assert (await story.next_run())["status"] == "COMPLETED"
    verbs = [(method, path.rpartition("/")[2]) for method, path in argo.requests if method == "PUT"]
    assert verbs == [("PUT", f"job-def-{story.id}"), ("PUT", "suspend"), ("PUT", "resume")]


async def test_an_edit_brings_the_pods_up_to_date(
    define: Any, argo: ArgoStandIn, scheduler: ArgoScheduler, database: Database
) -> None:
    story = await define()
    definition = replace(definition_row(database, story.id), schedule="0 1 * * *")
    after = restarted(scheduler, node_selector={"pool": "jobs"})
    after.jobs.engine.schedule(definition)
    cron = cron_of(argo, story)
    assert cron["spec"]["workflowSpec"]["templates"][0]["nodeSelector"] == {"pool": "jobs"}
    uid = cron["metadata"]["uid"]
    after = restarted(scheduler, node_selector={"pool": "jobs"}, mem_limit="4G")
    after.jobs.engine.schedule(replace(definition, schedule="0 2 * * *"))
    cron = cron_of(argo, story)
    assert cron["metadata"]["uid"] == uid
    limits = cron["spec"]["workflowSpec"]["templates"][0]["container"]["resources"]["limits"]
    assert limits == {"memory": "4Gi"}


async def test_the_manifest_names_the_definitions_id_only(define: Any, argo: ArgoStandIn) -> None:
    story = await define(name="zebra-1", parameters={"zebra_2": "zebra-3"}, tags=["zebra-4"])
    assert "zebra" not in json.dumps(cron_of(argo, story)["spec"])
    assert (await story.next_run())["name"] == "zebra-1"


async def test_a_change_that_meets_another_is_tried_again_with_a_fresh_read(
    define: Any, argo: ArgoStandIn
) -> None:
    story = await define()
    argo.fail_next(409, {"code": 6, "message": "the object has been modified"}, times=2, method="PUT")
    await story.change(schedule="0 1 * * *")
    assert cron_of(argo, story)["spec"]["schedules"] == ["0 1 * * *"]


@pytest.mark.parametrize("version", ["v3.4.4", "v3.6.0", "v4.1.2"])
async def test_versions_of_argo(define: Any, argo: ArgoStandIn, version: str) -> None:
    argo.version = version
    story = await define()
    await story.change(schedule="*/1 * * * *")
    if version == "v3.4.4":
        argo.fail_next(500, {"code": 2, "message": "the object has been modified; please"}, method="PUT")
    await story.change(active=False)
    await story.no_run()
    await story.change(active=True, timezone="Asia/Tokyo")
    assert (await story.next_run())["status"] == "COMPLETED"
    assert ("schedules" in cron_of(argo, story)["spec"]) == (version != "v3.4.4")
    assert [path for _, path in argo.requests].count("/api/v1/version") == 1


async def test_argo_is_away_while_something_is_asked_for(
    define: Any, jobs: Jobs, argo: ArgoStandIn, staging_path: Path
) -> None:
    story = await define()
    first = await story.next_run()
    before = await jobs.request("GET", "job_definitions", story.id)
    argo.fail_next(503, "busy", times=10_000)
    await refused(story, "PATCH", "has a problem (503)", active=False)
    await refused(story, "PATCH", "has a problem (503)", schedule="0 1 * * *")
    await refused(story, "DELETE", "has a problem (503)")
    with pytest.raises(HTTPClientError):
        await jobs.define("m.ipynb", PRINTS)
    with pytest.raises(HTTPClientError):  # Argo would be taken to have a run without a row
        await jobs.request("DELETE", "jobs", first["job_id"])
    [after] = (await jobs.request("GET", "job_definitions"))["job_definitions"]
    assert {**after, "update_time": 0} == {
        **{key: value for key, value in before.items() if value is not None},
        "update_time": 0,
    }
    argo._failures.clear()
    assert (await story.next_run())["status"] == "COMPLETED"
    await jobs.request("DELETE", "jobs", first["job_id"])
    await eventually_async(lambda: not marks(staging_path))
    assert cron_of(argo, story)["spec"]["schedules"] == ["* * * * *"]


async def test_a_definition_whose_answer_was_lost_leaves_no_schedule(
    jobs: Jobs, argo: ArgoStandIn, staging_path: Path
) -> None:
    argo.fail_next(500, {"code": 2, "message": "lost"}, method="POST", path="/cron-workflows", done=True)
    with pytest.raises(HTTPClientError):
        await jobs.define("n.ipynb", PRINTS)
    assert (await jobs.request("GET", "job_definitions"))["job_definitions"] == []
    await eventually_async(lambda: not argo.crons)
    await eventually_async(lambda: not list(staging_path.iterdir()))


@pytest.mark.parametrize("fields", [{"active": True}, {"schedule": "*/1 * * * *"}])
async def test_a_schedule_that_was_deleted_behind_our_back_is_made_again(
    define: Any, argo: ArgoStandIn, fields: dict[str, Any]
) -> None:
    story = await define()
    argo.crons.clear()
    await story.change(**fields)
    assert (await story.next_run())["status"] == "COMPLETED"
    argo.crons.clear()
    await story.jobs.request("DELETE", "job_definitions", story.id)
    assert (await story.jobs.request("GET", "job_definitions"))["job_definitions"] == []


async def test_a_missing_schedule_is_made_again_with_one_call(
    define: Any, argo: ArgoStandIn, scheduler: ArgoScheduler
) -> None:
    story, paused = await define(), await define()
    await paused.change(active=False)
    argo.crons.clear()
    await asyncio.to_thread(scheduler.reconciler.repair_schedules)
    assert list(argo.crons) == [f"job-def-{story.id}"]
    assert (await story.next_run())["status"] == "COMPLETED"
    for call in (scheduler.reconciler.reconcile, scheduler.reconciler.repair_schedules):
        argo.requests.clear()
        call()
        assert len(argo.requests) <= 2  # the server's own task runner may have asked in between


@pytest.mark.parametrize(("deadline", "runs"), [(0, 1), (600, 2)])
async def test_what_the_controller_missed(
    define: Any, jobs: Jobs, argo: ArgoStandIn, deadline: int, runs: int
) -> None:
    story = await define()
    await story.next_run()
    argo.controller_is_up = False
    await story.no_run()
    argo.controller_is_up = True
    cron = cron_of(argo, story)
    assert cron["spec"].get("startingDeadlineSeconds", 0) == deadline
    with argo._lock:
        argo.clock += 20
        argo._fire(cron)
    await asyncio.sleep(0.5)
    await eventually_async(lambda: len(argo.runs_of(cron["metadata"]["name"])) == runs)
    for name in argo.runs_of(cron["metadata"]["name"]):
        await asyncio.to_thread(argo.wait, name)
    for job in await jobs.runs(story.id):
        assert (await jobs.wait(job["job_id"]))["status"] == "COMPLETED"
    assert len(await jobs.runs(story.id)) == runs
    assert (await story.next_run())["status"] == "COMPLETED"


async def test_changes_that_meet_leave_argo_with_what_the_row_says(
    define: Any, jobs: Jobs, argo: ArgoStandIn
) -> None:
    changes = ({"schedule": "0 5 * * *"}, {"timezone": "Asia/Tokyo"}, {"active": False})
    for _ in range(3):
        story = await define(schedule="0 1 * * *", timezone="UTC")
        argo.hang_seconds = 0.05
        await asyncio.gather(*(story.change(**one) for one in changes))
        argo.hang_seconds = 0
        spec = cron_of(argo, story)["spec"]
        assert (spec["schedules"], spec["timezone"], spec["suspend"]) == (["0 5 * * *"], "Asia/Tokyo", True)


async def test_a_change_that_meets_a_delete_leaves_no_schedule(
    define: Any, jobs: Jobs, argo: ArgoStandIn, staging_path: Path
) -> None:
    for wait in (0, 0.02, 0.05, 0.08):
        story = await define()
        argo.hang_seconds = 0.03
        change = asyncio.create_task(story.change(schedule="0 5 * * *", input_uri="n.ipynb"))
        await asyncio.sleep(wait)
        await jobs.request("DELETE", "job_definitions", story.id)
        with contextlib.suppress(HTTPClientError):  # it was deleted before
            await change
        argo.hang_seconds = 0
        await eventually_async(lambda: not argo.crons and not list(staging_path.iterdir()))


async def test_a_definition_whose_folder_is_gone_is_mended_by_a_new_input(
    define: Any, jobs: Jobs, staging_path: Path
) -> None:
    story = await define()
    folder = staging_path / story.id

    def delete() -> bool:  # the server that has just started may be writing there
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    await eventually_async(delete)
    await story.change(name="still there")
    job = await story.next_run()
    assert (job["status"], "update its input file snapshot" in job["status_message"]) == ("FAILED", True)
    await story.change(input_uri="n.ipynb")
    assert (await story.next_run())["status"] == "COMPLETED"


async def test_what_cannot_run_can_be_paused(
    define: Any, jobs: Jobs, argo: ArgoStandIn, scheduler: ArgoScheduler
) -> None:
    imageless, foreign = await define(), await define()
    after = restarted(scheduler, image="")
    cron_of(argo, foreign)["spec"]["workflowSpec"] = {"workflowTemplateRef": {"name": "theirs"}}
    for story in (imageless, foreign):
        await after.update_job_definition(story.id, UpdateJobDefinition(active=False))
        assert cron_of(argo, story)["spec"]["suspend"]
    with pytest.raises(SchedulerError, match=r"c\.ArgoScheduler\.image"):
        await after.update_job_definition(imageless.id, UpdateJobDefinition(active=True))


async def test_what_the_token_may_not_do_hinders_nothing_else(
    define: Any, jobs: Jobs, argo: ArgoStandIn, scheduler: ArgoScheduler
) -> None:
    await define()
    argo.forbidden.add(("list", "cronworkflows"))
    argo.broken = "no such service account"
    reconciler = restarted(scheduler).reconciler
    job_id = await jobs.create("m.ipynb", PRINTS)
    await asyncio.to_thread(reconciler.repair_schedules)
    await asyncio.to_thread(reconciler.reconcile)
    assert (await jobs.get(job_id))["status"] == "FAILED"


async def test_a_run_that_waited_when_its_definition_was_paused_goes_on(
    define: Any, jobs: Jobs, argo: ArgoStandIn
) -> None:
    argo.clock -= 300
    story = await define()
    argo.pending = "Unschedulable: 0/1 nodes are available"
    await story.next_minute()
    job = await job_that(jobs, story.id, lambda job: job.get("status_message"))
    await story.change(active=False)
    argo.pending = ""
    assert (await jobs.wait(job["job_id"]))["status"] == "COMPLETED"


async def test_a_run_whose_pod_cannot_start_is_a_job_that_says_why(
    define: Any, jobs: Jobs, argo: ArgoStandIn, staging_path: Path, scheduler: ArgoScheduler
) -> None:
    argo.clock -= 300  # runs are old enough for the task runner at once
    story = await define()
    argo.pending = "ImagePullBackOff: Back-off pulling image"
    await story.next_minute()
    job = await job_that(jobs, story.id, lambda job: job.get("status_message"))
    assert (job["status"], job["status_message"]) == ("QUEUED", argo.pending)
    await story.change(name="changed")
    argo.pending = ""  # the image is there at last
    job = await jobs.wait(job["job_id"])
    assert (job["status"], job["name"], job["status_message"]) == ("COMPLETED", "changed", None)
    assert len(await jobs.runs(story.id)) == 1

    argo.pending = "Unschedulable: 0/1 nodes are available"
    await story.next_minute()
    job = await job_that(jobs, story.id, lambda job: job.get("status_message"))
    await story.next_minute()
    replaced = await jobs.wait(job["job_id"])
    assert (replaced["status"], "replaced it" in replaced["status_message"]) == ("STOPPED", True)
    assert replaced["status_message"].endswith(argo.pending)
    await jobs.request("DELETE", "jobs", job["job_id"])
    job = await job_that(jobs, story.id, lambda job: job.get("status_message"))
    await jobs.request("DELETE", "jobs", job["job_id"])
    await reconcile_twice(scheduler)
    assert [one["status"] for one in await jobs.runs(story.id)] == ["COMPLETED"]
    assert not (staging_path / job["job_id"]).exists()


async def test_a_run_whose_pod_cannot_be_made_is_failed(define: Any, jobs: Jobs, argo: ArgoStandIn) -> None:
    story = await define()
    argo.broken = 'pods "x" is forbidden: error looking up service account dev/nope'
    await story.next_minute()
    job = await job_that(jobs, story.id, lambda job: job["status"] == "FAILED")
    assert job["status_message"] == argo.broken
    assert job["job_files"][0]["file_format"]


async def test_a_run_that_was_ended_in_argo(define: Any, jobs: Jobs, argo: ArgoStandIn) -> None:
    story = await define(SLEEPS)
    for end in (argo.terminate, argo._stop):
        await story.next_minute()
        job = await job_that(jobs, story.id, lambda job: job["status"] == "IN_PROGRESS")
        end(argo.runs_of(f"job-def-{story.id}")[-1])
        job = await jobs.wait(job["job_id"])
        assert (job["status"], "in Argo" in job["status_message"]) == ("STOPPED", True)


async def test_a_pod_that_is_told_to_end_leaves_the_reason_to_argo(
    define: Any, jobs: Jobs, argo: ArgoStandIn
) -> None:
    story = await define(SLEEPS)
    await story.next_minute()
    job = await job_that(jobs, story.id, lambda job: job["status"] == "IN_PROGRESS")
    argo.end_pod(argo.runs_of(f"job-def-{story.id}")[0], TIME_OVER)
    job = await jobs.wait(job["job_id"])
    assert job["status"] == "FAILED"
    assert job["status_message"].startswith(messages.runs.timed_out(None))


async def test_stop_and_delete_of_a_scheduled_run(
    define: Any, jobs: Jobs, argo: ArgoStandIn, scheduler: ArgoScheduler
) -> None:
    story = await define(SLEEPS)
    await story.next_minute()
    job = await job_that(jobs, story.id, lambda job: job["status"] == "IN_PROGRESS")
    [name] = argo.runs_of(f"job-def-{story.id}")
    await jobs.request("PATCH", "jobs", job["job_id"], body={"status": "STOPPED"})
    assert argo.wait(name)["status"]["message"] == "Stopped with strategy 'Stop'"
    assert (await jobs.get(job["job_id"]))["status"] == "STOPPED"
    await jobs.request("DELETE", "jobs", job["job_id"])
    assert name not in argo.runs
    await reconcile_twice(scheduler)
    assert await jobs.runs(story.id) == []


async def test_a_paused_definitions_run_that_argo_begins_all_the_same(
    define: Any, jobs: Jobs, argo: ArgoStandIn
) -> None:
    story = await define()
    await story.change(active=False)
    cron_of(argo, story)["spec"]["suspend"] = False
    job = await story.next_run()
    assert (job["status"], "was paused" in job["status_message"]) == ("STOPPED", True)


async def test_a_job_made_from_a_scheduled_one_is_not_taken_for_it(define: Any, jobs: Jobs) -> None:
    story = await define()
    first = await story.next_run()
    fields = {
        key: first[key] for key in ("name", "idempotency_token", "job_definition_id", "tags") if key in first
    }
    copy = await jobs.create("n.ipynb", **fields)
    assert (await jobs.wait(copy))["status"] == "COMPLETED"


class TestThePodThatTellsSlack:
    @pytest.fixture
    def scheduler_config(self, argo_config: dict[str, Any]) -> dict[str, Any]:
        secret = {"name": "slack", "key": "token"}
        return {**argo_config, "pod_per_step": True, "slack_token_secret": secret}

    async def test_it_comes_and_goes_with_the_channel_and_all_else_stays(
        self, define: Any, argo: ArgoStandIn
    ) -> None:
        story = await define()
        cron = cron_of(argo, story)
        templates = cron["spec"]["workflowSpec"]["templates"]
        templates[0]["nodeSelector"] = {"disk": "fast"}
        before = json.dumps(templates)
        argo.requests.clear()
        await story.change(parameters={"SLACK_CHANNEL": "#team"})
        templates = cron["spec"]["workflowSpec"]["templates"]
        assert templates[0]["nodeSelector"] == {"disk": "fast"}
        steps = next(one["steps"] for one in templates if one["name"] == "steps")
        order = ["create-job-id", "main", "rename-files", "send-to-slack", "success"]
        assert [group[0]["name"] for group in steps] == order
        pods = {one["name"]: one["container"] for one in templates if one.get("container")}
        with_token = [name for name, pod in pods.items() if "secretKeyRef" in json.dumps(pod)]
        assert sorted(with_token) == ["failure", "send-to-slack"]
        assert "team" not in json.dumps(templates)
        await story.change(parameters={"SLACK_CHANNEL": "#other"})
        await story.change(parameters={})
        assert json.dumps(cron["spec"]["workflowSpec"]["templates"]) == before
        assert cron_of(argo, story) is cron
        writes = [method for method, path in argo.requests if method not in ("GET", "PATCH")]
        assert writes == ["PUT", "PUT"]

    async def test_on_nebari_it_comes_by_a_replace(self, define: Any, argo: ArgoStandIn) -> None:
        argo.nebari = True
        story = await define()
        before = cron_of(argo, story)["metadata"]["uid"]
        await story.change(parameters={"SLACK_CHANNEL": "#team"})
        templates = cron_of(argo, story)["spec"]["workflowSpec"]["templates"]
        assert cron_of(argo, story)["metadata"]["uid"] != before
        images = {one["name"]: one["container"]["image"] for one in templates if one.get("container")}
        assert images["send-to-slack"] == images["main"] == "users"


class TestOnNebari:
    @pytest.fixture(autouse=True)
    def nebari(self, argo: ArgoStandIn) -> None:
        argo.nebari = True

    async def test_an_edit_and_a_resume_replace_and_a_pause_suspends(
        self, define: Any, jobs: Jobs, argo: ArgoStandIn
    ) -> None:
        gate = jobs.root / "gate"
        wait = f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(.05)"
        story = await define(notebook(wait))
        uid = cron_of(argo, story)["metadata"]["uid"]
        cron_of(argo, story)["metadata"]["labels"]["team"] = "blue"
        await story.next_minute()
        under_way = await job_that(jobs, story.id, lambda job: job["status"] == "IN_PROGRESS")
        argo.requests.clear()
        await story.change(timezone="Europe/Paris")
        writes = [(method, path) for method, path in argo.requests if method not in ("GET", "PATCH")]
        path = "/api/v1/cron-workflows/dev"
        assert writes == [
            ("DELETE", f"{path}/job-def-{story.id}?deleteOptions.propagationPolicy=Orphan"),
            ("POST", path),
        ]
        cron = cron_of(argo, story)
        assert cron["metadata"]["uid"] != uid
        assert cron["metadata"]["labels"]["team"] == "blue"
        environment = cron["spec"]["workflowSpec"]["templates"][0]["container"]["env"]
        assert [one["name"] for one in environment].count("NEBARI") == 1
        gate.touch()
        assert (await jobs.wait(under_way["job_id"]))["status"] == "COMPLETED"
        assert (await story.next_run())["status"] == "COMPLETED"
        argo.requests.clear()
        await story.change(active=False)
        writes = [one for one in argo.requests if one[0] != "GET"]
        assert writes == [("PUT", f"{path}/job-def-{story.id}/suspend")]
        await story.no_run()
        await story.change(active=True)
        assert (await story.next_run())["status"] == "COMPLETED"

    async def test_a_run_that_is_orphaned_by_an_edit_is_still_replaced(
        self, define: Any, jobs: Jobs, argo: ArgoStandIn
    ) -> None:
        argo.clock -= 3600
        story = await define(SLEEPS)
        await story.next_minute()
        first = await job_that(jobs, story.id, lambda job: job["status"] == "IN_PROGRESS")
        await story.change(timezone="Europe/Paris")
        await story.change(input_uri="n.ipynb")
        jobs.write("m.ipynb", PRINTS)
        await story.change(input_uri="m.ipynb")
        assert (await story.next_run())["status"] == "COMPLETED"
        assert "replaced it" in (await jobs.get(first["job_id"]))["status_message"]
        await asyncio.to_thread(argo.wait, argo.runs_of(f"job-def-{story.id}")[0])

    async def test_an_orphaned_run_that_has_no_row_ends_with_its_definition(
        self, define: Any, jobs: Jobs, argo: ArgoStandIn
    ) -> None:
        story = await define()
        argo.pending = "Unschedulable: 0/1 nodes are available"
        await story.next_minute()
        await story.change(timezone="Europe/Paris")
        await jobs.request("DELETE", "job_definitions", story.id)
        [name] = argo.runs_of(f"job-def-{story.id}")
        assert (await asyncio.to_thread(argo.wait, name))["status"]["phase"] == "Failed"
        assert argo.crons == {}

    async def test_a_replace_that_was_interrupted_is_completed(
        self, define: Any, argo: ArgoStandIn, staging_path: Path
    ) -> None:
        story = await define()
        argo.fail_next(503, "busy", times=3, method="POST", path="/cron-workflows")
        await refused(story, "PATCH", "has a problem (503)", schedule="0 1 * * *")
        await eventually_async(lambda: argo.crons)
        assert cron_of(argo, story)["spec"]["schedules"] == ["* * * * *"]
        await eventually_async(lambda: not marks(staging_path))
        assert (await story.next_run())["status"] == "COMPLETED"


async def test_reconcilers_that_meet_on_one_database(
    define: Any, jobs: Jobs, argo: ArgoStandIn, scheduler: ArgoScheduler, database: Database
) -> None:
    story = await define()
    argo.broken = "no such service account"
    await story.next_minute()
    await asyncio.gather(*(asyncio.to_thread(scheduler.reconciler.reconcile) for _ in range(6)))
    job = await job_that(jobs, story.id, lambda job: job["status"] == "FAILED")
    assert len(await jobs.runs(story.id)) == 1
    assert database.get_job(job["job_id"])

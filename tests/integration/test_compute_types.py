"""Compute types: named shapes of a run, in the dialog, the row, the manifest and on this machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from jupyter_scheduler.models import UpdateJobDefinition
from tornado.httpclient import HTTPClientError
from traitlets import TraitError

from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine
from argo_jupyter_scheduler.jobs.local_schedules import LocalSchedules
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.schema import JobRow
from tests.stand_ins.argo import ArgoStandIn
from tests.support.jobs import Jobs, Minutes, Story, notebook, refusal, restarted

GIGABYTE = 1024**3
TYPES: dict[str, dict[str, Any]] = {
    "small": {"cpu_limit": 1, "mem_limit": "1G"},
    "gpu": {
        "extra_resource_limits": {"nvidia.com/gpu": 1},
        "node_selector": {"pool": "gpu"},
        "mem_limit": "4G",
    },
    "tiny": {"cpu_limit": 0.5, "mem_limit": "10M"},
}
SHOWS = (
    "import os, resource; print(resource.getrlimit(resource.RLIMIT_DATA)[0], len(os.sched_getaffinity(0)))"
)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "local"))


@pytest.fixture
def scheduler_config(scheduler_config: dict[str, Any]) -> dict[str, Any]:
    return {**scheduler_config, "compute_types": TYPES, "default_compute_type": "small"}


both = pytest.mark.parametrize("place", ["local", "argo"], indirect=True)
on_argo = pytest.mark.parametrize("place", ["argo"], indirect=True)


@both
async def test_the_dialog_offers_them_and_the_row_keeps_the_name(jobs: Jobs) -> None:
    for one in await jobs.request("GET", "runtime_environments"):
        assert (one["compute_types"], one["default_compute_type"]) == ([*TYPES], "small")
    for fields, name in (({}, "small"), ({"compute_type": ""}, "small"), ({"compute_type": "gpu"}, "gpu")):
        job_id = await jobs.create("n.ipynb", notebook("1"), **fields)
        job = await jobs.wait(job_id)
        assert (job["status"], job["compute_type"]) == ("COMPLETED", name)
    with pytest.raises(HTTPClientError) as error:
        await jobs.create("n.ipynb", compute_type="smal")
    assert "Compute type 'smal' not found. Available: small" in refusal(error)
    with pytest.raises(HTTPClientError):
        await jobs.request("PATCH", "jobs", job_id, body={"compute_type": "smal"})
    await jobs.request("PATCH", "jobs", job_id, body={"compute_type": ""})
    assert (await jobs.get(job_id))["compute_type"] == "small"


@on_argo
async def test_on_argo_they_shape_the_pod(jobs: Jobs, argo: ArgoStandIn) -> None:
    job_id = await jobs.create("n.ipynb", notebook("1"), compute_type="gpu")
    assert (await jobs.wait(job_id))["status"] == "COMPLETED"
    main = main_of(argo.runs[f"job-{job_id}"].workflow["spec"])
    assert main["container"]["resources"]["limits"] == {"memory": "4Gi", "nvidia.com/gpu": "1"}
    assert main["nodeSelector"] == {"pool": "gpu"}


@on_argo
def test_helper_pods_are_on_no_node_of_a_compute_type(scheduler: ArgoScheduler) -> None:
    gpu = {
        "node_selector": {"pool": "gpu"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "extra_pod_config": {"runtimeClassName": "nvidia"},
        "environment": {"A": "1"},
    }
    after = restarted(
        scheduler,
        compute_types={"gpu": gpu},
        default_compute_type="gpu",
        pod_per_step=True,
        node_selector={"pool": "jobs", "zone": "a"},
        extra_pod_config={"enableServiceLinks": False},
    )
    assert isinstance(after.jobs.engine, ArgoEngine)
    manifest = after.jobs.engine.build_workflow(JobRow(job_id="1", compute_type="gpu"))
    main = main_of(manifest["spec"])
    assert main["nodeSelector"] == {"pool": "gpu", "zone": "a"}
    assert main["podSpecPatch"] == '{"enableServiceLinks": false, "runtimeClassName": "nvidia"}'
    for helper in (one for one in manifest["spec"]["templates"] if one.get("container") and one != main):
        assert helper["nodeSelector"] == {"pool": "jobs", "zone": "a"}
        assert helper["podSpecPatch"] == '{"enableServiceLinks": false}'
        assert "tolerations" not in helper
        assert {"name": "A", "value": "1"} in helper["container"]["env"]


def main_of(spec: dict[str, Any]) -> dict[str, Any]:
    return dict(next(one for one in spec["templates"] if one["name"] == "main"))


@on_argo
async def test_a_definitions_compute_type_can_be_changed_and_what_others_did_stays(
    jobs: Jobs, argo: ArgoStandIn, next_minute: Callable[[], Awaitable[None]]
) -> None:
    story = Story(jobs, next_minute, await jobs.define("n.ipynb", notebook("1"), compute_type="gpu"))
    cron = argo.crons[f"job-def-{story.id}"]
    cron["spec"]["workflowSpec"]["templates"][0]["tolerations"] = [{"key": "theirs"}]
    cron["spec"]["workflowSpec"]["priority"] = 5
    cron["metadata"]["annotations"]["note"] = "keep"
    await story.change(compute_type="", tags=["retries:2"], active=False)  # the default one
    assert argo.crons[f"job-def-{story.id}"] is cron
    main = main_of(cron["spec"]["workflowSpec"])
    assert main["container"]["resources"]["limits"] == {"memory": "1Gi", "cpu": "1"}
    assert "nodeSelector" not in main
    assert main["retryStrategy"]["limit"] == "2"
    assert main["tolerations"] == [{"key": "theirs"}]
    assert (cron["spec"]["workflowSpec"]["priority"], cron["metadata"]["annotations"]["note"]) == (5, "keep")
    await story.change(active=True)
    job = await story.next_run()
    assert (job["status"], job["compute_type"]) == ("COMPLETED", "small")
    puts = [path.rpartition("/")[2] for method, path in argo.requests if method == "PUT"]
    assert puts == [f"job-def-{story.id}", "resume"]


@on_argo
async def test_a_run_has_the_shape_as_it_is_configured_now(
    jobs: Jobs, argo: ArgoStandIn, scheduler: ArgoScheduler
) -> None:
    chosen, other = [await jobs.define(f"{n}.ipynb", notebook("1"), compute_type=n) for n in ("gpu", "small")]

    def after_restart(**traits: Any) -> list[str]:
        """Return what a server's start changes of Argo's cron workflows."""
        argo.requests.clear()
        restarted(scheduler, **traits).reconciler.reconcile()
        return [
            path.rpartition("/")[2].removeprefix("job-def-") for way, path in argo.requests if way == "PUT"
        ]

    def container(definition_id: str) -> dict[str, Any]:
        return dict(main_of(argo.crons[f"job-def-{definition_id}"]["spec"]["workflowSpec"])["container"])

    types = {**TYPES, "gpu": {"cpu_limit": 3}}
    assert after_restart() == []
    assert after_restart(compute_types=types) == [chosen]
    assert container(chosen)["resources"]["limits"] == {"cpu": "3"}
    assert after_restart(compute_types=types) == []
    assert sorted(after_restart(compute_types=types, image="registry.local/next:1")) == sorted(
        [chosen, other]
    )
    assert {container(one)["image"] for one in (chosen, other)} == {"registry.local/next:1"}
    # What changes no manifest is remembered, too.
    assert len(after_restart(compute_types=types, image="registry.local/next:1", slug_scheme="escape")) == 2
    assert after_restart(compute_types=types, image="registry.local/next:1", slug_scheme="escape") == []

    # One that is configured no more: its definition can be paused, and is not resumed without a reason.
    gone = restarted(scheduler, compute_types={}, default_compute_type="")
    gone.reconciler.reconcile()
    await gone.update_job_definition(chosen, UpdateJobDefinition(active=False))
    assert argo.crons[f"job-def-{chosen}"]["spec"]["suspend"]
    with pytest.raises(Exception, match="'gpu' is missing from the configuration"):
        await gone.update_job_definition(chosen, UpdateJobDefinition(active=True))


@pytest.mark.parametrize("place", ["local"], indirect=True)
async def test_a_scheduled_run_here_has_the_limits_of_now(jobs: Jobs, scheduler: ArgoScheduler) -> None:
    minutes = Minutes()

    def minutes_of(server: ArgoScheduler) -> Callable[[], Awaitable[None]]:
        schedules = LocalSchedules(server.jobs, server.reconciler, clock=minutes)
        return lambda: minutes.pass_one(schedules)

    after = restarted(scheduler, compute_types={"small": {"mem_limit": "2G"}})
    story = Story(jobs, minutes_of(after), await jobs.define("n.ipynb", notebook(SHOWS)))
    printed = await story.printed(await story.next_run())
    assert printed.split()[0] == str(2 * GIGABYTE)
    story.next_minute = minutes_of(restarted(scheduler, compute_types={}, default_compute_type=""))
    job = await story.next_run()
    assert (job["status"], "'small' is missing from the configuration" in job["status_message"]) == (
        "FAILED",
        True,
    )


@pytest.mark.parametrize(
    ("traits", "words"),
    [
        (
            {"compute_types": {"a": {"mem_limt": "1G"}}},
            "'a': mem_limt: this is not a trait of a pod. Available: mem_limit",
        ),
        ({"compute_types": {"a": {"mem_limit": "much"}}}, "'a': mem_limit"),
        ({"compute_types": {" ": {}}}, "is not a valid name"),
        (
            {"compute_types": {"a": {}}, "default_compute_type": "b"},
            "is 'b', which does not exist. Available: a",
        ),
        ({"compute_types": {"a": 3}}, "compute_types"),
    ],
)
@both
def test_they_are_validated_at_start(scheduler: ArgoScheduler, traits: dict[str, Any], words: str) -> None:
    with pytest.raises(TraitError, match=words):
        restarted(scheduler, **{"default_compute_type": "a", **traits})

"""Workflows and cron workflows as whole manifests."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.run_settings import SlackSettings
from argo_jupyter_scheduler.engines.argo.manifest_settings import ManifestSettings, settings_for
from argo_jupyter_scheduler.engines.argo.manifests import build_cron_workflow, build_workflow
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape
from tests.support.manifests import DEFINITION, JOB, SLACK_PARAMETERS, manifest_settings

DATA = Path(__file__).parents[3] / "data"
SENDING_JOB = replace(JOB, parameters=SLACK_PARAMETERS)

MANIFESTS: dict[str, Callable[[], dict[str, Any]]] = {
    "run-now": lambda: build_workflow(JOB, manifest_settings(pod_per_step=False)),
    "run-now-pod-per-step": lambda: build_workflow(JOB, manifest_settings(pod_per_step=True)),
    "run-now-pod-per-step-slack": lambda: build_workflow(SENDING_JOB, manifest_settings(pod_per_step=True)),
    "run-now-slack": lambda: build_workflow(SENDING_JOB, manifest_settings(pod_per_step=False)),
    "schedule": lambda: build_cron_workflow(DEFINITION, manifest_settings(pod_per_step=False)),
    "schedule-pod-per-step": lambda: build_cron_workflow(DEFINITION, manifest_settings(pod_per_step=True)),
    "schedule-argo-3.4": lambda: build_cron_workflow(
        replace(DEFINITION, active=False), manifest_settings(pod_per_step=False), one_schedule=True
    ),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests(name: str) -> None:
    built, file = MANIFESTS[name](), DATA / f"{name}.yaml"
    if os.environ.get("UPDATE_MANIFESTS"):
        file.write_text(yaml.safe_dump(built, sort_keys=False))
    assert built == yaml.safe_load(file.read_text()), yaml.safe_dump(built, sort_keys=False)


def pods_of(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the templates of pods by their name."""
    return {one["name"]: one for one in manifest["spec"]["templates"] if one.get("container")}


def test_a_slack_token_that_the_shape_refers_to_is_in_no_other_pod_than_those_that_send() -> None:
    reference = {"secretKeyRef": {"name": "of-the-server", "key": "slack"}}
    environment = {
        "SLACK_TOKEN": {"valueFrom": reference},
        "SLACK_CHANNEL": "#team",
        "SLACK_NOTIFY": "always",
    }
    shape = PodShape().changed(image="i", environment=environment)
    settings = ManifestSettings("dev", "sqlite://", "/s", True, shape, slack=SlackSettings(has_token=True))
    pods = pods_of(build_workflow(SENDING_JOB, settings))
    given = {name: pod["container"].get("env") for name, pod in pods.items()}
    token = [{"name": "SLACK_TOKEN", "valueFrom": reference}]
    silent = dict.fromkeys(("main", "rename-files", "success"))
    assert given == {**silent, "send-to-slack": token, "failure": token}
    plain = PodShape().changed(image="i", environment={"SLACK_TOKEN": "xoxb-plain"})
    assert "xoxb" not in str(
        build_workflow(SENDING_JOB, ManifestSettings("dev", "sqlite://", "/s", False, plain))
    )


def test_helper_pods_have_the_image_and_the_place_that_they_would_have_without_a_compute_type() -> None:
    base = PodShape(python="/python").changed(image="base:1", node_selector={"pool": "jobs"})
    gpu = {"image": "gpu:1", "node_selector": {"pool": "gpu"}, "extra_resource_limits": {"nvidia.com/gpu": 1}}
    settings = ManifestSettings(
        "dev",
        "sqlite://",
        "/s",
        False,
        base,
        compute_types={"gpu": gpu},
        helper_resources={"limits": {"cpu": "1"}},
    )
    job = replace(JOB, compute_type="gpu", tags=("retries:2", "timeout:1h"))
    manifest = build_workflow(job, settings_for(settings, job))
    main, helper = pods_of(manifest).values()
    assert (main["container"]["image"], main["nodeSelector"]) == ("gpu:1", {"pool": "gpu"})
    assert (helper["container"]["image"], helper["nodeSelector"]) == ("base:1", {"pool": "jobs"})
    assert main["container"]["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    assert helper["container"]["resources"] == {"limits": {"cpu": "1"}}
    assert main["retryStrategy"] == {"limit": "2", "retryPolicy": "Always"}
    assert main["container"]["args"][-4:] == ["--attempt", "{{retries}}", "--retries", "2"]
    assert "retryStrategy" not in helper
    assert manifest["spec"]["activeDeadlineSeconds"] == 3600


def test_a_compute_type_that_is_gone_is_refused_with_those_that_there_are() -> None:
    settings = replace(manifest_settings(pod_per_step=False), compute_types={"small": {}, "large": {}})
    with pytest.raises(InvalidJob, match=r"'smal' no longer exists\. Available: small"):
        settings_for(settings, replace(JOB, compute_type="smal"))


def test_fields_of_a_pod_are_where_argo_has_a_place_for_them_and_patched_in_elsewhere() -> None:
    shape = PodShape().changed(
        image="i",
        service_account="runner",
        pod_security_context={"runAsNonRoot": True},
        extra_pod_config={"dnsPolicy": "Default", "runtimeClassName": "nvidia", "hostUsers": False},
    )
    spec = build_workflow(JOB, ManifestSettings("dev", "sqlite://", "/s", False, shape))["spec"]
    assert (spec["serviceAccountName"], spec["dnsPolicy"]) == ("runner", "Default")
    for pod in pods_of({"spec": spec}).values():
        assert pod["securityContext"] == {"runAsNonRoot": True}
        assert pod["podSpecPatch"] == '{"hostUsers": false, "runtimeClassName": "nvidia"}'

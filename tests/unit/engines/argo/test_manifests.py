"""Workflows and cron workflows as whole manifests."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from argo_jupyter_scheduler.domain.errors import InvalidJob, InvalidPod
from argo_jupyter_scheduler.domain.run_settings import SlackSettings
from argo_jupyter_scheduler.engines.argo.labels import DATABASE_LABEL, is_reserved
from argo_jupyter_scheduler.engines.argo.manifest_settings import ManifestSettings, settings_for
from argo_jupyter_scheduler.engines.argo.manifests import build_cron_workflow, build_workflow
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape
from tests.support.manifests import (
    DEFINITION,
    JOB,
    SLACK_PARAMETERS,
    argo_settings,
    manifest_settings,
    manifest_settings_of,
)

DATA = Path(__file__).parents[3] / "data"
SENDING_JOB = replace(JOB, parameters=SLACK_PARAMETERS)


def notifying(pod_per_step: bool) -> ManifestSettings:
    """Return the settings for a job that notifies one of the targets that there are."""
    secrets = {name: {"name": "notifications", "key": name} for name in ("team", "ops")}
    settings = replace(manifest_settings(pod_per_step), notification_secrets=secrets)
    return settings_for(settings, replace(JOB, tags=("notify:team,gone",)))


MANIFESTS: dict[str, Callable[[], dict[str, Any]]] = {
    "run-now": lambda: build_workflow(JOB, manifest_settings(pod_per_step=False)),
    "run-now-pod-per-step": lambda: build_workflow(JOB, manifest_settings(pod_per_step=True)),
    "run-now-pod-per-step-slack": lambda: build_workflow(SENDING_JOB, manifest_settings(pod_per_step=True)),
    "run-now-slack": lambda: build_workflow(SENDING_JOB, manifest_settings(pod_per_step=False)),
    "run-now-notify": lambda: build_workflow(JOB, notifying(pod_per_step=False)),
    "run-now-pod-per-step-notify": lambda: build_workflow(JOB, notifying(pod_per_step=True)),
    "schedule-notify": lambda: build_cron_workflow(DEFINITION, notifying(pod_per_step=False)),
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


def test_the_id_of_the_database_is_a_label_of_each_object() -> None:
    settings = replace(manifest_settings(pod_per_step=False), database_id="0123")
    workflow, cron_workflow = build_workflow(JOB, settings), build_cron_workflow(DEFINITION, settings)
    for one in (workflow, cron_workflow, {"metadata": cron_workflow["spec"]["workflowMetadata"]}):
        assert one["metadata"]["labels"][DATABASE_LABEL] == "0123"
    assert is_reserved(DATABASE_LABEL)


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


def test_an_address_in_the_pods_environment_is_in_no_manifest() -> None:
    shape = PodShape().changed(image="i", environment={"NOTIFICATION_TARGET_team": "mailto://secret"})
    for pod_per_step in (False, True):
        settings = ManifestSettings("dev", "sqlite://", "/s", pod_per_step, shape)
        assert "secret" not in str(build_workflow(JOB, settings))


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
    with pytest.raises(InvalidJob, match=r"'smal' is missing from the configuration\. Available: small"):
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


@pytest.mark.parametrize("pod_per_step", [False, True])
def test_only_argos_own_containers_get_a_token_where_they_have_an_account(pod_per_step: bool) -> None:
    settings = replace(manifest_settings(pod_per_step), executor_service_account="argo-executor")
    workflow, cron = build_workflow(JOB, settings), build_cron_workflow(DEFINITION, settings)
    for spec in (workflow["spec"], cron["spec"]["workflowSpec"]):
        assert spec["automountServiceAccountToken"] is False
        assert spec["executor"] == {"serviceAccountName": "argo-executor"}
        assert "automountServiceAccountToken" not in str(spec["templates"])


def test_the_executors_account_is_a_name_and_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    settings = argo_settings(executor_service_account="executor-{username}", image="a", inherit_pod="off")
    assert manifest_settings_of(settings).executor_service_account == "executor-ada"
    for wrong in ("a b", "{{x}}", "{nobody}"):
        with pytest.raises(InvalidPod, match="executor_service_account"):
            argo_settings(executor_service_account=wrong)


def test_the_pods_account_in_the_documentation_has_the_least_rights() -> None:
    """Argo's executor reports with these two, and a notebook could use whatever else there is."""
    objects: list[dict[str, Any]] = []
    for page in ("kubernetes", "zero-to-jupyterhub"):
        text = (DATA.parents[1] / "docs" / f"{page}.md").read_text()
        for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
            objects += [one for one in yaml.safe_load_all(block) if isinstance(one, dict)]
    roles = [
        one for one in objects if one.get("kind") == "Role" and one["metadata"]["name"] == "argo-workflow"
    ]
    assert roles
    for role in roles:
        [rule] = role["rules"]
        assert (rule["resources"], set(rule["verbs"])) == (["workflowtaskresults"], {"create", "patch"})

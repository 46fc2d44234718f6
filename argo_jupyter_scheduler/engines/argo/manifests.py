"""Builds a run's Workflow and a definition's CronWorkflow. Pure: no I/O.

A manifest holds ids and paths, never what a user typed: Argo expands ``{{…}}`` in it, and whoever may list workflows can read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hera.workflows import Container, CronWorkflow, Parameter, Step, Steps, Workflow
from hera.workflows.models import Container as ContainerModel
from hera.workflows.models import (
    ContinueOn,
    IntOrString,
    PodSecurityContext,
    RetryStrategy,
    Template,
    TTLStrategy,
    WorkflowSpec,
)
from pydantic import BaseModel

from argo_jupyter_scheduler.domain import options, plan
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.identity import cron_workflow_name, workflow_name
from argo_jupyter_scheduler.domain.run_settings import SlackSettings
from argo_jupyter_scheduler.domain.schedules import DEFAULT_TIMEZONE
from argo_jupyter_scheduler.domain.text import nearest_names
from argo_jupyter_scheduler.engines.argo.pods.names import (
    CREATOR_LABEL,
    DEFINITION_LABEL,
    JOB_LABEL,
    MANAGER,
    OVERRIDE_LABEL,
)
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape
from argo_jupyter_scheduler.engines.argo.settings import Policy
from argo_jupyter_scheduler.notify import slack
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow

WORKFLOW_FIELDS = frozenset(
    {"dnsConfig", "dnsPolicy", "hostNetwork", "imagePullSecrets", "serviceAccountName", "volumes"}
)
"""Fields of a pod's specification that Argo has for all pods of a workflow."""

TEMPLATE_FIELDS = frozenset(
    {"affinity", "automountServiceAccountToken", "hostAliases", "initContainers", "nodeSelector"}
    | {"priorityClassName", "schedulerName", "securityContext", "tolerations"}
)
"""Those that it has for the pod of a template. All others are in none of both, and are patched in."""

PLACEMENT = frozenset(
    {"affinity", "nodeName", "nodeSelector", "overhead", "preemptionPolicy", "priority", "priorityClassName"}
    | {"resourceClaims", "runtimeClassName", "schedulerName", "tolerations", "topologySpreadConstraints"}
)
"""Those that say on which nodes a pod may be, and how it comes to one."""


@dataclass(frozen=True)
class ManifestSettings:
    """What all runs share.

    Attributes
    ----------
    namespace
        Kubernetes namespace of the workflows.
    db_url, staging_path
        Where rows and files are, in the pods as on the server.
    pod_per_step
        Whether each step gets a pod of its own.
    shape
        The pods' shape.
    policy
        How Argo treats runs.
    helper_resources
        What the exit handler, and single steps other than `main`, ask for instead of what the shape does.
    helper_shape
        The shape whose image and `PLACEMENT` these pods have instead of the shape's; None for the shape's own.
    creator
        The user's name as a label's value; empty for none.
    nebari
        Whether Nebari's admission controller completes the manifest.
    compute_types
        What each compute type changes of the shape: traits of a pod.
    retries
        How often a failed `main` is tried again.
    slack
        What runs tell Slack.
    slack_token_secret
        ``name`` and ``key`` of the Kubernetes Secret that has the token; empty for none.
    configured
        The traits that all of this comes from, where an administrator has set them.
    """

    namespace: str
    db_url: str
    staging_path: str
    pod_per_step: bool
    shape: PodShape
    policy: Policy = field(default_factory=Policy)
    helper_resources: Mapping[str, Any] = field(default_factory=dict)
    helper_shape: PodShape | None = None
    creator: str = ""
    nebari: bool = False
    compute_types: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    retries: int = 0
    slack: SlackSettings = field(default_factory=SlackSettings)
    slack_token_secret: Mapping[str, str] = field(default_factory=dict)
    configured: Mapping[str, Any] = field(default_factory=dict)


def settings_for(settings: ManifestSettings, row: JobRow | DefinitionRow) -> ManifestSettings:
    """Return a settings with what a job or a definition asks for: its compute type as it is now, and its options.

    Parameters
    ----------
    row
        Its row; ``compute_type``, ``tags`` and ``runtime_environment_parameters`` are looked at.

    Raises
    ------
    InvalidJob
        There is no such compute type any more, or an option cannot be.
    """
    asked = options.read_options(row.tags, row.runtime_environment_parameters)
    shape = settings.shape
    name = row.compute_type
    if name:
        if name not in settings.compute_types:
            raise InvalidJob(
                f"There is no compute type '{name}' any more. Possible: {nearest_names(name, settings.compute_types)}."
            )
        shape = shape.changed(**settings.compute_types[name])
    if asked.image:
        shape = shape.changed(image=asked.image)
    deadline = asked.timeout or settings.policy.active_deadline_seconds
    concurrency = asked.concurrency or settings.policy.concurrency
    policy = replace(settings.policy, active_deadline_seconds=deadline, concurrency=concurrency)
    # Helper pods are what and where they would be without that: no node with a GPU is started to write a row, and an image that
    # cannot be pulled does not keep the exit handler from telling.
    return replace(settings, shape=shape, helper_shape=settings.shape, policy=policy, retries=asked.retries)


def literal(text: str) -> str:
    """Return `text` with nothing in it that Argo expands; ``urllib.parse.unquote`` gives it back."""
    return text.replace("%", "%25").replace("{", "%7B")


def build_workflow(job: JobRow, settings: ManifestSettings) -> dict[str, Any]:
    """Return the manifest of one run, as Argo's API takes it.

    Parameters
    ----------
    job
        The run's row. Of what a user typed in it, nothing gets into the manifest.
    """
    job_id = job.job_id
    tells = slack.is_asked_for(job.parameters, settings.slack)
    steps = tuple(name for name in plan.STEPS if tells or name != plan.SEND_TO_SLACK)
    with Workflow(
        name=workflow_name(job_id),
        labels={**settings.shape.labels, **MANAGER, JOB_LABEL: job_id, **_nebari_labels(settings)},
        **_common(settings),
    ) as workflow:
        _templates(steps, ["--job-id", job_id], settings, tells)
    manifest: dict[str, Any] = workflow.to_dict()
    return manifest


def build_cron_workflow(
    definition: DefinitionRow, settings: ManifestSettings, one_schedule: bool = False
) -> dict[str, Any]:
    """Return the manifest of a definition's cron workflow.

    It names the definition's id; what is run, each run reads from the definition's row.

    Parameters
    ----------
    definition
        The definition's row.
    one_schedule
        Whether Argo is one that knows `schedule` only (before 3.6); later ones know `schedules`, and 3.6 and 3.7 refuse both.
    """
    definition_id = definition.job_definition_id
    policy = settings.policy
    identity = ["--job-id", "{{workflow.uid}}", "--definition-id", definition_id]
    identity += ["--workflow", "{{workflow.name}}", "--created", "{{workflow.creationTimestamp}}"]
    labels = {**settings.shape.labels, **MANAGER, DEFINITION_LABEL: definition_id}
    with CronWorkflow(
        name=cron_workflow_name(definition_id),
        labels={**labels, **_nebari_labels(settings)},
        timezone=definition.timezone or DEFAULT_TIMEZONE,
        cron_suspend=not definition.active,
        concurrency_policy=policy.concurrency,
        starting_deadline_seconds=policy.starting_deadline_seconds,
        successful_jobs_history_limit=policy.successful_limit,
        failed_jobs_history_limit=policy.failed_limit,
        schedules=[str(definition.schedule)],
        **_common(settings),
    ) as cron_workflow:
        # The step is always among those of a pod, so that its parameters may come and go; only a pod of its own is spared.
        _templates(
            plan.SCHEDULED_STEPS,
            identity,
            settings,
            slack.is_asked_for(definition.parameters, settings.slack),
        )
    manifest: dict[str, Any] = cron_workflow.to_dict()
    # hera's `workflow_metadata` is another one, of the workflow's own specification. Nebari's label stays off here: its admission
    # controller would change a run a second time, and break it.
    manifest["spec"]["workflowMetadata"] = {"labels": labels}
    if one_schedule:  # hera 7 builds for Argo 3.6 and later
        [manifest["spec"]["schedule"]] = manifest["spec"].pop("schedules")
    return manifest


def _nebari_labels(settings: ManifestSettings) -> dict[str, str]:
    """Return labels of what is created; a cron workflow's runs get them from their parent."""
    return {OVERRIDE_LABEL: "true", **({CREATOR_LABEL: settings.creator} if settings.creator else {})}


def _common(settings: ManifestSettings) -> dict[str, Any]:
    """Return what a workflow's specification has beside its templates."""
    spec, policy = settings.shape.spec, settings.policy
    own = {name: spec[name] for name in WORKFLOW_FIELDS if name in spec}
    return {
        "namespace": settings.namespace,
        "entrypoint": "steps",
        "on_exit": "exit",
        "ttl_strategy": TTLStrategy(seconds_after_completion=policy.ttl_seconds),
        "active_deadline_seconds": policy.active_deadline_seconds or None,
        **_set(WorkflowSpec.model_validate(own)),
    }


def _templates(steps: tuple[str, ...], identity: list[str], settings: ManifestSettings, tells: bool) -> None:
    """Add the templates to hera's workflow of the surrounding ``with``.

    Parameters
    ----------
    steps
        The run's steps, in order.
    identity
        The arguments that tell a step which run it belongs to.
    tells
        Whether Slack is told, so that a pod for that is worth its time.
    """
    if settings.pod_per_step:
        _pod_per_step([name for name in steps if tells or name != plan.SEND_TO_SLACK], identity, settings)
    else:
        main = _container("main", steps, identity, settings)
        with Steps(name="steps"):
            Step(name="main", template=main.name)
    _exit_handler(steps, identity, settings)


def _pod_per_step(steps: list[str], identity: list[str], settings: ManifestSettings) -> None:
    names = [name for name in steps if name != plan.FAILURE]  # that one is the exit handler's
    for name in names:
        _container(name, [name], identity, settings)
    with Steps(name="steps"):
        for name in names:
            # After `main`, the others go on: `success` judges by what it left, and its failure makes the workflow Failed.
            goes_on = name not in (plan.CREATE_JOB_ID, names[-1])
            Step(
                name=name,
                template=name,
                continue_on=ContinueOn(failed=True, error=True) if goes_on else None,
            )


def _exit_handler(steps: tuple[str, ...], identity: list[str], settings: ManifestSettings) -> None:
    """Add what Argo runs in the end, whatever became of the pods: `failure`, unless the workflow succeeded.

    What a killed `main` has left (the notebook up to that cell, the log) is published first, and Slack is told if it was not; the
    row of a run whose first pod never came to write it, is made.

    A ``hooks.exit`` with an expression runs on success too (Argo 4.1); a step's ``when`` is obeyed.
    """
    _container(
        plan.FAILURE,
        [name for name in steps if name == plan.CREATE_JOB_ID or name in plan.ALWAYS],
        [*identity, "--failures", "{{inputs.parameters.failures}}"],
        settings,
        inputs=[Parameter(name="failures", value="{{workflow.failures}}")],
    )
    with Steps(name="exit"):
        Step(name=plan.FAILURE, template=plan.FAILURE, when="{{workflow.status}} != Succeeded")


def _container(
    name: str,
    steps: tuple[str, ...] | list[str],
    arguments: list[str],
    settings: ManifestSettings,
    *,
    inputs: list[Parameter] | None = None,
) -> Container:
    shape, spec = settings.shape, dict(settings.shape.spec)
    resources = shape.container.get("resources") if plan.MAIN in steps else settings.helper_resources
    program = shape  # whose image and Python are used
    if plan.MAIN not in steps and settings.helper_shape:
        program = settings.helper_shape if settings.helper_shape.image else shape
        spec = {name: value for name, value in spec.items() if name not in PLACEMENT}
        spec |= {name: value for name, value in settings.helper_shape.spec.items() if name in PLACEMENT}
    if resources and settings.nebari:
        resources = _both_sides(resources)
    container = {
        **shape.container,
        "image": program.image,
        "env": _environment(steps, settings) or None,
        "resources": resources or None,
    }
    pod = {name: value for name, value in spec.items() if name in TEMPLATE_FIELDS}
    security_context = pod.pop("securityContext", None)
    other = {name: value for name, value in spec.items() if name not in TEMPLATE_FIELDS | WORKFLOW_FIELDS}
    retries = settings.retries if plan.MAIN in steps else 0
    if retries:
        arguments = [*arguments, "--attempt", "{{retries}}", "--retries", str(retries)]
    return Container(
        name=name,
        command=[program.python, "-m", "argo_jupyter_scheduler.steps", *steps],
        args=[
            *("--db-url", literal(settings.db_url)),
            *("--staging-path", literal(settings.staging_path)),
            *arguments,
        ],
        inputs=inputs,
        # Always: also after what is no fault of the notebook, such as an eviction (Error) or too little memory (Failed).
        retry_strategy=RetryStrategy(limit=IntOrString(str(retries)), retry_policy="Always")
        if retries
        else None,
        labels=dict(shape.labels) or None,
        annotations=dict(shape.annotations) or None,
        pod_spec_patch=json.dumps(other, sort_keys=True) if other else None,
        pod_security_context=security_context and PodSecurityContext.model_validate(security_context),
        **_set(ContainerModel.model_validate({"image": "", **container})),
        **_set(Template.model_validate(pod)),
    )


def _set(model: BaseModel) -> dict[str, Any]:
    """Return the fields of a hera model that are set, under the names that hera's builders give them too."""
    return {name: getattr(model, name) for name in model.model_fields_set}


def _both_sides(resources: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return guarantees and limits of the same resources: Nebari's controller would fill in the user's, which may not fit."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return {"limits": {**requests, **limits}, "requests": {**limits, **requests}}


def _environment(steps: tuple[str, ...] | list[str], settings: ManifestSettings) -> list[dict[str, Any]]:
    """Return a pod's environment variables. The Slack token is there by reference only, and only in pods that send messages.

    Our own reference is optional: a pod whose Secret is missing would not start, for ever, and no message is worth a run.
    """
    env = list(settings.shape.container.get("env") or [])
    others = [one for one in env if one["name"] not in slack.NAMES]
    if plan.SEND_TO_SLACK not in steps:
        return others
    if settings.slack_token_secret:
        reference = {**settings.slack_token_secret, "optional": True}
        return [*others, {"name": slack.TOKEN, "valueFrom": {"secretKeyRef": reference}}]
    return [*others, *slack_token_references(env)]


def slack_token_references(env: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those of a pod's environment variables that refer to the Slack token."""
    return [one for one in env if one["name"] == slack.TOKEN and one.get("valueFrom")]

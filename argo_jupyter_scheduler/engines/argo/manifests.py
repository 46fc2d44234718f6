"""Builds a run's Workflow and a definition's CronWorkflow. Pure: no I/O.

A manifest holds ids and paths, never what a user typed: Argo expands ``{{…}}`` in it, and everybody who may list workflows can
read it.

hera builds the workflow, its steps and its commands. The shape of the pods is put in as it is, since hera's models drop the fields
of a newer Kubernetes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hera.workflows import Container, CronWorkflow, Parameter, Step, Steps, Workflow
from hera.workflows.models import Backoff, ContinueOn, ExecutorConfig, IntOrString, RetryStrategy, TTLStrategy

from argo_jupyter_scheduler.domain import plan
from argo_jupyter_scheduler.domain.identity import cron_workflow_name, workflow_name
from argo_jupyter_scheduler.domain.schedules import DEFAULT_TIMEZONE, normalize
from argo_jupyter_scheduler.engines.argo.labels import (
    CREATOR_LABEL,
    DATABASE_LABEL,
    DEFINITION_LABEL,
    JOB_LABEL,
    MANAGER,
    OVERRIDE_LABEL,
)
from argo_jupyter_scheduler.engines.argo.manifest_settings import ManifestSettings, find_slack_token
from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape
from argo_jupyter_scheduler.notify import slack, targets
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow

WORKFLOW_FIELDS = frozenset(
    {"dnsConfig", "dnsPolicy", "hostNetwork", "imagePullSecrets", "serviceAccountName", "volumes"}
)
"""Fields of a pod's specification that a workflow has for all of its pods."""

TEMPLATE_FIELDS = frozenset(
    {"affinity", "automountServiceAccountToken", "hostAliases", "initContainers", "nodeSelector"}
    | {"priorityClassName", "schedulerName", "securityContext", "tolerations"}
)
"""Fields of a pod's specification that a template has for its pod. All others have to be patched in."""

PLACEMENT_FIELDS = frozenset(
    {"affinity", "nodeName", "nodeSelector", "overhead", "preemptionPolicy", "priority", "priorityClassName"}
    | {"resourceClaims", "runtimeClassName", "schedulerName", "tolerations", "topologySpreadConstraints"}
)
"""Fields of a pod's specification that decide on which node it runs, and when."""


def literal(text: str) -> str:
    """Return `text` with nothing in it that Argo expands; ``urllib.parse.unquote`` gives it back."""
    return text.replace("%", "%25").replace("{", "%7B")


@dataclass(frozen=True)
class _Pod:
    """One pod of a run: a template of the workflow.

    Attributes
    ----------
    name
        Of the template.
    steps
        The steps of the pod, in order.
    inputs
        Parameters of the template, and what Argo fills in for them. The command has each as an option.
    """

    name: str
    steps: Sequence[str]
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_helper(self) -> bool:
        """Whether the pod does not execute the notebook."""
        return plan.MAIN not in self.steps


def build_workflow(job: JobRow, settings: ManifestSettings) -> KubernetesObject:
    """Return the manifest of one run, as Argo's API takes it.

    Parameters
    ----------
    job
        The run's row. Nothing that a user typed gets from it into the manifest.
    """
    sending = _find_sending_steps(job, settings)
    pods = _list_pods(_without(plan.STEPS, plan.SENDING_STEPS - sending), settings.pod_per_step, sending)
    with Workflow(
        name=workflow_name(job.job_id),
        labels={**_labels(settings), JOB_LABEL: job.job_id, **_nebari_labels(settings)},
        **_workflow_fields(settings),
    ) as workflow:
        _add_templates(pods, ["--job-id", job.job_id], settings)
    manifest: KubernetesObject = workflow.to_dict()
    _shape_pods(manifest["spec"], pods, settings)
    return manifest


def build_cron_workflow(
    definition: DefinitionRow, settings: ManifestSettings, one_schedule: bool = False
) -> KubernetesObject:
    """Return the manifest of a definition's cron workflow.

    It names the definition's id; each run reads from the definition's row what to run.

    Parameters
    ----------
    one_schedule
        Whether to write `schedule`, for Argo before 3.6, instead of `schedules`. Argo 3.6 and 3.7 refuse both together.
    """
    definition_id = definition.job_definition_id
    policy = settings.policy
    identity = ["--job-id", "{{workflow.uid}}", "--definition-id", definition_id]
    identity += ["--workflow", "{{workflow.name}}", "--created", "{{workflow.creationTimestamp}}"]
    labels = {**_labels(settings), DEFINITION_LABEL: definition_id}
    sending = _find_sending_steps(definition, settings)
    # A pod of all steps always has the one for Slack, so that its parameters may come and go. Only its own pod is left out. An
    # image with an earlier version of this package does not know the other one.
    steps = _without(plan.SCHEDULED_STEPS, {plan.SEND_NOTIFICATIONS} - sending)
    pods = _list_pods(steps, settings.pod_per_step, sending)
    with CronWorkflow(
        name=cron_workflow_name(definition_id),
        labels={**labels, **_nebari_labels(settings)},
        timezone=definition.timezone or DEFAULT_TIMEZONE,
        cron_suspend=not definition.active,
        concurrency_policy=policy.concurrency,
        starting_deadline_seconds=policy.starting_deadline_seconds,
        successful_jobs_history_limit=policy.successful_limit,
        failed_jobs_history_limit=policy.failed_limit,
        schedules=[normalize(str(definition.schedule))],
        **_workflow_fields(settings),
    ) as cron_workflow:
        _add_templates(pods, identity, settings)
    manifest: KubernetesObject = cron_workflow.to_dict()
    _shape_pods(manifest["spec"]["workflowSpec"], pods, settings)
    # hera's `workflow_metadata` is that of the workflow's own specification. Nebari's label stays off here: its admission
    # controller would change a run a second time, and break it.
    manifest["spec"]["workflowMetadata"] = {"labels": labels}
    if one_schedule:  # hera 7 builds for Argo 3.6 and later
        [manifest["spec"]["schedule"]] = manifest["spec"].pop("schedules")
    return manifest


def _labels(settings: ManifestSettings) -> dict[str, str]:
    """Return the labels of every object."""
    database = {DATABASE_LABEL: settings.database_id} if settings.database_id else {}
    return {**settings.shape.labels, **MANAGER, **database}


def _nebari_labels(settings: ManifestSettings) -> dict[str, str]:
    """Return labels of what is created; a cron workflow's runs get them from their parent."""
    return {OVERRIDE_LABEL: "true", **({CREATOR_LABEL: settings.creator} if settings.creator else {})}


def _workflow_fields(settings: ManifestSettings) -> dict[str, Any]:
    """Return what a workflow's specification has beside its templates and the pods' shape."""
    return {
        "namespace": settings.namespace,
        "entrypoint": "steps",
        "on_exit": "exit",
        "ttl_strategy": TTLStrategy(seconds_after_completion=settings.policy.ttl_seconds),
        "active_deadline_seconds": settings.policy.active_deadline_seconds or None,
        **_executor_fields(settings.executor_service_account),
    }


def _executor_fields(account: str) -> dict[str, Any]:
    """Return what gives a service account's token to Argo's own containers alone; Argo mounts it there from its Secret."""
    if not account:
        return {}
    executor = ExecutorConfig(service_account_name=account)
    return {"automount_service_account_token": False, "executor": executor}


def _find_sending_steps(row: JobRow | DefinitionRow, settings: ManifestSettings) -> frozenset[str]:
    """Return the steps that have a message to send."""
    sending = {
        plan.SEND_TO_SLACK: slack.is_asked_for(row.parameters, settings.slack),
        plan.SEND_NOTIFICATIONS: bool(settings.notification_secrets),
    }
    return frozenset(name for name, is_asked_for in sending.items() if is_asked_for)


def _without(steps: Sequence[str], left_out: Collection[str]) -> list[str]:
    return [name for name in steps if name not in left_out]


def _list_pods(steps: Sequence[str], pod_per_step: bool, sending: Collection[str]) -> list[_Pod]:
    """Return the pods of a run in their order; the last one is the exit handler's.

    Parameters
    ----------
    steps
        The run's steps.
    sending
        The steps that have a message to send, so that a pod of its own is worth its time.

    Notes
    -----
    The exit handler publishes what a killed `main` has left (the notebook up to that cell, the log), sends the messages that were
    not sent, and writes the row of a run whose first pod never started.
    """
    at_exit = [name for name in steps if name == plan.CREATE_JOB_ID or name in plan.ALWAYS]
    exit_handler = _Pod(plan.FAILURE, at_exit, inputs={"failures": "{{workflow.failures}}"})
    if not pod_per_step:
        return [_Pod("main", steps), exit_handler]
    needed = _without(steps, plan.SENDING_STEPS - set(sending))
    return [*(_Pod(name, [name]) for name in needed if name != plan.FAILURE), exit_handler]


def _add_templates(pods: list[_Pod], identity: list[str], settings: ManifestSettings) -> None:
    """Add the templates to hera's workflow of the surrounding ``with``.

    A ``hooks.exit`` with an expression also runs on success (Argo 4.1); a step's ``when`` is obeyed.

    Parameters
    ----------
    identity
        The arguments that say which run a step belongs to.
    """
    *in_order, exit_handler = pods
    for pod in in_order:
        _add_container(pod, identity, settings)
    with Steps(name="steps"):
        for pod in in_order:
            # After a failed `main` the others run too: `success` judges by the files, and its failure makes the workflow Failed.
            continues = pod is not in_order[-1] and pod.name != plan.CREATE_JOB_ID
            continue_on = ContinueOn(failed=True, error=True) if continues else None
            Step(name=pod.name, template=pod.name, continue_on=continue_on)
    _add_container(exit_handler, identity, settings)
    with Steps(name="exit"):
        Step(name=exit_handler.name, template=exit_handler.name, when="{{workflow.status}} != Succeeded")


def _add_container(pod: _Pod, identity: list[str], settings: ManifestSettings) -> None:
    program = _program(pod, settings)
    arguments = ["--db-url", literal(settings.db_url), "--staging-path", literal(settings.staging_path)]
    arguments += identity
    for name in pod.inputs:
        arguments += [f"--{name}", f"{{{{inputs.parameters.{name}}}}}"]
    retry_strategy = None
    if settings.retries and not pod.is_helper:
        arguments += ["--attempt", "{{retries}}", "--retries", str(settings.retries)]
        # Always: also after what is not the notebook's fault, such as an eviction (Error) or too little memory (Failed).
        # Without a factor, Argo doubles no interval.
        backoff = Backoff(duration=f"{settings.retry_interval}s") if settings.retry_interval else None
        retry_strategy = RetryStrategy(
            limit=IntOrString(str(settings.retries)), retry_policy="Always", backoff=backoff
        )
    Container(
        name=pod.name,
        image=program.image,
        command=[program.python, "-m", "argo_jupyter_scheduler.steps", *pod.steps],
        args=arguments,
        inputs=[Parameter(name=name, value=value) for name, value in pod.inputs.items()] or None,
        retry_strategy=retry_strategy,
        labels=dict(settings.shape.labels) or None,
        annotations=dict(settings.shape.annotations) or None,
    )


def _program(pod: _Pod, settings: ManifestSettings) -> PodShape:
    """Return the shape whose image and Python a pod uses."""
    helper = settings.helper_shape
    return helper if pod.is_helper and helper and helper.image else settings.shape


# The pods' shape


def _shape_pods(spec: KubernetesObject, pods: list[_Pod], settings: ManifestSettings) -> None:
    """Put the shape of the pods into a workflow's specification."""
    shape = settings.shape.spec
    spec.update({name: shape[name] for name in WORKFLOW_FIELDS if name in shape})
    templates = {template["name"]: template for template in spec["templates"]}
    for pod in pods:
        templates[pod.name].update(_pod_fields(_pod_spec(pod, settings)))
        templates[pod.name]["container"].update(_container_fields(pod, settings))


def _pod_spec(pod: _Pod, settings: ManifestSettings) -> Mapping[str, Any]:
    """Return a pod's specification: that of the shape, with the placement of helper pods where it is one."""
    spec, helper = settings.shape.spec, settings.helper_shape
    if not (pod.is_helper and helper):
        return spec
    kept = {name: value for name, value in spec.items() if name not in PLACEMENT_FIELDS}
    return kept | {name: value for name, value in helper.spec.items() if name in PLACEMENT_FIELDS}


def _pod_fields(spec: Mapping[str, Any]) -> KubernetesObject:
    """Return what a template has of a pod's specification. Fields for which Argo has no place of its own become a patch."""
    fields = {name: value for name, value in spec.items() if name in TEMPLATE_FIELDS}
    other = {name: value for name, value in spec.items() if name not in TEMPLATE_FIELDS | WORKFLOW_FIELDS}
    return {**fields, "podSpecPatch": json.dumps(other, sort_keys=True)} if other else fields


def _container_fields(pod: _Pod, settings: ManifestSettings) -> KubernetesObject:
    shape = settings.shape.container
    resources = settings.helper_resources if pod.is_helper else shape.get("resources")
    if resources and settings.nebari:
        resources = _mirror_resources(resources)
    own = {"image", "env", "resources"}
    fields = {name: value for name, value in shape.items() if name not in own}
    return fields | {
        name: value
        for name, value in (("env", _environment(pod, settings)), ("resources", resources))
        if value
    }


def _mirror_resources(resources: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return guarantees and limits of the same resources: Nebari's controller would fill in the user's, which may not fit."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return {"limits": {**requests, **limits}, "requests": {**limits, **requests}}


def _environment(pod: _Pod, settings: ManifestSettings) -> list[KubernetesObject]:
    """Return a pod's environment variables. Only pods that send messages have tokens and addresses, by reference."""
    given = list(settings.shape.container.get("env") or [])
    secret = {*slack.NAMES, *targets.find_variables(variable["name"] for variable in given)}
    env = [variable for variable in given if variable["name"] not in secret]
    if plan.SEND_TO_SLACK in pod.steps:
        own = settings.slack_token_secret
        env += [_refer(slack.TOKEN, own)] if own else find_slack_token(given)
    if plan.SEND_NOTIFICATIONS in pod.steps:
        secrets = settings.notification_secrets
        env += [_refer(targets.name_variable(target), secret) for target, secret in secrets.items()]
    return env


def _refer(name: str, secret: Mapping[str, str]) -> KubernetesObject:
    """Return an environment variable that refers to a Secret.

    The reference is optional: a pod whose Secret is missing would never start, and no message is worth a run.
    """
    return {"name": name, "valueFrom": {"secretKeyRef": {**secret, "optional": True}}}

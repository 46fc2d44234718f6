"""Settings of all manifests, and the changes that one job or definition makes to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from argo_jupyter_scheduler.domain import messages, options
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.run_settings import SlackSettings
from argo_jupyter_scheduler.domain.text import nearest_names
from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject
from argo_jupyter_scheduler.engines.argo.pods import shape_sources
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape
from argo_jupyter_scheduler.engines.argo.settings import ArgoSettings, Policy
from argo_jupyter_scheduler.notify import slack
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow


@dataclass(frozen=True)
class ManifestSettings:
    """The settings that the manifests of all runs share.

    Attributes
    ----------
    namespace
        Kubernetes namespace of the workflows.
    db_url, staging_path
        Where rows and files are, in the pods as on the server.
    database_id
        The id that tells the database from all others; empty where that is unknown.
    pod_per_step
        Whether each step gets a pod of its own.
    shape
        The pods' shape.
    policy
        How Argo treats runs.
    helper_resources
        Resources of helper pods: the exit handler, and single steps other than `main`.
    helper_shape
        The shape that gives helper pods their image and ``PLACEMENT_FIELDS``; None for `shape`.
    creator
        The user's name as a label's value; empty for none.
    nebari
        Whether Nebari's admission controller completes the manifest.
    compute_types
        The changes that each compute type makes to the shape: traits of a pod.
    executor_service_account
        The service account of Argo's own containers, so that the run's container gets no token; empty for that of the pod.
    retries
        How often a failed `main` is tried again.
    retry_interval
        Seconds between two attempts.
    slack
        The settings for messages to Slack.
    slack_token_secret
        ``name`` and ``key`` of the Kubernetes Secret that has the token; empty for none.
    notification_secrets
        ``name`` and ``key`` of the Kubernetes Secret that has the address, for each notification target; those of one job or
        definition are its own targets.
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
    executor_service_account: str = ""
    retries: int = 0
    retry_interval: int = 0
    slack: SlackSettings = field(default_factory=SlackSettings)
    slack_token_secret: Mapping[str, str] = field(default_factory=dict)
    notification_secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    database_id: str = ""


def make_manifest_settings(
    settings: ArgoSettings, inherited: PodShape, db_url: str, staging_path: str
) -> ManifestSettings:
    """Return what the manifests of all runs share.

    Parameters
    ----------
    inherited
        The shape of this server's own pod, as far as runs inherit it.

    Raises
    ------
    InvalidPod
        Says which trait is not valid, and why.
    """
    pods = settings.pods
    shape = shape_sources.build_shape(pods, inherited)
    has_token = bool(settings.slack_token_secret or find_slack_token(shape.container.get("env") or []))
    return ManifestSettings(
        namespace=settings.connection.namespace,
        db_url=db_url,
        staging_path=staging_path,
        pod_per_step=settings.pod_per_step,
        shape=shape,
        policy=settings.policy,
        helper_resources=shape_sources.helper_resources(pods),
        creator=settings.creator,
        nebari=pods.nebari,
        compute_types=shape_sources.expand_compute_types(pods, shape),
        executor_service_account=shape_sources.find_executor_account(pods),
        slack=replace(settings.slack, has_token=has_token),
        slack_token_secret=settings.slack_token_secret,
        notification_secrets=settings.notification_secrets,
    )


def settings_for(settings: ManifestSettings, row: JobRow | DefinitionRow) -> ManifestSettings:
    """Return the settings for one job or definition: with its compute type as it is now, and its options.

    Helper pods keep the image and the placement that they would have without these. No node with a GPU is started to write a row,
    and an image that cannot be pulled does not keep the exit handler from reporting.

    Raises
    ------
    InvalidJob
        Its compute type no longer exists, or an option is not valid.
    """
    asked = options.read_options(row.tags, row.runtime_environment_parameters, of_run=True)
    shape = settings.shape
    if row.compute_type:
        if row.compute_type not in settings.compute_types:
            available = nearest_names(row.compute_type, settings.compute_types)
            raise InvalidJob(messages.runs.compute_type_gone(row.compute_type, available))
        shape = shape.changed(**settings.compute_types[row.compute_type])
    if asked.image:
        shape = shape.changed(image=asked.image)
    known = settings.notification_secrets
    notified, _ = options.read_notify(row.tags, row.runtime_environment_parameters, default="")
    deadline = asked.timeout or settings.policy.active_deadline_seconds
    concurrency = asked.concurrency or settings.policy.concurrency
    policy = replace(settings.policy, active_deadline_seconds=deadline, concurrency=concurrency)
    return replace(
        settings,
        shape=shape,
        helper_shape=settings.shape,
        policy=policy,
        notification_secrets={name: known[name] for name in notified if name in known},
        retries=asked.retries,
        retry_interval=asked.retry_interval,
    )


def find_slack_token(env: list[KubernetesObject]) -> list[KubernetesObject]:
    """Return those of a pod's environment variables that refer to the Slack token."""
    return [variable for variable in env if variable["name"] == slack.TOKEN and variable.get("valueFrom")]

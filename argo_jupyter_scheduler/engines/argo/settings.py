"""The configuration of the engine of Argo; `config` makes it from the traits.

Light on purpose: the traits are read before it is known whether hera's models, which take a second, are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from argo_jupyter_scheduler.domain.run_settings import SlackSettings
from argo_jupyter_scheduler.engines.argo.connection import Connection
from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject

Switch = Literal["auto", "on", "off"]
"""A setting that may be left to what is found."""


@dataclass(frozen=True)
class Policy:
    """How Argo treats runs.

    Attributes
    ----------
    concurrency
        ``Allow``, ``Forbid`` or ``Replace``: what becomes of a schedule's run that is still in progress at the next one.
    starting_deadline_seconds
        How late a scheduled run may begin; 0 for not at all.
    successful_limit, failed_limit
        How many finished workflows of a schedule are kept.
    ttl_seconds
        How long a finished workflow is kept.
    active_deadline_seconds
        How long a run may take; 0 for no limit.
    """

    concurrency: str = "Replace"
    starting_deadline_seconds: int = 0
    successful_limit: int = 4
    failed_limit: int = 20
    ttl_seconds: int = 24 * 3600
    active_deadline_seconds: int = 0


@dataclass(frozen=True)
class PodSettings:
    """Where the shape of runs' pods comes from.

    Attributes
    ----------
    traits
        The traits of a pod, with KubeSpawner's names and units; templates are not expanded yet.
    compute_types
        The changes that each compute type makes: traits of a pod.
    helper_traits
        The amounts of helper pods: `cpu_guarantee` and so on.
    python
        Path of the Python that has this package.
    env_keep
        Names of this server's environment variables that pods get.
    inherit
        Whether pods are like this server's own: ``auto``, ``on`` or ``off``.
    inherit_service_account
        Whether they also have its service account.
    executor_service_account
        The service account of Argo's own containers, so that the run's container gets no token; empty for that of the pod.
    nebari
        Whether Nebari's admission controller gives pods their shape.
    slug_scheme
        How templates write a user's name: ``safe`` or ``escape``.
    service_account_path
        Folder in which Kubernetes shows a pod its service account.
    namespace
        Of the workflows.
    working_dir
        Where containers start, unless something else is inherited or configured.
    hook
        Changes the finished pod; None for no change.
    """

    traits: Mapping[str, Any] = field(default_factory=dict)
    compute_types: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    helper_traits: Mapping[str, Any] = field(default_factory=dict)
    python: str = ""
    env_keep: tuple[str, ...] = ()
    inherit: Switch = "auto"
    inherit_service_account: bool = False
    executor_service_account: str = ""
    nebari: bool = False
    slug_scheme: str = "safe"
    service_account_path: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    namespace: str = ""
    working_dir: str = ""
    hook: Callable[[KubernetesObject], Any] | None = None


@dataclass(frozen=True)
class ArgoSettings:
    """The configuration of the engine of Argo.

    Attributes
    ----------
    connection
        How Argo's server is reached.
    pods
        Where the pods' shape comes from.
    ui_url
        The address of a run's page in Argo's user interface, with ``{namespace}`` and ``{workflow}``; empty for none.
    pod_per_step
        Whether each step gets a pod of its own.
    policy
        How Argo treats runs.
    creator
        The user's name as a label's value; empty for none.
    slack
        The settings for messages to Slack.
    slack_token_secret
        ``name`` and ``key`` of the Kubernetes Secret that has the token; empty for none.
    notification_secrets
        ``name`` and ``key`` of the Kubernetes Secret that has the address, for each notification target.
    configured
        The traits that all of this comes from, where an administrator has set them, as they were written.
    """

    connection: Connection
    pods: PodSettings
    ui_url: str = ""
    pod_per_step: bool = False
    policy: Policy = field(default_factory=Policy)
    creator: str = ""
    slack: SlackSettings = field(default_factory=SlackSettings)
    slack_token_secret: Mapping[str, str] = field(default_factory=dict)
    notification_secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    configured: Mapping[str, Any] = field(default_factory=dict)

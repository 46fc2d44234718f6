"""Turns the traits into the frozen dataclasses that all rooms below take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler.config.pod import PodTraits
from argo_jupyter_scheduler.config.retention import read_keep_trait
from argo_jupyter_scheduler.config.traits import SchedulerTraits
from argo_jupyter_scheduler.config.workflows import WorkflowTraits
from argo_jupyter_scheduler.engines.argo.settings import ArgoSettings, PodSettings, Policy
from argo_jupyter_scheduler.engines.factory import EngineSettings
from argo_jupyter_scheduler.environments.settings import EnvironmentSettings
from argo_jupyter_scheduler.jobs.settings import JobSettings
from argo_jupyter_scheduler.storage.input_folder import FolderRules
from argo_jupyter_scheduler.storage.output_names import local_timezone

AMOUNTS = ("cpu_guarantee", "cpu_limit", "mem_guarantee", "mem_limit")
"""Traits that helper pods have of their own, as ``helper_cpu_guarantee`` and so on."""

POD_TRAITS = (
    "image",
    "image_pull_policy",
    "image_pull_secrets",
    *AMOUNTS,
    "extra_resource_guarantees",
    "extra_resource_limits",
    "environment",
    "working_dir",
    "volumes",
    "volume_mounts",
    "init_containers",
    "service_account",
    "priority_class_name",
    "node_selector",
    "tolerations",
    "node_affinity_required",
    "node_affinity_preferred",
    "pod_affinity_required",
    "pod_affinity_preferred",
    "pod_anti_affinity_required",
    "pod_anti_affinity_preferred",
    "uid",
    "gid",
    "fs_gid",
    "supplemental_gids",
    "container_security_context",
    "pod_security_context",
    "extra_labels",
    "extra_annotations",
    "extra_container_config",
    "extra_pod_config",
)
"""Traits that say what a pod looks like; a compute type may set each of them. A test holds them to `engines.argo.pods.shape`."""


def make_job_settings(
    traits: SchedulerTraits, root_dir: str, staging_path: str, output_directory: str
) -> JobSettings:
    """Return what jobs need of the configuration."""
    root = Path(root_dir).expanduser()
    return JobSettings(
        root_dir=root,
        staging_path=Path(staging_path),
        slack=traits.slack_settings(),
        slack_token=traits.slack_token,
        notifications=traits.notification_settings(),
        notification_targets=dict(traits.notification_targets),
        environment_patterns=tuple(traits.patterns_of_runs()),
        run_papermill_in_environment=traits.run_papermill_in_environment,
        compute_types=dict(traits.compute_types),
        default_compute_type=traits.default_compute_type,
        allowed_images=tuple(traits.allowed_images),
        concurrency_policy=traits.concurrency_policy,
        starting_deadline_seconds=traits.starting_deadline_seconds,
        late_after_seconds=traits.late_after_seconds,
        folder_rules=FolderRules(
            excluded=tuple(traits.input_folder_exclude),
            left_out=(Path(staging_path), root / output_directory),
            max_files=traits.input_folder_max_files,
            max_bytes=int(traits.input_folder_max_megabytes * 1e6),
        ),
        output_template=traits.output_template(),
        timezone=local_timezone(),
        keep_runs=read_keep_trait(traits.keep_runs),
        keep_jobs=read_keep_trait(traits.keep_jobs),
    )


def make_environment_settings(traits: SchedulerTraits) -> EnvironmentSettings:
    """Return which environments the dialog offers."""
    return traits.environment_settings(tuple(traits.compute_types), traits.default_compute_type)


def make_engine_settings(traits: SchedulerTraits, staging_path: str, working_dir: str) -> EngineSettings:
    """Return what the engines need.

    Parameters
    ----------
    working_dir
        Where containers start, unless something else is inherited or configured.

    Raises
    ------
    InvalidPod, TraitError
        The configuration asks for something that is not possible; names the trait.
    """
    compute_limits = {}
    if traits.compute_types:
        from argo_jupyter_scheduler.config.local_limits import read_local_limits  # imports Kubernetes' models

        compute_limits = read_local_limits(traits.compute_types)
    on_argo = traits.engine == "argo" or (traits.engine == "auto" and bool(traits.argo_server))
    return EngineSettings(
        staging_path=Path(staging_path),
        max_concurrent_runs=traits.max_concurrent_runs,
        compute_limits=compute_limits,
        slack_token=traits.slack_token,
        notification_targets=dict(traits.notification_targets),
        argo=_make_argo_settings(traits, working_dir) if on_argo else None,
    )


def _make_argo_settings(traits: SchedulerTraits, working_dir: str) -> ArgoSettings:
    from argo_jupyter_scheduler.engines.argo.pods import shape_sources

    connection = traits.connection()
    settings = ArgoSettings(
        connection=connection,
        pods=_make_pod_settings(traits, connection.namespace, working_dir),
        ui_url=traits.argo_ui_url,
        pod_per_step=traits.pod_per_step,
        policy=Policy(
            concurrency=traits.concurrency_policy,
            starting_deadline_seconds=traits.starting_deadline_seconds,
            successful_limit=traits.successful_jobs_history_limit,
            failed_limit=traits.failed_jobs_history_limit,
            ttl_seconds=traits.ttl_seconds_after_completion,
            active_deadline_seconds=traits.active_deadline_seconds,
        ),
        creator=shape_sources.find_creator(),
        slack=traits.slack_settings(),
        slack_token_secret=dict(traits.slack_token_secret),
        notification_secrets=dict(traits.notification_secrets),
        configured=_find_configured(traits),
    )
    shape_sources.check(settings.pods)
    return settings


def _make_pod_settings(traits: SchedulerTraits, namespace: str, working_dir: str) -> PodSettings:
    hook = traits.modify_pod_hook
    return PodSettings(
        traits={name: getattr(traits, name) for name in POD_TRAITS},
        compute_types=dict(traits.compute_types),
        helper_traits={name: getattr(traits, f"helper_{name}") for name in AMOUNTS},
        python=traits.python_executable,
        env_keep=tuple(traits.env_keep),
        inherit=traits.inherit_pod,
        inherit_service_account=traits.inherit_service_account,
        executor_service_account=traits.executor_service_account,
        nebari=is_on_nebari(traits),
        slug_scheme=traits.slug_scheme,
        service_account_path=Path(traits.service_account_path),
        namespace=namespace,
        working_dir=working_dir,
        hook=(lambda pod: hook(traits, pod)) if hook is not None else None,
    )


def is_on_nebari(traits: PodTraits) -> bool:
    """Return whether Nebari's admission controller gives the pods their shape."""
    if traits.nebari != "auto":
        return bool(traits.nebari == "on")
    return "CONDA_STORE_SERVICE" in os.environ and "CONDA_STORE_SERVICE_NAMESPACE" in os.environ


def _find_configured(traits: SchedulerTraits) -> dict[str, Any]:
    """Return what an administrator has set of the traits that manifests are made of, as it was written.

    Not what is inherited or expanded, which differs between the servers of one user.
    """
    known = {**PodTraits.class_traits(), **WorkflowTraits.class_traits()}
    known |= {name: traits.traits()[name] for name in ("slack_token_secret", "notification_secrets")}
    values = {name: getattr(traits, name) for name in known}
    changed = {name: value for name, value in values.items() if value != known[name].default(traits)}
    return {name: getattr(value, "__qualname__", value) for name, value in changed.items()}

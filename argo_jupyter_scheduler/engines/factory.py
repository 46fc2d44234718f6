"""Makes the engine that the configuration asks for."""

from __future__ import annotations

from typing import Any

from argo_jupyter_scheduler.engines.base import Engine
from argo_jupyter_scheduler.notify import slack

# What only one of the engines needs is imported where it is made: Kubernetes' models alone take a second.


def make_engine(scheduler: Any) -> Engine:
    """Return Argo's engine where Argo is configured, else this machine's.

    Parameters
    ----------
    scheduler
        The `ArgoScheduler`; what its runs tell Slack is found out on the way, and set.

    Raises
    ------
    TraitError
        The configuration asks for what cannot be.
    """
    auto = scheduler.engine == "auto" and bool(scheduler.argo_server)
    if scheduler.engine == "argo" or auto:
        return _argo(scheduler)
    scheduler.slack = scheduler.slack_settings(has_token=bool(scheduler.slack_token))
    return make_local_engine(scheduler)


def make_local_engine(scheduler: Any) -> Engine:
    """Return this machine's engine."""
    from argo_jupyter_scheduler.engines.local import LocalEngine

    compute_types = {}
    if scheduler.compute_types:
        from argo_jupyter_scheduler.config.local_limits import local_limits

        compute_types = local_limits(scheduler.compute_types)
    return LocalEngine(
        scheduler.database,
        scheduler.staging_path,
        scheduler.max_concurrent_runs,
        compute_types,
        environment={slack.TOKEN: scheduler.slack_token} if scheduler.slack_token else {},
    )


def _argo(scheduler: Any) -> Engine:
    from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine
    from argo_jupyter_scheduler.engines.argo.manifests import Policy, Site, slack_token_references
    from argo_jupyter_scheduler.engines.argo.pods import shape_sources as pod_sources

    connection = scheduler.connection()
    shape = pod_sources.pod_shape(scheduler, connection.namespace)
    in_pods = slack_token_references(shape.container.get("env") or [])
    scheduler.slack = scheduler.slack_settings(has_token=bool(scheduler.slack_token_secret or in_pods))
    site = Site(
        namespace=connection.namespace,
        db_url=scheduler.database.url,
        staging_path=scheduler.staging_path,
        pod_per_step=scheduler.pod_per_step,
        shape=shape,
        policy=Policy(
            concurrency=scheduler.concurrency_policy,
            starting_deadline_seconds=scheduler.starting_deadline_seconds,
            successful_limit=scheduler.successful_jobs_history_limit,
            failed_limit=scheduler.failed_jobs_history_limit,
            ttl_seconds=scheduler.ttl_seconds_after_completion,
            active_deadline_seconds=scheduler.active_deadline_seconds,
        ),
        helper_resources=pod_sources.helper_resources(scheduler),
        creator=pod_sources.creator(),
        nebari=pod_sources.on_nebari(scheduler),
        compute_types=pod_sources.compute_types(scheduler, connection.namespace, shape),
        slack=scheduler.slack,
        slack_token_secret=dict(scheduler.slack_token_secret),
        configured=_configured(scheduler),
    )
    engine = ArgoEngine(connection, scheduler.database, site)
    if engine.unshared:
        scheduler.log.warning(engine.unshared)
    return engine


def _configured(scheduler: Any) -> dict[str, Any]:
    """Return what an administrator has set of the traits that manifests are made of, as it was written.

    Not what is inherited or expanded, which differs between the servers of one user.
    """
    from argo_jupyter_scheduler.config.pod import PodTraits
    from argo_jupyter_scheduler.config.workflows import WorkflowTraits

    traits = {**PodTraits.class_traits(), **WorkflowTraits.class_traits()}
    traits["slack_token_secret"] = scheduler.traits()["slack_token_secret"]
    values = {name: getattr(scheduler, name) for name in traits}
    changed = {name: value for name, value in values.items() if value != traits[name].default(scheduler)}
    return {name: getattr(value, "__qualname__", value) for name, value in changed.items()}

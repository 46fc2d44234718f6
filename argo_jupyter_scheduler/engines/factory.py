"""Makes the engines that the configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from argo_jupyter_scheduler.domain.run_settings import ComputeLimits
from argo_jupyter_scheduler.engines.argo.settings import ArgoSettings
from argo_jupyter_scheduler.engines.base import Engine
from argo_jupyter_scheduler.engines.local import LocalEngine
from argo_jupyter_scheduler.notify import slack, targets
from argo_jupyter_scheduler.storage.database import Database


@dataclass(frozen=True)
class EngineSettings:
    """The configuration of the engines.

    Attributes
    ----------
    staging_path
        The staging area.
    max_concurrent_runs
        On this machine: how many runs may be in progress at once.
    compute_limits
        On this machine: what each compute type limits.
    slack_token
        On this machine: the token for runs that have none of their own; empty for none.
    notification_targets
        On this machine: the addresses of targets by their names.
    argo
        The configuration of Argo; None where notebooks run on this machine.
    """

    staging_path: Path
    max_concurrent_runs: int = 1
    compute_limits: Mapping[str, ComputeLimits] = field(default_factory=dict)
    slack_token: str = field(default="", repr=False)
    notification_targets: Mapping[str, str] = field(default_factory=dict, repr=False)
    argo: ArgoSettings | None = None


def make_engines(settings: EngineSettings, database: Database) -> tuple[Engine, Engine]:
    """Return the engine of new jobs, and this machine's; they are the same where notebooks run on this machine."""
    environment = targets.make_environment(settings.notification_targets)
    if settings.slack_token:
        environment[slack.TOKEN] = settings.slack_token
    local = LocalEngine(
        database,
        str(settings.staging_path),
        settings.max_concurrent_runs,
        settings.compute_limits,
        environment=environment,
    )
    if settings.argo is None:
        return local, local
    # Imported only where it is needed: Kubernetes' models alone take a second.
    from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine

    return ArgoEngine(settings.argo, database, str(settings.staging_path)), local

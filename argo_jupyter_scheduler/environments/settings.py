"""The configuration of environments; `config` makes it from the traits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from argo_jupyter_scheduler.environments.sources.conda_store import CondaStore


@dataclass(frozen=True)
class EnvironmentSettings:
    """Which environments the dialog offers.

    Attributes
    ----------
    patterns, folders
        Where environments lie.
    allowed
        Whether an environment of this name is offered.
    default
        The name of the environment that is offered first; empty for this server's own.
    conda_store
        The conda-store server, if its environments are offered.
    compute_types, default_compute_type
        Names of the compute types that are offered with each environment.
    """

    patterns: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    allowed: Callable[[str], bool] = bool
    default: str = ""
    conda_store: CondaStore | None = None
    compute_types: tuple[str, ...] = ()
    default_compute_type: str = ""

"""The meaning of compute types on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from traitlets import TraitError

from argo_jupyter_scheduler.domain.errors import InvalidPod
from argo_jupyter_scheduler.domain.run_settings import ComputeLimits
from argo_jupyter_scheduler.engines.argo.pods import quantities
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape

WITH_EFFECT = ("cpu_limit", "mem_limit")


def read_local_limits(compute_types: Mapping[str, Mapping[str, Any]]) -> dict[str, ComputeLimits]:
    """Return what each compute type limits on this machine.

    Raises
    ------
    TraitError
        A compute type has an unknown trait or an invalid value.
    """
    return {name: _read_limits(name, traits) for name, traits in compute_types.items()}


def _read_limits(name: str, traits: Mapping[str, Any]) -> ComputeLimits:
    try:
        PodShape().changed(**dict.fromkeys(traits))  # refuses unknown names
        shape = PodShape().changed(**{trait: traits[trait] for trait in WITH_EFFECT if trait in traits})
    except InvalidPod as error:
        raise TraitError(f"c.ArgoScheduler.compute_types, '{name}': {error}") from error
    limits = (shape.container.get("resources") or {}).get("limits") or {}
    return ComputeLimits(
        memory=int(quantities.amount(limits["memory"])) if "memory" in limits else None,
        cores=float(quantities.amount(limits["cpu"])) if "cpu" in limits else None,
        without_effect=tuple(sorted(traits.keys() - set(WITH_EFFECT))),
    )

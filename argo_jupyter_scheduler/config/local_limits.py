"""What compute types mean on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from traitlets import TraitError

from argo_jupyter_scheduler.domain.errors import InvalidPod
from argo_jupyter_scheduler.engines.argo.pods import quantities
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape

WITH_EFFECT = ("cpu_limit", "mem_limit")


def local_limits(compute_types: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what each compute type means on this machine, for ``run.json``.

    Returns
    -------
    dict
        Of each: ``memory`` in bytes and ``cores``, where it limits them, and the names of its traits that are ``without_effect``.

    Raises
    ------
    TraitError
        One has a name or a value that cannot be.
    """
    return {name: _limits(name, traits) for name, traits in compute_types.items()}


def _limits(name: str, traits: Mapping[str, Any]) -> dict[str, Any]:
    try:
        PodShape().changed(**dict.fromkeys(traits))  # refuses names that are none
        shape = PodShape().changed(**{trait: traits[trait] for trait in WITH_EFFECT if trait in traits})
    except InvalidPod as error:
        raise TraitError(f"c.ArgoScheduler.compute_types, '{name}': {error}") from error
    limits = (shape.container.get("resources") or {}).get("limits") or {}
    found: dict[str, Any] = {"without_effect": sorted(traits.keys() - set(WITH_EFFECT))}
    if "memory" in limits:
        found["memory"] = int(quantities.amount(limits["memory"]))
    if "cpu" in limits:
        found["cores"] = float(quantities.amount(limits["cpu"]))
    return found

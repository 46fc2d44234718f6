"""Cores, memory and other resources of a container: what it is guaranteed (``requests``) and may not exceed (``limits``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject
from argo_jupyter_scheduler.engines.argo.pods import quantities
from argo_jupyter_scheduler.engines.argo.pods.fields import read_fields

SIDES = ("requests", "limits")

_HUB_VARIABLES: dict[str, tuple[str, str, type]] = {
    "CPU_GUARANTEE": ("requests", "cpu", float),
    "CPU_LIMIT": ("limits", "cpu", float),
    "MEM_GUARANTEE": ("requests", "memory", int),
    "MEM_LIMIT": ("limits", "memory", int),
}
"""Variables in which JupyterHub says what a notebook's server has (``jupyterhub.spawner.Spawner.get_env``)."""


def read_amounts(value: Any) -> dict[str, str]:
    """Return amounts of resources by their name."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is not a mapping of resources to amounts")
    return {str(resource): quantities.other(amount) for resource, amount in value.items()}


def read_resources(value: Any) -> KubernetesObject:
    """Return a container's resources, as an administrator wrote them."""
    found = read_fields(value)
    found |= {side: read_amounts(found[side]) for side in SIDES if side in found}
    for _, problem in find_misfits(found):
        raise ValueError(problem)
    return found


def find_misfits(resources: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the resources whose limit does not fit the guarantee, and why.

    A limit may not be lower. For GPUs and other devices, both must be equal. A limit of 0 means unlimited, except for devices.
    """
    limits, found = resources.get("limits") or {}, []
    for resource, guarantee in (resources.get("requests") or {}).items():
        limit = limits.get(resource, guarantee)
        low, high = quantities.amount(guarantee), quantities.amount(limit)
        if "/" in resource or resource.startswith("hugepages-"):  # Kubernetes guarantees exactly the limit
            problem = f"must be the same as the guarantee, {guarantee}" if low != high else ""
        else:
            problem = f"is lower than the guarantee, {guarantee}" if high and low > high else ""
        if problem:
            found.append((resource, f"the limit of {resource}, {limit}, {problem}"))
    return found


def fit(resources: Mapping[str, Any], later: Mapping[str, Any]) -> KubernetesObject:
    """Return resources in which guarantees and limits fit, without those that are 0.

    Parameters
    ----------
    later
        The side that the later of two sources sets: it stands, and the other side follows.
    """
    found = {**resources, **{side: dict(resources.get(side) or {}) for side in SIDES}}
    for name, _ in find_misfits(found):
        limit_stands = name in (later.get("limits") or {})
        stands, follows = ("limits", "requests") if limit_stands else ("requests", "limits")
        found[follows][name] = found[stands][name]
    for side in SIDES:
        found[side] = {name: amount for name, amount in found[side].items() if quantities.amount(amount)}
    return found


def update_hub_variables(
    variables: list[Mapping[str, Any]], before: Mapping[str, Any], now: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """Return environment variables in which JupyterHub's, where there are any, follow amounts that have changed.

    Parameters
    ----------
    before, now
        The container's resources.
    """
    found = []
    for variable in variables:
        side, name, kind = _HUB_VARIABLES.get(variable["name"], ("", "", str))
        old_amount, amount = ((resources.get(side) or {}).get(name) for resources in (before, now))
        if amount == old_amount:
            found.append(variable)
        elif amount:
            found.append({"name": variable["name"], "value": str(kind(quantities.amount(amount)))})
    return found

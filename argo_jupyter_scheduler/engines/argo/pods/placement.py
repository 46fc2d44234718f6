"""Where pods may run: tolerations and affinities, checked as in `checks`."""

from __future__ import annotations

import re
from typing import Any

from hera.workflows.models import Toleration
from hera.workflows.models.io.k8s.api.core.v1 import (
    NodeSelectorTerm,
    PodAffinityTerm,
    PreferredSchedulingTerm,
    WeightedPodAffinityTerm,
)

from argo_jupyter_scheduler.engines.argo.pods.fields import (
    dns_label,
    label_mapping,
    models,
    name,
    one_of,
    qualified,
    whole,
)

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def tolerations(value: Any) -> list[dict[str, Any]]:
    """Return tolerations."""

    def check(one: dict[str, Any]) -> None:
        operator = one_of(one.get("operator") or "Equal", "Equal", "Exists")
        one_of(one.get("effect") or "NoSchedule", "NoSchedule", "PreferNoSchedule", "NoExecute")
        if one.get("key"):
            qualified(one["key"])
        elif operator != "Exists":
            raise ValueError("without a key, the operator must be Exists")
        if operator == "Exists" and one.get("value"):
            raise ValueError("with the operator Exists there is no value")
        label_mapping({"value": one.get("value") or ""})
        if "tolerationSeconds" in one and one.get("effect") != "NoExecute":
            raise ValueError("tolerationSeconds is for the effect NoExecute only")

    return models(Toleration, value, check)


def node_terms(value: Any) -> list[dict[str, Any]]:
    """Return terms of which a node must meet one."""
    return models(NodeSelectorTerm, value, _node_term)


def preferred_node_terms(value: Any) -> list[dict[str, Any]]:
    """Return terms that a node is preferred for, each with a weight."""

    def check(one: dict[str, Any]) -> None:
        whole(one["weight"], 1, 100)
        _node_term(one["preference"])

    return models(PreferredSchedulingTerm, value, check)


def pod_terms(value: Any) -> list[dict[str, Any]]:
    """Return terms about other pods, all of which must be met."""
    return models(PodAffinityTerm, value, _pod_term)


def preferred_pod_terms(value: Any) -> list[dict[str, Any]]:
    """Return terms about other pods, each with a weight."""

    def check(one: dict[str, Any]) -> None:
        whole(one["weight"], 1, 100)
        _pod_term(one["podAffinityTerm"])

    return models(WeightedPodAffinityTerm, value, check)


def _pod_term(term: dict[str, Any]) -> None:
    qualified(term["topologyKey"])
    for one in term.get("namespaces") or []:
        dns_label(one)
    selector = term.get("labelSelector") or {}
    label_mapping(selector.get("matchLabels") or {})
    for one in selector.get("matchExpressions") or []:
        _requirement(one, "In", "NotIn", "Exists", "DoesNotExist")


def _node_term(term: dict[str, Any]) -> None:
    for one in term.get("matchExpressions") or []:
        _requirement(one, "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
    for one in term.get("matchFields") or []:
        one_of(one["key"], "metadata.name")
        _requirement(one, "In", "NotIn")
        if len(one["values"]) != 1:
            raise ValueError("of metadata.name there must be one value")
        name(one["values"][0])


def _requirement(one: dict[str, Any], *operators: str) -> None:
    qualified(one["key"])
    operator, values = one_of(one["operator"], *operators), one.get("values") or []
    if operator in ("Exists", "DoesNotExist") and values:
        raise ValueError(f"the operator {operator} takes no values")
    if operator in ("In", "NotIn") and not values:
        raise ValueError(f"the operator {operator} needs values")
    for text in values:
        label_mapping({one["key"]: text})
    if operator in ("Gt", "Lt") and (len(values) != 1 or not re.fullmatch(r"-?\d+", values[0])):
        raise ValueError(f"the operator {operator} needs one value, a whole number")

"""What of a pod Kubernetes would refuse, found before anything is sent.

Each function takes a part of a pod as an administrator wrote it, and returns it as it is sent; a ``ValueError`` says what is wrong.
Types and names of fields are hera's models'. The rules are those of Kubernetes' own validation (``pkg/apis/core/validation``), as
far as configurations break them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from hera.workflows.models import (
    Affinity,
    Container,
    PodSecurityContext,
    SecurityContext,
    UserContainer,
    VolumeMount,
)
from hera.workflows.models.io.k8s.api.core.v1 import EnvVar

from argo_jupyter_scheduler.engines.argo.pods import quantities
from argo_jupyter_scheduler.engines.argo.pods.fields import (
    absolute_path,
    config_key,
    dns_label,
    label_mapping,
    listed,
    model,
    models,
    name,
    needed,
    one_of,
    qualified,
    unique,
    whole,
    with_known_keys,
)
from argo_jupyter_scheduler.engines.argo.pods.names import (
    DEFINITION_LABEL,
    JOB_LABEL,
    MANAGER,
    OVERRIDE_LABEL,
)
from argo_jupyter_scheduler.engines.argo.pods.placement import tolerations
from argo_jupyter_scheduler.engines.argo.pods.volumes import volumes

TAKEN = frozenset({"init", "main", "wait"})
"""Names of the containers that Argo puts into each pod."""

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:[a-zA-Z0-9](?:[-a-zA-Z0-9.]*[a-zA-Z0-9])?(?::\d+)?/)?{_PART}(?:/{_PART})*"
    r"(?::\w[\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)
"""https://github.com/distribution/reference/blob/main/regexp.go"""

_VARIABLE = re.compile(r"[ -<>-~]+")
"""Since Kubernetes 1.32: what can be printed, but no equals sign."""

_HIGHEST_ID = 2**31 - 1
_CONTAINER_FIELDS = {field.alias or key for key, field in Container.model_fields.items()}
_POD_FIELDS = frozenset(
    """affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork hostPID
    hostUsers hostname imagePullSecrets initContainers nodeName nodeSelector os overhead preemptionPolicy priority
    priorityClassName readinessGates resourceClaims runtimeClassName schedulerName schedulingGates securityContext
    serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain terminationGracePeriodSeconds tolerations
    topologySpreadConstraints volumes""".split()  # noqa: SIM905 (nobody wants to read so many quotes)
)
"""Of Kubernetes 1.34, but for containers and what Argo decides."""

# Words, names and numbers


def image(value: Any) -> str:
    """Return an image's name."""
    if not isinstance(value, str) or len(value) > 512 or not _IMAGE.fullmatch(value):
        raise ValueError(
            f"{value!r} is no name of an image, such as 'quay.io/jupyter/scipy-notebook:2025-10-20'"
        )
    return value


def pull_policy(value: Any) -> str:
    """Return when an image is pulled."""
    return one_of(value, "Always", "IfNotPresent", "Never")


def references(value: Any) -> list[dict[str, str]]:
    """Return names of Secrets as references; each may be one already."""
    return [{"name": name(one.get("name") if isinstance(one, Mapping) else one)} for one in listed(value)]


def user_id(value: Any) -> int:
    """Return the number of a user or group."""
    return whole(value, 0, _HIGHEST_ID)


def user_ids(value: Any) -> list[int]:
    """Return numbers of groups."""
    return [user_id(one) for one in listed(value)]


def extra_labels(value: Any) -> dict[str, str]:
    """Return labels that are not this package's or Argo's own."""
    found = label_mapping(value)
    for key in found:
        if key in (OVERRIDE_LABEL, JOB_LABEL, DEFINITION_LABEL, *MANAGER) or key.startswith(
            "workflows.argoproj.io/"
        ):
            raise ValueError(f"'{key}' is set by this package or by Argo")
    return found


# What a container has


def environment(value: Any) -> list[dict[str, Any]]:
    """Return environment variables from a mapping of names to texts, or to what Kubernetes has beside the name."""
    if not isinstance(value, Mapping):
        raise ValueError("it is no mapping of names to values")
    for key, one in value.items():
        if not isinstance(one, (str, Mapping)):
            raise ValueError(f"the value of {key} is no text")
    return variables(
        [{"name": key, **(one if isinstance(one, Mapping) else {"value": one})} for key, one in value.items()]
    )


def variables(value: Any) -> list[dict[str, Any]]:
    """Return environment variables as Kubernetes has them."""

    def check(one: dict[str, Any]) -> None:
        if not _VARIABLE.fullmatch(one["name"]):
            raise ValueError(f"{one['name']!r} cannot be the name of an environment variable")
        if len(one.keys() & {"value", "valueFrom"}) != 1 or len(one.get("valueFrom", "1")) != 1:
            raise ValueError(f"'{one['name']}' needs either value or one source in valueFrom")
        for kind, source in (one.get("valueFrom") or {}).items():
            if kind in ("secretKeyRef", "configMapKeyRef"):
                name(source.get("name"))
                config_key(source["key"])

    return unique(models(EnvVar, value, check), "name")


def resources(value: Any) -> dict[str, str]:
    """Return amounts of resources other than cores and memory, such as GPUs."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is no mapping of resources to amounts")
    for key in value.keys() & {"cpu", "memory"}:
        raise ValueError(f"'{key}' has traits of its own")
    return {key: _amount(key, one) for key, one in value.items()}


def _amount(resource: Any, value: Any) -> str:
    """Return the amount of a resource that a container can have."""
    if qualified(resource).startswith("requests.") or not (
        is_indivisible(resource) or resource in ("cpu", "memory", "ephemeral-storage")
    ):
        raise ValueError(
            f"'{resource}' is no resource that Kubernetes knows; a GPU's is like 'nvidia.com/gpu'"
        )
    found = quantities.other(value)
    pages = resource.startswith("hugepages-")
    unit = quantities.amount(resource.removeprefix("hugepages-")) if pages else 1
    if is_indivisible(resource) and quantities.amount(found) % unit:
        raise ValueError(f"{value!r} is no whole number of '{resource}'")
    return found


def is_indivisible(resource: str) -> bool:
    """Return whether a resource is one of which Kubernetes guarantees exactly the limit, such as GPUs."""
    return "/" in resource or resource.startswith("hugepages-")


def requirements(value: Any) -> dict[str, dict[str, str]]:
    """Return what a container is guaranteed (``requests``) and may not exceed (``limits``)."""
    sides = with_known_keys(value, ("requests", "limits"))
    found = {
        side: {key: _amount(key, one) for key, one in amounts.items()} for side, amounts in sides.items()
    }
    for _, problem in misfits(found):
        raise ValueError(problem)
    return found


def misfits(resources: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the resources whose limit does not fit what is guaranteed, and why.

    A limit may not be lower, and of GPUs and the like both must be the same. A limit of 0 is none of all others.
    """
    limits, found = resources.get("limits") or {}, []
    for resource, guaranteed in (resources.get("requests") or {}).items():
        limit = limits.get(resource, guaranteed)
        low, high = quantities.amount(guaranteed), quantities.amount(limit)
        if is_indivisible(resource) and low != high:
            found.append(
                (resource, f"the limit of {resource}, {limit}, must be what is guaranteed, {guaranteed}")
            )
        elif not is_indivisible(resource) and high and low > high:
            found.append(
                (
                    resource,
                    f"the limit of {resource}, {limit}, is lower than what is guaranteed, {guaranteed}",
                )
            )
    return found


def mounts(value: Any) -> list[dict[str, Any]]:
    """Return mounts of volumes."""

    def check(one: dict[str, Any]) -> None:
        one["mountPath"] = absolute_path(one["mountPath"])
        if one.get("subPath") and one.get("subPathExpr"):
            raise ValueError("it has both subPath and subPathExpr")
        within = one.get("subPath") or one.get("subPathExpr") or ""
        if within.startswith("/") or ".." in within.split("/"):
            raise ValueError(f"'{within}' must be a path within the volume")
        if (
            one_of(one.get("recursiveReadOnly", "Disabled"), "Disabled", "Enabled", "IfPossible")
            != "Disabled"
        ):
            needed(one, "readOnly")
        one_of(one.get("mountPropagation", "None"), "None", "HostToContainer", "Bidirectional")

    return unique(models(VolumeMount, value, check), "mountPath")


def container_context(value: Any) -> dict[str, Any]:
    """Return the security context of a container."""
    found = model(SecurityContext, value)
    one_of(found.get("procMount", "Default"), "Default", "Unmasked")
    _context(found)
    if found.get("privileged") and found.get("allowPrivilegeEscalation") is False:
        raise ValueError("a privileged container cannot have allowPrivilegeEscalation False")
    return found


def pod_context(value: Any) -> dict[str, Any]:
    """Return the security context of a pod."""
    found = model(PodSecurityContext, value)
    user_ids([found.get("fsGroup", 0), *found.get("supplementalGroups", [])])
    one_of(found.get("fsGroupChangePolicy", "Always"), "OnRootMismatch", "Always")
    one_of(found.get("supplementalGroupsPolicy", "Merge"), "Merge", "Strict")
    _context(found)
    return found


def _context(found: dict[str, Any]) -> None:
    user_ids([found.get("runAsUser", 0), found.get("runAsGroup", 0)])
    profile = found.get("seccompProfile")
    if profile:
        kind = one_of(profile["type"], "RuntimeDefault", "Unconfined", "Localhost")
        if (kind == "Localhost") != bool(profile.get("localhostProfile")):
            raise ValueError("a seccompProfile of type Localhost, and no other, has a localhostProfile")


def container(value: Any) -> dict[str, Any]:
    """Return fields of the run's container, which may be written in snake_case, as KubeSpawner takes them."""
    given = with_known_keys(value, _CONTAINER_FIELDS - {"name", "command", "args"})
    found = model(Container, {"image": "any", **given})
    checks: dict[str, Callable[[Any], Any]] = {
        "image": image,
        "imagePullPolicy": pull_policy,
        "env": variables,
        "volumeMounts": mounts,
        "resources": requirements,
        "securityContext": container_context,
        "workingDir": absolute_path,
    }
    return {key: checks[key](one) if key in checks else one for key, one in found.items() if key in given}


# What a pod has


def init_containers(value: Any) -> list[dict[str, Any]]:
    """Return init containers."""

    def check(one: dict[str, Any]) -> None:
        dns_label(one["name"])
        if one["name"] in TAKEN:
            raise ValueError(f"'{one['name']}' is the name of one of Argo's own containers")
        container(
            {
                key: content
                for key, content in one.items()
                if key in _CONTAINER_FIELDS - {"name", "command", "args"}
            }
        )
        image(one.get("image"))

    return unique(models(UserContainer, value, check), "name")


def pod_spec(value: Any) -> dict[str, Any]:
    """Return fields of a pod's specification, which may be written in snake_case, as KubeSpawner takes them."""
    checks: dict[str, Callable[[Any], Any]] = {
        "affinity": lambda one: model(Affinity, one),
        "imagePullSecrets": references,
        "initContainers": init_containers,
        "nodeSelector": label_mapping,
        "priorityClassName": name,
        "securityContext": pod_context,
        "serviceAccountName": name,
        "tolerations": tolerations,
        "volumes": volumes,
    }
    given = with_known_keys(value, _POD_FIELDS)
    return {key: checks[key](one) if key in checks else one for key, one in given.items()}

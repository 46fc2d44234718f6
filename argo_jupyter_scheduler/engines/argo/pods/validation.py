"""Reads the values of a pod's traits, and refuses those about which Kubernetes or Argo would say nothing, or nothing helpful.

Everything else is judged by the cluster, for its own version: the doctor asks for that with a server dry run. Each function returns
a part as it is sent; a ``ValueError`` says what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from hera.workflows.models import (
    Affinity,
    Container,
    HostAlias,
    PodDNSConfig,
    PodSecurityContext,
    Toleration,
    UserContainer,
    Volume,
    VolumeMount,
)
from hera.workflows.models.io.k8s.api.core.v1 import EnvVar

from argo_jupyter_scheduler.engines.argo.labels import is_reserved
from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject
from argo_jupyter_scheduler.engines.argo.pods.fields import read_fields, read_part, read_parts, to_list
from argo_jupyter_scheduler.engines.argo.pods.names import DNS_SUBDOMAIN, LABEL_VALUE
from argo_jupyter_scheduler.engines.argo.pods.resources import read_resources

ARGO_CONTAINERS = frozenset({"init", "main", "supervisor", "wait"})
"""Names of the containers that Argo puts into each pod. ``supervisor`` is there with Argo's ``initlessPod``."""

_OWN_CONTAINER_FIELDS = ("name", "command", "args")
_OWN_POD_FIELDS = ("containers", "ephemeralContainers", "restartPolicy", "activeDeadlineSeconds")

_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:[a-zA-Z0-9](?:[-a-zA-Z0-9.]*[a-zA-Z0-9])?(?::\d+)?/)?{_PATH}(?:/{_PATH})*"
    r"(?::\w[\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)
"""https://github.com/distribution/reference/blob/main/regexp.go. Kubernetes accepts any text, and the pod then waits forever."""


def read_image(value: Any) -> str:
    """Return an image's name."""
    if not isinstance(value, str) or len(value) > 512 or not _IMAGE.fullmatch(value):
        raise ValueError(
            f"{value!r} is not the name of an image, such as 'quay.io/jupyter/scipy-notebook:2025-10-20'"
        )
    return value


def read_name(value: Any) -> str:
    """Return the name of a Kubernetes object."""
    if not isinstance(value, str) or not DNS_SUBDOMAIN.fullmatch(value):
        raise ValueError(
            f"{value!r} is not the name of an object. Use lower-case letters, digits, '-' and '.'; begin and end with a letter "
            "or digit"
        )
    return value


def read_references(value: Any) -> list[dict[str, str]]:
    """Return names of Secrets as references; each may be one already."""
    names = [element.get("name") if isinstance(element, Mapping) else element for element in to_list(value)]
    return [{"name": read_name(name)} for name in names]


def read_path(value: Any) -> str:
    """Return a full path in a container, without a slash at its end."""
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError(f"{value!r} is not a full path: it must begin with '/'")
    return value.rstrip("/") or "/"


def read_labels(value: Any) -> dict[str, str]:
    """Return labels."""
    found = read_texts(value)
    for key, text in found.items():
        domain, slash, name = key.rpartition("/")
        if not (name and LABEL_VALUE.fullmatch(name) and (not slash or DNS_SUBDOMAIN.fullmatch(domain))):
            raise ValueError(f"'{key}' is not a label, such as 'team' or 'example.org/team'")
        if not LABEL_VALUE.fullmatch(text):
            raise ValueError(
                f"'{text}' is not a value for the label '{key}'. Use up to 63 letters, digits, '-', '_' and '.'; begin and end "
                "with a letter or digit"
            )
    return found


def read_extra_labels(value: Any) -> dict[str, str]:
    """Return labels that do not belong to this package, Argo or Nebari."""
    found = read_labels(value)
    for key in filter(is_reserved, found):
        raise ValueError(f"'{key}' cannot be set: this package or Argo sets it")
    return found


def read_texts(value: Any) -> dict[str, str]:
    """Return a mapping of texts to texts."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is not a mapping")
    for key, text in value.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise ValueError(f"the value of {key!r} is not a text")
    return dict(value)


def read_environment(value: Any) -> list[KubernetesObject]:
    """Return environment variables from a mapping of names to texts, or to what Kubernetes has beside the name."""
    if not isinstance(value, Mapping):
        raise ValueError("it is not a mapping of names to values")
    for name, content in value.items():
        if not isinstance(content, (str, Mapping)):  # it may be a secret, and is not shown
            raise ValueError(f"the value of {name} is not a text")
    return read_variables(
        {"name": name, **(content if isinstance(content, Mapping) else {"value": content})}
        for name, content in value.items()
    )


def read_variables(value: Any) -> list[KubernetesObject]:
    """Return environment variables as Kubernetes has them."""
    return read_parts(EnvVar, list(value), unique="name")


def read_mounts(value: Any) -> list[KubernetesObject]:
    """Return mounts of volumes."""
    mounts = read_parts(VolumeMount, value, unique="mountPath")
    return [{**mount, "mountPath": read_path(mount["mountPath"])} for mount in mounts]


def read_volumes(value: Any) -> list[KubernetesObject]:
    """Return volumes."""
    return read_parts(Volume, value, unique="name")


def read_init_containers(value: Any) -> list[KubernetesObject]:
    """Return init containers."""
    found = read_parts(UserContainer, value, unique="name")
    for container in found:
        if container["name"] in ARGO_CONTAINERS:
            raise ValueError(f"'{container['name']}' is the name of one of Argo's own containers")
    return found


def read_container(value: Any) -> KubernetesObject:
    """Return fields of the run's container."""
    given = read_fields(value, _OWN_CONTAINER_FIELDS)
    found = read_part(Container, {"image": "", **given})
    return _read_each({name: content for name, content in found.items() if name in given}, _CONTAINER_READERS)


def read_pod_spec(value: Any) -> KubernetesObject:
    """Return fields of a pod's specification."""
    return _read_each(read_fields(value, _OWN_POD_FIELDS), _POD_READERS)


def _read_each(fields: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]) -> KubernetesObject:
    return {name: readers[name](content) if name in readers else content for name, content in fields.items()}


_CONTAINER_READERS: dict[str, Callable[[Any], Any]] = {
    "image": read_image,
    "env": read_variables,
    "volumeMounts": read_mounts,
    "resources": read_resources,
    "workingDir": read_path,
}

_POD_READERS: dict[str, Callable[[Any], Any]] = {
    "affinity": lambda value: read_part(Affinity, value),
    "dnsConfig": lambda value: read_part(PodDNSConfig, value),
    "hostAliases": lambda value: read_parts(HostAlias, value, unique="ip"),
    "imagePullSecrets": read_references,
    "initContainers": read_init_containers,
    "nodeSelector": read_labels,
    "priorityClassName": read_name,
    "securityContext": lambda value: read_part(PodSecurityContext, value),
    "serviceAccountName": read_name,
    "tolerations": lambda value: read_parts(Toleration, value),
    "volumes": read_volumes,
}

"""The shape of runs' pods, and how two sources of it are merged. Pure: no I/O."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from hera.workflows.models import PodSecurityContext, SecurityContext, Toleration
from hera.workflows.models.io.k8s.api.core.v1 import (
    NodeSelectorTerm,
    PodAffinityTerm,
    PreferredSchedulingTerm,
    WeightedPodAffinityTerm,
)
from pydantic import BaseModel

from argo_jupyter_scheduler.domain.errors import InvalidPod
from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject, Part
from argo_jupyter_scheduler.engines.argo.pods import quantities, resources, validation
from argo_jupyter_scheduler.engines.argo.pods.fields import read_part, read_parts

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"

_NAMED = {
    "env": "name",
    "volumeMounts": "mountPath",
    "volumes": "name",
    "initContainers": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
}
"""Lists of parts that are merged by one of their fields."""


@dataclass(frozen=True)
class PodShape:
    """The shape of runs' pods: parts of a Kubernetes Pod, with its own names. It is never changed; changed copies are made.

    Of two sources the later one wins (`merged`, `changed`):

    - mappings (labels, amounts of resources, security contexts, node selector, affinity) key by key;
    - lists of parts with a name (environment, volumes, init containers, pull secrets; mounts by their path) part by part;
    - tolerations are added to the earlier ones;
    - everything else, such as the image or the terms of an affinity, as a whole.

    Where a limit and a guarantee of different sources do not fit, the later one stands and the other follows. Volumes that nothing
    mounts are left out.

    Attributes
    ----------
    python
        Path of the Python that has this package.
    container
        Fields of the container: ``image``, ``env``, ``resources``, …
    spec
        Fields of the pod's specification, without its containers.
    labels, annotations
        Of the pod.
    """

    python: str = ""
    container: Part = field(default_factory=dict)
    spec: Part = field(default_factory=dict)
    labels: Part = field(default_factory=dict)
    annotations: Part = field(default_factory=dict)

    @property
    def image(self) -> str:
        """The image's name; empty where none is known."""
        return str(self.container.get("image") or "")

    def merged(self, later: PodShape) -> PodShape:
        """Return this shape merged with that of a later source, which wins."""
        shape = self._overlaid(later)
        container, spec = dict(shape.container), dict(shape.spec)
        if "resources" in container:
            before, after = (side.container.get("resources") or {} for side in (self, later))
            container["resources"] = resources.fit(container["resources"], after)
            container["env"] = resources.update_hub_variables(
                container.get("env") or [], before, container["resources"]
            )
        if "volumes" in spec:
            used = shape._mounted() | {volume["name"] for volume in later.spec.get("volumes") or []}
            spec["volumes"] = [volume for volume in spec["volumes"] if volume["name"] in used]
        return replace(shape, container=_without_empties(container), spec=_without_empties(spec))

    @classmethod
    def read(cls, traits: Part) -> PodShape:
        """Return the shape that traits of a pod describe, such as ``mem_limit="2G"``. None and empty values are skipped.

        Raises
        ------
        InvalidPod
            Says which trait is not valid, and why.
        """
        for trait in traits:
            if trait not in TRAITS:
                near = difflib.get_close_matches(trait, TRAITS) or TRAITS
                raise InvalidPod(trait, f"this is not a trait of a pod. Available: {', '.join(near)}")
        shape = PodShape()
        for trait, read in TRAITS.items():
            value = traits.get(trait)
            if value is None or value in ("", [], {}, ()):
                continue
            try:
                shape = shape._overlaid(read(value))
                _refuse_variables(value)
            except ValueError as error:
                raise InvalidPod(trait, str(error)) from None
        for resource, problem in resources.find_misfits(shape.container.get("resources") or {}):
            raise InvalidPod(_LIMITS.get(resource, "extra_resource_limits"), problem)
        return shape

    def changed(self, **traits: Any) -> PodShape:
        """Return this shape merged with that of traits, which win; see `read`. A guarantee or limit of 0 removes the earlier one.

        Raises
        ------
        InvalidPod
            Says which trait is not valid, and why.
        """
        own = PodShape.read(traits)
        shape = self.merged(own)
        shape._check(own, traits)
        return shape

    def pod(self) -> KubernetesObject:
        """Return this shape as a Pod, whose container is called ``main``, as Argo calls it."""
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"labels": {**self.labels}, "annotations": {**self.annotations}},
            "spec": {**self.spec, "containers": [{"name": "main", **self.container}]},
        }
        return deepcopy(pod)  # who gets it may change it

    def of_pod(self, pod: Part) -> PodShape:
        """Return the shape of a Pod that somebody made of `pod`.

        Raises
        ------
        ValueError
            It is not valid, or it has something that this package or Argo sets.
        """
        _refuse_variables(pod)
        spec, metadata = dict(pod["spec"]), pod.get("metadata") or {}
        containers = spec.pop("containers")
        if len(containers) != 1:
            raise ValueError(f"it has {len(containers)} containers instead of one")
        container = {key: value for key, value in containers[0].items() if key != "name"}
        shape = PodShape(
            python=self.python,
            container=_without_empties(validation.read_container(container)),
            spec=_without_empties(validation.read_pod_spec(spec)),
            labels=validation.read_labels(metadata.get("labels") or {}),
            annotations=validation.read_texts(metadata.get("annotations") or {}),
        )
        shape._check(PodShape(), {})
        return shape

    def _overlaid(self, later: PodShape) -> PodShape:
        return PodShape(
            python=later.python or self.python,
            container=_merged(self.container, later.container),
            spec=_merged(self.spec, later.spec),
            labels={**self.labels, **later.labels},
            annotations={**self.annotations, **later.annotations},
        )

    def _mounts(self) -> Iterator[tuple[str, Part]]:
        for mount in self.container.get("volumeMounts") or []:
            yield "volume_mounts", mount
        for container in self.spec.get("initContainers") or []:
            yield from (("init_containers", mount) for mount in container.get("volumeMounts") or [])

    def _mounted(self) -> set[str]:
        return {mount["name"] for _, mount in self._mounts()}

    def _check(self, own: PodShape, traits: Part) -> None:
        """Refuse mounts and volumes that do not fit each other; `own` is what the given traits ask for."""
        names = [volume["name"] for volume in self.spec.get("volumes") or []]
        for trait, mount in self._mounts():
            if mount["name"] not in names:
                available = ", ".join(names) or "none"
                asking = trait if traits.get(trait) else "volumes"
                raise InvalidPod(
                    asking,
                    f"'{mount['name']}' is mounted at {mount['mountPath']}, but no volume has that name. Available: {available}",
                )
        for volume in own.spec.get("volumes") or []:
            if volume["name"] not in self._mounted():
                raise InvalidPod("volumes", f"'{volume['name']}' is not mounted. Mount it with volume_mounts")


def _in_container(*path: str, read: Callable[[Any], Any]) -> Callable[[Any], PodShape]:
    """Return what makes of a trait's value a shape that has it at this place of the container."""
    return lambda value: PodShape(container=_nested(path, read(value)))


def _in_spec(*path: str, read: Callable[[Any], Any]) -> Callable[[Any], PodShape]:
    return lambda value: PodShape(spec=_nested(path, read(value)))


def _nested(path: tuple[str, ...], value: Any) -> KubernetesObject:
    for key in reversed(path):
        value = {key: value}
    found: KubernetesObject = value
    return found


def _in_affinity(kind: str, mode: str, model: type[BaseModel], *path: str) -> Callable[[Any], PodShape]:
    return _in_spec("affinity", kind, mode, *path, read=lambda value: read_parts(model, value))


def _id(model: type[BaseModel], field: str) -> Callable[[Any], Any]:
    """Return what reads the number of a user or group, or a list of such."""
    return lambda value: read_part(model, {field: value})[field]


TRAITS: dict[str, Callable[[Any], PodShape]] = {
    "image": _in_container("image", read=validation.read_image),
    "image_pull_policy": _in_container("imagePullPolicy", read=str),
    "image_pull_secrets": _in_spec("imagePullSecrets", read=validation.read_references),
    "cpu_guarantee": _in_container("resources", "requests", "cpu", read=quantities.cores),
    "cpu_limit": _in_container("resources", "limits", "cpu", read=quantities.cores),
    "mem_guarantee": _in_container("resources", "requests", "memory", read=quantities.memory),
    "mem_limit": _in_container("resources", "limits", "memory", read=quantities.memory),
    "extra_resource_guarantees": _in_container("resources", "requests", read=resources.read_amounts),
    "extra_resource_limits": _in_container("resources", "limits", read=resources.read_amounts),
    "environment": _in_container("env", read=validation.read_environment),
    "working_dir": _in_container("workingDir", read=validation.read_path),
    "volumes": _in_spec("volumes", read=validation.read_volumes),
    "volume_mounts": _in_container("volumeMounts", read=validation.read_mounts),
    "init_containers": _in_spec("initContainers", read=validation.read_init_containers),
    "service_account": _in_spec("serviceAccountName", read=validation.read_name),
    "priority_class_name": _in_spec("priorityClassName", read=validation.read_name),
    "node_selector": _in_spec("nodeSelector", read=validation.read_labels),
    "tolerations": _in_spec("tolerations", read=lambda value: read_parts(Toleration, value)),
    "node_affinity_required": _in_affinity("nodeAffinity", REQUIRED, NodeSelectorTerm, "nodeSelectorTerms"),
    "node_affinity_preferred": _in_affinity("nodeAffinity", PREFERRED, PreferredSchedulingTerm),
    "pod_affinity_required": _in_affinity("podAffinity", REQUIRED, PodAffinityTerm),
    "pod_affinity_preferred": _in_affinity("podAffinity", PREFERRED, WeightedPodAffinityTerm),
    "pod_anti_affinity_required": _in_affinity("podAntiAffinity", REQUIRED, PodAffinityTerm),
    "pod_anti_affinity_preferred": _in_affinity("podAntiAffinity", PREFERRED, WeightedPodAffinityTerm),
    "uid": _in_container("securityContext", "runAsUser", read=_id(SecurityContext, "runAsUser")),
    "gid": _in_container("securityContext", "runAsGroup", read=_id(SecurityContext, "runAsGroup")),
    "fs_gid": _in_spec("securityContext", "fsGroup", read=_id(PodSecurityContext, "fsGroup")),
    "supplemental_gids": _in_spec(
        "securityContext", "supplementalGroups", read=_id(PodSecurityContext, "supplementalGroups")
    ),
    "container_security_context": _in_container(
        "securityContext", read=lambda value: read_part(SecurityContext, value)
    ),
    "pod_security_context": _in_spec(
        "securityContext", read=lambda value: read_part(PodSecurityContext, value)
    ),
    "extra_labels": lambda value: PodShape(labels=validation.read_extra_labels(value)),
    "extra_annotations": lambda value: PodShape(annotations=validation.read_texts(value)),
    "extra_container_config": _in_container(read=validation.read_container),
    "extra_pod_config": _in_spec(read=validation.read_pod_spec),
}
"""How the value of each trait becomes a shape, in the order in which they are merged."""

_LIMITS = {"cpu": "cpu_limit", "memory": "mem_limit"}


def _merged(earlier: Part, later: Part) -> KubernetesObject:
    found = dict(earlier)
    for key, value in later.items():
        before = found.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            found[key] = _merged(before, value)
        elif before and key in _NAMED:
            name = _NAMED[key]
            by_name = {part[name]: part for part in before} | {part[name]: part for part in value}
            found[key] = list(by_name.values())
        elif before and key == "tolerations":
            found[key] = [*before, *(toleration for toleration in value if toleration not in before)]
        else:
            found[key] = value
    return found


def _without_empties(part: Part) -> KubernetesObject:
    return {key: value for key, value in part.items() if value not in (None, "", {}, [])}


def _refuse_variables(value: Any, where: str = "") -> None:
    """Refuse what Argo would expand. The value may be a secret, and is not shown."""
    if isinstance(value, str) and "{{" in value:
        raise ValueError(f"{where or 'it'} contains '{{{{', which Argo would expand")
    content = value if isinstance(value, Mapping) else {}
    if isinstance(value, (list, tuple)):
        content = dict(enumerate(value))
    for key, inner in content.items():
        _refuse_variables(inner, f"{where}.{key}" if where else str(key))

"""What a run's pods look like. Pure: no I/O, and nothing of traitlets or Jupyter."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from argo_jupyter_scheduler.domain.errors import InvalidPod
from argo_jupyter_scheduler.engines.argo.pods import fields as parts
from argo_jupyter_scheduler.engines.argo.pods import placement, quantities, volumes
from argo_jupyter_scheduler.engines.argo.pods import validation as checks

Part = Mapping[str, Any]

_NAMED = {
    "env": "name",
    "volumeMounts": "mountPath",
    "volumes": "name",
    "initContainers": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
}
"""Lists of things that have a name."""

_HUB_VARIABLES: dict[str, tuple[str, str, type]] = {
    "CPU_GUARANTEE": ("requests", "cpu", float),
    "CPU_LIMIT": ("limits", "cpu", float),
    "MEM_GUARANTEE": ("requests", "memory", int),
    "MEM_LIMIT": ("limits", "memory", int),
}
"""Variables in which JupyterHub tells a notebook what it has got (``jupyterhub.spawner.Spawner.get_env``)."""


@dataclass(frozen=True)
class PodShape:
    """The shape of a run's pods: parts of a Kubernetes Pod, in its own words. It is never changed; changed copies are made.

    Of two sources the later one wins (`merged`, `changed`):

    - mappings (labels, amounts of resources, security contexts, node selector, affinity) key by key;
    - lists of named things (environment, volumes, init containers, pull secrets; mounts by their path) thing by thing;
    - tolerations are added to those that there are;
    - all else, such as the image or the terms of an affinity, as a whole.

    Where a limit and a guarantee of different sources do not fit, the later one stands and the other follows it. Volumes that
    nothing mounts any more are left out.

    Attributes
    ----------
    python
        Path of the Python that has this package.
    container
        Fields of the container: ``image``, ``env``, ``resources``, …
    spec
        Fields of the pod's specification, but for its containers.
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
        """Return this shape with that of a later source in it, which wins."""
        shape = self._overlaid(later)
        container, spec = dict(shape.container), dict(shape.spec)
        if "resources" in container:
            container["resources"] = _fitting(container["resources"], later.container.get("resources") or {})
            before = self.container.get("resources") or {}
            container["env"] = _told(container.get("env") or [], before, container["resources"])
        if "volumes" in spec:
            used = shape._mounted() | {volume["name"] for volume in later.spec.get("volumes") or []}
            spec["volumes"] = [volume for volume in spec["volumes"] if volume["name"] in used]
        return replace(shape, container=_without_empties(container), spec=_without_empties(spec))

    @classmethod
    def read(cls, traits: Part) -> PodShape:
        """Return what traits of `ArgoScheduler` ask for, such as ``mem_limit="2G"``; None and empty values are skipped.

        Raises
        ------
        InvalidPod
            Says which trait is not valid, and why.
        """
        for trait in traits:
            if trait not in TRAITS:
                near = difflib.get_close_matches(trait, TRAITS) or TRAITS
                raise InvalidPod(trait, f"there is no such trait of a pod. Available: {', '.join(near)}")
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
        for resource, problem in checks.misfits(shape.container.get("resources") or {}):
            raise InvalidPod(_LIMITS.get(resource, "extra_resource_limits"), problem)
        return shape

    def changed(self, **traits: Any) -> PodShape:
        """Return this shape changed by traits, which win; see `read`. A guarantee or limit of 0 takes away the one that exists.

        Raises
        ------
        InvalidPod
            Says which trait is not valid, and why.
        """
        own = PodShape.read(traits)
        shape = self.merged(own)
        shape._check(own, traits)
        return shape

    def pod(self) -> dict[str, Any]:
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
            Kubernetes would refuse it, or it has something that Argo decides.
        """
        _refuse_variables(pod)
        spec, metadata = dict(pod["spec"]), pod.get("metadata") or {}
        containers = spec.pop("containers")
        if len(containers) != 1:
            raise ValueError(f"it has {len(containers)} containers; there must be one")
        container = {key: value for key, value in containers[0].items() if key != "name"}
        shape = PodShape(
            python=self.python,
            container=_without_empties(checks.container(container)),
            spec=_without_empties(checks.pod_spec(spec)),
            labels=parts.label_mapping(metadata.get("labels") or {}),
            annotations=parts.annotation_mapping(metadata.get("annotations") or {}),
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
        """Refuse parts that do not fit each other; `own` is what the given traits ask for."""
        names = [volume["name"] for volume in self.spec.get("volumes") or []]
        for trait, mount in self._mounts():
            if mount["name"] not in names:
                there = f"The volumes are {', '.join(names)}" if names else "There are no volumes"
                asking = trait if traits.get(trait) else "volumes"
                raise InvalidPod(asking, f"'{mount['name']}' is mounted at {mount['mountPath']}. {there}")
        for volume in own.spec.get("volumes") or []:
            if volume["name"] not in self._mounted():
                raise InvalidPod(
                    "volumes", f"volume '{volume['name']}' is mounted nowhere; see volume_mounts"
                )
        resources = self.container.get("resources") or {}
        amounts = {**resources.get("requests", {}), **resources.get("limits", {})}
        for name in amounts:
            if name.startswith("hugepages-") and not amounts.keys() & {"cpu", "memory"}:
                raise InvalidPod("extra_resource_limits", f"{name} also needs an amount of cpu or memory")
        for name in (resources.get("requests") or {}).keys() - (resources.get("limits") or {}).keys():
            if checks.is_indivisible(name):
                raise InvalidPod(
                    "extra_resource_guarantees", f"{name} also needs a limit, of the same amount"
                )


def _in_container(*path: str, read: Callable[[Any], Any]) -> Callable[[Any], PodShape]:
    """Return what makes of a trait's value a shape that has it at this place of the container."""
    return lambda value: PodShape(container=_nested(path, read(value)))


def _in_spec(*path: str, read: Callable[[Any], Any]) -> Callable[[Any], PodShape]:
    return lambda value: PodShape(spec=_nested(path, read(value)))


def _nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    found: dict[str, Any] = value
    return found


TRAITS: dict[str, Callable[[Any], PodShape]] = {
    "image": _in_container("image", read=checks.image),
    "image_pull_policy": _in_container("imagePullPolicy", read=checks.pull_policy),
    "image_pull_secrets": _in_spec("imagePullSecrets", read=checks.references),
    "cpu_guarantee": _in_container("resources", "requests", "cpu", read=quantities.cores),
    "cpu_limit": _in_container("resources", "limits", "cpu", read=quantities.cores),
    "mem_guarantee": _in_container("resources", "requests", "memory", read=quantities.memory),
    "mem_limit": _in_container("resources", "limits", "memory", read=quantities.memory),
    "extra_resource_guarantees": _in_container("resources", "requests", read=checks.resources),
    "extra_resource_limits": _in_container("resources", "limits", read=checks.resources),
    "environment": _in_container("env", read=checks.environment),
    "working_dir": _in_container("workingDir", read=parts.absolute_path),
    "volumes": _in_spec("volumes", read=volumes.volumes),
    "volume_mounts": _in_container("volumeMounts", read=checks.mounts),
    "init_containers": _in_spec("initContainers", read=checks.init_containers),
    "service_account": _in_spec("serviceAccountName", read=parts.name),
    "priority_class_name": _in_spec("priorityClassName", read=parts.name),
    "node_selector": _in_spec("nodeSelector", read=parts.label_mapping),
    "tolerations": _in_spec("tolerations", read=placement.tolerations),
    "node_affinity_required": _in_spec(
        "affinity",
        "nodeAffinity",
        placement.REQUIRED,
        "nodeSelectorTerms",
        read=placement.node_terms,
    ),
    "node_affinity_preferred": _in_spec(
        "affinity", "nodeAffinity", placement.PREFERRED, read=placement.preferred_node_terms
    ),
    "pod_affinity_required": _in_spec(
        "affinity", "podAffinity", placement.REQUIRED, read=placement.pod_terms
    ),
    "pod_affinity_preferred": _in_spec(
        "affinity", "podAffinity", placement.PREFERRED, read=placement.preferred_pod_terms
    ),
    "pod_anti_affinity_required": _in_spec(
        "affinity", "podAntiAffinity", placement.REQUIRED, read=placement.pod_terms
    ),
    "pod_anti_affinity_preferred": _in_spec(
        "affinity", "podAntiAffinity", placement.PREFERRED, read=placement.preferred_pod_terms
    ),
    "uid": _in_container("securityContext", "runAsUser", read=checks.user_id),
    "gid": _in_container("securityContext", "runAsGroup", read=checks.user_id),
    "fs_gid": _in_spec("securityContext", "fsGroup", read=checks.user_id),
    "supplemental_gids": _in_spec("securityContext", "supplementalGroups", read=checks.user_ids),
    "container_security_context": _in_container("securityContext", read=checks.container_context),
    "pod_security_context": _in_spec("securityContext", read=checks.pod_context),
    "extra_labels": lambda value: PodShape(labels=checks.extra_labels(value)),
    "extra_annotations": lambda value: PodShape(annotations=parts.annotation_mapping(value)),
    "extra_container_config": _in_container(read=checks.container),
    "extra_pod_config": _in_spec(read=checks.pod_spec),
}
"""What each trait of a pod makes of its value, in the order in which they are laid over each other."""

_LIMITS = {"cpu": "cpu_limit", "memory": "mem_limit"}


def _merged(earlier: Part, later: Part) -> dict[str, Any]:
    found = dict(earlier)
    for key, value in later.items():
        before = found.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            found[key] = _merged(before, value)
        elif before and key in _NAMED:
            name = _NAMED[key]
            found[key] = list(
                ({one[name]: one for one in before} | {one[name]: one for one in value}).values()
            )
        elif before and key == "tolerations":
            found[key] = [*before, *(one for one in value if one not in before)]
        else:
            found[key] = value
    return found


def _fitting(resources: Part, later: Part) -> dict[str, dict[str, str]]:
    """Return amounts in which guarantees and limits fit, without those that are 0."""
    found = {side: dict(resources.get(side) or {}) for side in ("requests", "limits")}
    for name, _ in checks.misfits(found):
        stands, follows = (
            ("limits", "requests") if name in (later.get("limits") or {}) else ("requests", "limits")
        )
        found[follows][name] = found[stands][name]
    return {
        side: {name: amount for name, amount in amounts.items() if quantities.amount(amount)}
        for side, amounts in found.items()
    }


def _told(variables: list[Part], before: Part, now: Part) -> list[Part]:
    """Return environment variables in which JupyterHub's, where they are, tell the amounts that changed."""
    found = []
    for one in variables:
        side, name, kind = _HUB_VARIABLES.get(one["name"], ("", "", str))
        was, amount = (resources.get(side, {}).get(name) for resources in (before, now))
        if amount == was:
            found.append(one)
        elif amount:
            found.append({"name": one["name"], "value": str(kind(quantities.amount(amount)))})
    return found


def _without_empties(part: Part) -> dict[str, Any]:
    return {key: value for key, value in part.items() if value not in (None, "", {}, [])}


def _refuse_variables(value: Any, where: str = "") -> None:
    """Refuse what Argo would expand. The value itself may be a secret, and is not told."""
    if isinstance(value, str) and "{{" in value:
        raise ValueError(f"{where or 'it'} has '{{{{', which Argo would take for a variable of its own")
    items = (
        value.items()
        if isinstance(value, Mapping)
        else enumerate(value)
        if isinstance(value, (list, tuple))
        else ()
    )
    for key, one in items:
        _refuse_variables(one, f"{where}.{key}" if where else str(key))

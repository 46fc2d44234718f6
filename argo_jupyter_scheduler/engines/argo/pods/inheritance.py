"""The part of this server's own pod that a run's pods inherit. Pure: no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject, Part
from argo_jupyter_scheduler.engines.argo.pods.own_pod import RULE, OwnPod, read_claim
from argo_jupyter_scheduler.engines.argo.pods.resources import read_resources
from argo_jupyter_scheduler.engines.argo.pods.shape import PREFERRED, REQUIRED, PodShape
from argo_jupyter_scheduler.engines.argo.pods.validation import ARGO_CONTAINERS

SERVER_TOKENS = frozenset(
    {
        "JUPYTERHUB_API_TOKEN",
        "JPY_API_TOKEN",
        "JUPYTER_TOKEN",
        "ARGO_TOKEN",
        "HERA_TOKEN",
        "CONDA_STORE_TOKEN",
    }
)
"""Tokens with which this server calls others. No run needs them, so they are not passed on even as references to a Secret."""

SECRET_NAME = re.compile(
    r"(TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIAL)S?(_|$)|(API|ACCESS|PRIVATE)_?KEY|(?<!PUBLIC)(^|_)KEY$"
    r"|(^|_)(PASS|PWD|PAT|AUTH|AUTHORIZATION)$",
    re.IGNORECASE,
)
"""Names of variables whose values are not passed on: everybody who may list workflows can read a manifest."""

PLACE_NAME = re.compile(
    r"(_|^)(FILE|PATH|DIR)$|^(PWD|GOOGLE_APPLICATION_CREDENTIALS|NSS_WRAPPER_PASSWD)$", re.IGNORECASE
)
"""Names of those among them that say where a secret is, which is not a secret."""

SECRET_VALUE = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@"  # a password in an address
    r"|https?://[^/\s@]+@"  # a token instead of a user, as git and Sentry have it
    r"|//hooks\.slack\.com/"
    r"|^\s*(Bearer|Basic)\s+\S+\s*$"
    r"|(token|password|passwd|pwd|secret|key|sig)=[^\s&;]",  # in a query or a connection string
    re.IGNORECASE,
)
"""Values that are not passed on, whatever the variable's name is."""

USER_LABEL, SERVER_LABEL = "hub.jupyter.org/username", "hub.jupyter.org/servername"
"""On each pod that KubeSpawner makes; a user's default server has the name ``""``."""

SERVICE_ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"

MESHES = frozenset({"istio-init", "istio-validation", "linkerd-init", "linkerd-network-validator"})
"""Init containers that a service mesh puts into each pod by itself."""

_CONTAINER_FIELDS = ("image", "imagePullPolicy", "envFrom", "workingDir", "securityContext")
_INIT_FIELDS = ("name", "command", "args", "resources", *_CONTAINER_FIELDS)
_POD_FIELDS = (
    "imagePullSecrets",
    "nodeSelector",
    "securityContext",
    "runtimeClassName",
    "hostAliases",
    "dnsConfig",
)


def is_secret(name: str, value: str = "") -> bool:
    """Return whether an environment variable must not leave this server's pod."""
    has_secret_name = value and SECRET_NAME.search(name) and not PLACE_NAME.search(name)
    return name in SERVER_TOKENS or bool(has_secret_name or SECRET_VALUE.search(value))


def inherit(
    own: OwnPod, service_account: bool = False, user: tuple[int, int] = (0, 0)
) -> tuple[PodShape, list[str]]:
    """Return the shape of a pod like this server's, and what an administrator should know of it.

    Parameters
    ----------
    own
        This server's pod.
    service_account
        Whether runs have the same service account.
    user
        Numbers of the user and the group that this server is. Runs are these too where its container begins as root and becomes
        them by its command, which runs do not have: root's files in a home would be in their owner's way.
    """
    spec, notes = own.pod["spec"], list[str]()
    available = {
        volume["name"]: volume for volume in spec.get("volumes") or [] if not _is_service_accounts(volume)
    }
    server = _find_server(own.pod)
    main = _inherited_container(server, _CONTAINER_FIELDS, available, notes)
    if server.get("resources"):
        main["resources"] = read_resources(_fields(server["resources"], ("requests", "limits")))
    if user[0] and _context(spec, server).get("runAsUser") == 0:
        ids = dict(zip(("runAsUser", "runAsGroup"), user, strict=True))
        main["securityContext"] = {**main.get("securityContext", {}), **ids}
    init_containers = _inherited_init_containers(spec, available, notes)
    mounts = [
        mount for container in (main, *init_containers) for mount in container.get("volumeMounts") or []
    ]
    mounted = {mount["name"] for mount in mounts}
    volumes = [volume for name, volume in available.items() if name in mounted]
    names = {container["name"] for container in init_containers}
    main, init_containers, volumes = (
        _with_own_amounts(part, names) for part in (main, init_containers, volumes)
    )
    tolerations = spec.get("tolerations") or []
    pod = {
        **_fields(spec, (*_POD_FIELDS, "serviceAccountName") if service_account else _POD_FIELDS),
        "volumes": volumes,
        "initContainers": init_containers,
        "tolerations": [toleration for toleration in tolerations if not _is_kubernetes_own(toleration)],
        "affinity": _affinity(own, volumes, notes),
    }
    return PodShape().merged(PodShape(container=main, spec=pod, labels=_find_owner_labels(own))), notes


def _inherited_init_containers(spec: Part, available: Part, notes: list[str]) -> list[KubernetesObject]:
    found = []
    for container in spec.get("initContainers") or []:
        is_sidecar = container.get("restartPolicy") == "Always"
        if is_sidecar or container["name"] in MESHES | ARGO_CONTAINERS:
            continue
        inherited = _inherited_container(container, _INIT_FIELDS, available, notes)
        if _has_variable(inherited):
            notes.append(messages.argo.init_container_not_inherited(container["name"]))
        else:
            found.append(inherited)
    return found


def _find_owner_labels(own: OwnPod) -> dict[str, str]:
    """Return the labels that tell pods of this server and its runs from all others; empty where no hub made it."""
    labels = own.pod["metadata"].get("labels") or {}
    names = (USER_LABEL, SERVER_LABEL) if labels.get(USER_LABEL) else ()
    return {name: labels[name] for name in names if name in labels}


def _fields(part: Part, names: Iterable[str]) -> KubernetesObject:
    return {name: part[name] for name in names if part.get(name)}


def _find_server(pod: Part) -> Part:
    """Return the server's container among those of its pod: KubeSpawner's, else the one that kubectl would take."""
    containers: list[Part] = pod["spec"]["containers"]
    default = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    named = {container["name"]: container for container in containers}
    return named.get("notebook") or named.get(default) or containers[0]


def _inherited_container(
    container: Part, fields: Iterable[str], volumes: Part, notes: list[str]
) -> KubernetesObject:
    passed_on, kept = [], []
    for variable in container.get("env") or []:
        name, value = variable["name"], variable.get("value") or ""
        if is_secret(name, value) or "{{" in value:  # Argo would expand that
            kept += [name] if name not in SERVER_TOKENS else []
        else:
            passed_on.append(variable if "valueFrom" in variable else {"name": name, "value": value})
    if kept:
        notes.append(messages.argo.variables_not_inherited(kept))
    mounts = [
        mount
        for mount in container.get("volumeMounts") or []
        if mount["name"] in volumes and mount["mountPath"] != SERVICE_ACCOUNT_PATH
    ]
    found = {**_fields(container, fields), "env": passed_on, "volumeMounts": mounts}
    return {key: value for key, value in found.items() if value}


def _has_variable(container: Part) -> bool:
    """Return whether a container has what Argo expands; if it does not know it, it refuses the workflow."""
    return "{{" in json.dumps(container)


def _context(spec: Part, container: Part) -> KubernetesObject:
    """Return the security context that a container has, with what it has from its pod."""
    return {**(spec.get("securityContext") or {}), **(container.get("securityContext") or {})}


def _with_own_amounts(part: Any, names: Container[str], key: str = "") -> Any:
    """Return a part of a pod in which the amounts of containers that runs do not have are those of ``main``.

    Kubernetes never starts a pod that lists amounts for a container that the pod does not have.

    Parameters
    ----------
    names
        The containers that runs have too.
    key
        Under which the part is.
    """
    if isinstance(part, list):
        return [_with_own_amounts(element, names) for element in part]
    if not isinstance(part, Mapping):
        return part
    if key == "resourceFieldRef":
        other = part.get("containerName") and part["containerName"] not in names
        return {**part, "containerName": "main"} if other else part
    return {name: _with_own_amounts(inner, names, name) for name, inner in part.items()}


def _is_service_accounts(volume: Part) -> bool:
    """Return whether a volume has a token of the pod's service account: a run's pod gets its own."""
    sources = (volume.get("projected") or {}).get("sources") or []
    return any("serviceAccountToken" in source for source in sources)


def _is_kubernetes_own(toleration: Part) -> bool:
    """Return whether a toleration is one that Kubernetes gives each pod."""
    keys = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
    return toleration.get("key") in keys and toleration.get("tolerationSeconds") == 300


def _affinity(own: OwnPod, volumes: list[Part], notes: list[str]) -> KubernetesObject:
    """Return the pod's affinity, with what puts a run where a volume that one node only can mount is.

    A node's name would not do: a scheduled run would wait for a node that is long gone. So runs go where a pod of the same server
    is, be it the server or another run, and anywhere if there is none (Kubernetes lets a pod that meets its own term be the first,
    see "Inter-pod affinity and anti-affinity" in its documentation). Of a user's other servers, which have claims of their own
    unless the hub is configured otherwise, a run merely prefers the node.
    """
    affinity: KubernetesObject = {**(own.pod["spec"].get("affinity") or {})}
    modes = {
        name: own.access_modes.get(name)
        for volume in volumes
        if (name := read_claim(volume)) and not _is_shared(own.access_modes.get(name))
    }
    if not modes:
        return affinity
    unknown = [name for name, found in modes.items() if found is None]
    if unknown:
        rule = RULE.format("persistentvolumeclaims")
        notes.append(messages.argo.claim_modes_unknown(unknown, own.namespace, rule))
    alone = [name for name, found in modes.items() if "ReadWriteOncePod" in (found or [])]
    if alone:
        notes.append(messages.argo.claim_of_one_pod(alone))
    whose = _find_owner_labels(own)
    if not whose:
        here = {"key": "metadata.name", "operator": "In", "values": [own.pod["spec"]["nodeName"]]}
        notes.append(messages.argo.claim_of_one_node(modes, USER_LABEL))
        return _with_term(
            affinity, "nodeAffinity", PREFERRED, {"weight": 100, "preference": {"matchFields": [here]}}
        )
    if USER_LABEL in str((affinity.get("podAffinity") or {}).get(REQUIRED)):
        return affinity
    if SERVER_LABEL in whose:
        users = {"weight": 50, "podAffinityTerm": _same_node({USER_LABEL: whose[USER_LABEL]})}
        affinity = _with_term(affinity, "podAffinity", PREFERRED, users)
    if len(unknown) < len(modes):
        return _with_term(affinity, "podAffinity", REQUIRED, _same_node(whose))
    term = {"weight": 100, "podAffinityTerm": _same_node(whose)}
    return _with_term(affinity, "podAffinity", PREFERRED, term)


def _same_node(labels: Part) -> KubernetesObject:
    """Return the term of a pod that is on the node of pods with these labels."""
    return {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}


def _with_term(affinity: Part, kind: str, mode: str, term: Part) -> KubernetesObject:
    before = affinity.get(kind) or {}
    return {**affinity, kind: {**before, mode: [*(before.get(mode) or []), term]}}


def _is_shared(access_modes: list[str] | None) -> bool:
    return any(mode.endswith("Many") for mode in access_modes or [])

"""Reads this server's own Pod from Kubernetes, as the service account that Kubernetes gives the pod.

Two GET calls do not need a client library: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import urllib3
from urllib3.util import Retry, Timeout

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import PodUnknown
from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject

TIMEOUT_SECONDS = Timeout(connect=1.5, read=4.0)
"""For one call. Runs wait for it."""

RETRIES = Retry(
    connect=1,
    read=0,
    status=1,
    redirect=0,
    other=0,
    status_forcelist=(429, 502, 503, 504),
    raise_on_status=False,
)

RULE = 'apiGroups: [""], resources: [{}], verbs: [get]'
"""A rule of a Role, as YAML."""


@dataclass(frozen=True)
class OwnPod:
    """The Pod of this server.

    Attributes
    ----------
    pod
        As Kubernetes has it.
    namespace
        Where it is.
    access_modes
        Of the claims that it mounts, by name; None where they may not be read.
    """

    pod: Mapping[str, Any]
    namespace: str
    access_modes: Mapping[str, list[str] | None] = field(default_factory=dict)


def read_claim(volume: Mapping[str, Any]) -> str:
    """Return the name of a volume's claim, empty if it has none; a generic ephemeral volume's is each pod's own."""
    return str((volume.get("persistentVolumeClaim") or {}).get("claimName") or "")


def is_in_cluster(service_account: Path) -> bool:
    """Return whether this process is in a pod that may ask Kubernetes.

    Parameters
    ----------
    service_account
        The folder in which Kubernetes shows a pod its service account.
    """
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (service_account / "token").is_file()


def find_api_url() -> str:
    """Return the address of Kubernetes' API, which each pod has in its environment."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    return f"https://{f'[{host}]' if ':' in host else host}:{port}"


def read(service_account: Path) -> OwnPod:
    """Read the pod that this process is in.

    Raises
    ------
    PodUnknown
        It cannot be read; says why, and which rule is missing.
    """
    if not os.environ.get("KUBERNETES_SERVICE_HOST"):
        raise PodUnknown(messages.argo.NOT_IN_A_POD)
    try:
        namespace = (service_account / "namespace").read_text(encoding="utf-8").strip()
        token = (service_account / "token").read_text(encoding="ascii").strip()
        if not re.fullmatch(r"[!-~]+", token):
            raise ValueError("its token is empty or damaged")
    except (OSError, ValueError) as error:
        raise PodUnknown(messages.argo.service_account_missing(error)) from error
    name = os.environ.get("HOSTNAME") or socket.gethostname()
    client = urllib3.PoolManager(
        ca_certs=str(service_account / "ca.crt"), headers={"Authorization": f"Bearer {token}"}
    )
    try:
        own = OwnPod(_get(client, namespace, "pods", name), namespace)
        claims = filter(None, map(read_claim, own.pod["spec"].get("volumes") or []))
        return replace(own, access_modes=_access_modes(client, namespace, claims))
    finally:
        client.clear()


def _access_modes(
    client: urllib3.PoolManager, namespace: str, claims: Iterable[str]
) -> dict[str, list[str] | None]:
    found: dict[str, list[str] | None] = dict.fromkeys(claims)
    for claim in found:
        try:
            spec = _get(client, namespace, "persistentvolumeclaims", claim)["spec"]
        except PodUnknown as error:
            if error.__cause__:  # no answer: do not wait for one time limit for each claim
                break
            continue
        found[claim] = list(spec.get("accessModes") or [])
    return found


def _get(client: urllib3.PoolManager, namespace: str, kind: str, name: str) -> KubernetesObject:
    address = find_api_url()
    try:
        path = f"/api/v1/namespaces/{namespace}/{kind}/{name}"
        response = client.request("GET", address + path, timeout=TIMEOUT_SECONDS, retries=RETRIES)
        answer = response.json()
    except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:  # OSError: no ca.crt
        raise PodUnknown(messages.argo.kubernetes_unreachable(address, _cause(error))) from error
    if not isinstance(answer, dict):
        answer = {}
    if response.status == 200 and isinstance(answer.get("spec"), dict):
        return answer
    words = str(answer.get("message") or response.reason)
    if response.status == 403:
        raise PodUnknown(messages.argo.own_pod_forbidden(words, namespace, f"{{{RULE.format(kind)}}}"))
    raise PodUnknown(messages.argo.own_pod_not_returned(address, response.status, words))


def _cause(error: BaseException) -> str:
    """Return what really happened, without urllib3's layers around it."""
    while isinstance(reason := getattr(error, "reason", None), BaseException):
        error = reason
    return f"{type(error).__name__}: {error}"

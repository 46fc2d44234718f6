"""Reads this server's own Pod from Kubernetes, as the service account that Kubernetes gives the pod.

Nothing but two GET calls, so there is no client library: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from argo_jupyter_scheduler.errors import PodUnknown

TIMEOUT = (1.5, 4.0)
"""Seconds to connect, and between two bytes of an answer. JupyterLab is starting meanwhile."""

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


def claim_of(volume: Mapping[str, Any]) -> str:
    """Return the name of a volume's claim, empty if it has none; a generic ephemeral volume's is each pod's own."""
    return str((volume.get("persistentVolumeClaim") or {}).get("claimName") or "")


def in_cluster(service_account: Path) -> bool:
    """Return whether this process is in a pod that may ask Kubernetes.

    Parameters
    ----------
    service_account
        The folder in which Kubernetes shows a pod its service account.
    """
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (service_account / "token").is_file()


def read(service_account: Path) -> OwnPod:
    """Read the pod that this process is in.

    Raises
    ------
    PodUnknown
        It cannot be read; says why, and which rule is missing.
    """
    if not os.environ.get("KUBERNETES_SERVICE_HOST"):
        raise PodUnknown("This server is in no pod of a Kubernetes (KUBERNETES_SERVICE_HOST is not set).")
    try:
        namespace = (service_account / "namespace").read_text(encoding="utf-8").strip()
        token = (service_account / "token").read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise PodUnknown(
            f"This server's pod has no service account that may read it ({error}). In Zero to JupyterHub, set "
            "singleuser.serviceAccountName."
        ) from error
    name = os.environ.get("HOSTNAME") or socket.gethostname()
    with _session(service_account, token) as session:
        own = OwnPod(_get(session, namespace, "pods", name), namespace)
        claims = filter(None, map(claim_of, own.pod["spec"].get("volumes") or []))
        return replace(
            own, access_modes={claim: _access_modes(session, namespace, claim) for claim in claims}
        )


def _access_modes(session: requests.Session, namespace: str, claim: str) -> list[str] | None:
    try:
        found = _get(session, namespace, "persistentvolumeclaims", claim)
    except PodUnknown:
        return None
    return list(found["spec"].get("accessModes") or [])


def _session(service_account: Path, token: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # neither a proxy nor a .netrc is meant for this
    session.verify = str(service_account / "ca.crt")
    session.headers["Authorization"] = f"Bearer {token}"
    retry = Retry(connect=1, read=0, status=1, status_forcelist=(429, 502, 503, 504), raise_on_status=False)
    session.mount("https://", HTTPAdapter(max_retries=retry))
    return session


def _get(session: requests.Session, namespace: str, kind: str, name: str) -> dict[str, Any]:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    address = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    try:
        response = session.get(f"{address}/api/v1/namespaces/{namespace}/{kind}/{name}", timeout=TIMEOUT)
        answer: Any = response.json()
        if response.ok and isinstance(answer, dict) and isinstance(answer.get("spec"), dict):
            return answer
    except (requests.RequestException, ValueError) as error:
        raise PodUnknown(
            f"Kubernetes at {address} did not tell this server's pod: {type(error).__name__}. A NetworkPolicy may be in the way."
        ) from error
    words = str(answer.get("message") if isinstance(answer, dict) else "") or response.reason
    if response.status_code == 403:
        raise PodUnknown(
            f"This server's service account may not read its own pod: {words}. Give it, in namespace {namespace}, a Role "
            f"with the rule {{{RULE.format(kind)}}}."
        )
    raise PodUnknown(
        f"Kubernetes at {address} did not tell this server's pod ({response.status_code}): {words}."
    )

"""Looks whether Kubernetes has the Secrets to which pods refer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import urllib3

from argo_jupyter_scheduler.engines.argo.pods.own_pod import (
    RETRIES,
    TIMEOUT_SECONDS,
    find_api_url,
    is_in_cluster,
)


def find_missing(
    service_account: Path, namespace: str, references: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """Return what refers to a Secret or to a key of it that does not exist, as far as this server may ask.

    Parameters
    ----------
    service_account
        The folder in which Kubernetes shows a pod its service account.
    namespace
        That of the pods.
    references
        ``name`` and ``key`` of a Secret, for each of those that refer to it.
    """
    if not is_in_cluster(service_account):
        return []
    token = (service_account / "token").read_text(encoding="ascii").strip()
    client = urllib3.PoolManager(
        ca_certs=str(service_account / "ca.crt"), headers={"Authorization": f"Bearer {token}"}
    )
    try:
        return [
            one
            for one, reference in references.items()
            if _is_missing(client, f"{namespace}/secrets/{reference['name']}", reference["key"])
        ]
    except (
        urllib3.exceptions.HTTPError,
        ValueError,
        OSError,
    ):  # another check says that Kubernetes does not answer
        return []
    finally:
        client.clear()


def _is_missing(client: urllib3.PoolManager, path: str, key: str) -> bool:
    address = f"{find_api_url()}/api/v1/namespaces/{path}"
    response = client.request("GET", address, timeout=TIMEOUT_SECONDS, retries=RETRIES)
    if response.status == 200:
        return key not in (response.json().get("data") or {})
    return bool(response.status == 404)  # a server that may not read Secrets is answered with 403

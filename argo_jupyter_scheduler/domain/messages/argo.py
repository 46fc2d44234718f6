"""Argo, Kubernetes, and the shape of the pods."""

from __future__ import annotations

from argo_jupyter_scheduler.domain.text import shorten

POD_SHAPE_UNKNOWN = (
    "The shape of the pods is unknown, so nothing can run on Argo. Either set c.ArgoScheduler.image to an image that has "
    "argo-jupyter-scheduler, with c.ArgoScheduler.volumes and c.ArgoScheduler.volume_mounts for the home. Or give this "
    "server's pod a service account that may get pods, so that runs inherit from it (c.ArgoScheduler.inherit_pod)."
)
NOT_IN_A_POD = "This server is not in a pod (KUBERNETES_SERVICE_HOST is not set)."


def service_account_missing(error: Exception) -> str:
    """Return the message for a pod without a usable service account."""
    return f"This server's pod does not have a service account ({error}). In Zero to JupyterHub, set singleuser.serviceAccountName."


def kubernetes_unreachable(address: str, cause: str) -> str:
    """Return the message for a Kubernetes that does not answer."""
    return (
        f"Cannot read this server's pod from Kubernetes at {address} ({cause}). If Kubernetes does not answer, a NetworkPolicy "
        "may be blocking it."
    )


def own_pod_forbidden(words: str, namespace: str, rule: str) -> str:
    """Return the message for a service account that lacks a right; `words` are Kubernetes's."""
    return (
        f"This server's service account may not read its own pod ({words}). Give it, in namespace {namespace}, a Role with the "
        f"rule {rule}."
    )


def own_pod_not_returned(address: str, status: int, words: str) -> str:
    """Return the message for another refusal of Kubernetes."""
    return f"Kubernetes at {address} did not return this server's pod ({status}: {words})."


def argo_too_old(actual: str, url: str, feature: str, needed: str) -> str:
    """Return the message for a feature that this Argo does not have."""
    return f"Argo {actual} at {url} is too old for this: {feature} needs {needed} or later. Ask your administrator for an upgrade."


def argo_answer_unknown(url: str, error: Exception) -> str:
    """Return the message for an answer that does not have the form of Argo's."""
    reason = shorten(f"{type(error).__name__}: {error}", 120)
    return (
        f"Argo's server at {url} sent an unexpected answer ({reason}). Check ARGO_SERVER and ARGO_BASE_HREF."
    )


def argo_token_not_valid(origin: str) -> str:
    """Return the message for a token of Argo that cannot be one."""
    return f"The token for Argo contains characters that a token cannot have. Check {origin}."


def argo_token_file_empty(file: str) -> str:
    """Return the message for an empty file of Argo's token."""
    return f"Argo's token file '{file}' is empty. See c.ArgoScheduler.argo_token_file."


def argo_token_file_unreadable(file: str, reason: str | None) -> str:
    """Return the message for a file of Argo's token that cannot be read."""
    return f"Argo's token file '{file}' cannot be read: {reason}. See c.ArgoScheduler.argo_token_file."


def cron_workflow_contended(name: str) -> str:
    """Return the message for a cron workflow that others keep changing."""
    return f"Argo's cron workflow {name} could not be changed, because something else keeps changing it. Try again later."


def cron_workflow_stays(name: str) -> str:
    """Return the message for a cron workflow that Argo does not delete."""
    return f"Argo's cron workflow {name} could not be replaced: Argo has not deleted the old one yet. Try again later."

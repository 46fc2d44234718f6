"""Argo, Kubernetes, and the shape of the pods."""

from __future__ import annotations

from collections.abc import Iterable

from argo_jupyter_scheduler.domain.text import shorten

POD_SHAPE_UNKNOWN = (
    "The shape of the pods is unknown, so nothing can run on Argo. Either set c.ArgoScheduler.image to an image that has "
    "argo-jupyter-scheduler, with c.ArgoScheduler.volumes and c.ArgoScheduler.volume_mounts for the home. Or give this "
    "server's pod a service account that may get pods, so that runs inherit from it (c.ArgoScheduler.inherit_pod). "
    "See docs/troubleshooting.md#pod-shape-unknown."
)
NOT_IN_A_POD = "This server is not in a pod (KUBERNETES_SERVICE_HOST is not set). See docs/troubleshooting.md#not-in-a-pod."


def service_account_missing(error: Exception) -> str:
    """Return the message for a pod without a usable service account."""
    return (
        f"This server's pod does not have a service account ({error}). In Zero to JupyterHub, set singleuser.serviceAccountName. "
        "See docs/troubleshooting.md#service-account-missing."
    )


def kubernetes_unreachable(address: str, cause: str) -> str:
    """Return the message for a Kubernetes that does not answer."""
    return (
        f"Cannot read this server's pod from Kubernetes at {address} ({cause}). If Kubernetes does not answer, a NetworkPolicy "
        "may be blocking it. See docs/troubleshooting.md#kubernetes-unreachable."
    )


def own_pod_forbidden(words: str, namespace: str, rule: str) -> str:
    """Return the message for a service account that lacks a right; `words` are Kubernetes's."""
    return (
        f"This server's service account may not read its own pod ({words}). Give it, in namespace {namespace}, a Role with the "
        f"rule {rule}. See docs/troubleshooting.md#own-pod-forbidden."
    )


def own_pod_not_returned(address: str, status: int, words: str) -> str:
    """Return the message for another refusal of Kubernetes."""
    return (
        f"Kubernetes at {address} did not return this server's pod ({status}: {words}). See "
        "docs/troubleshooting.md#own-pod-not-returned."
    )


def argo_too_old(actual: str, url: str, feature: str, needed: str) -> str:
    """Return the message for a feature that this Argo does not have."""
    return f"Argo {actual} at {url} is too old for this: {feature} needs {needed} or later. Ask your administrator for an upgrade."


def argo_answer_unknown(url: str, error: Exception) -> str:
    """Return the message for an answer that does not have the form of Argo's."""
    reason = shorten(f"{type(error).__name__}: {error}", 120)
    return (
        f"Argo's server at {url} sent an unexpected answer ({reason}). Check ARGO_SERVER and ARGO_BASE_HREF. See "
        "docs/troubleshooting.md#argo-answer-unknown."
    )


def argo_token_not_valid(origin: str) -> str:
    """Return the message for a token of Argo that cannot be one."""
    return (
        f"The token for Argo contains characters that a token cannot have. Check {origin}. See "
        "docs/troubleshooting.md#argo-token-not-valid."
    )


def argo_token_file_empty(file: str) -> str:
    """Return the message for an empty file of Argo's token."""
    return (
        f"Argo's token file '{file}' is empty. Check c.ArgoScheduler.argo_token_file. See "
        "docs/troubleshooting.md#argo-token-file-empty."
    )


def argo_token_file_unreadable(file: str, reason: str | None) -> str:
    """Return the message for a file of Argo's token that cannot be read."""
    return (
        f"Argo's token file '{file}' cannot be read: {reason}. Check c.ArgoScheduler.argo_token_file. See "
        "docs/troubleshooting.md#argo-token-file-unreadable."
    )


def cron_workflow_contended(name: str) -> str:
    """Return the message for a cron workflow that others keep changing."""
    return f"Argo's cron workflow {name} could not be changed, because something else keeps changing it. Try again later."


def cron_workflow_stays(name: str) -> str:
    """Return the message for a cron workflow that Argo does not delete."""
    return f"Argo's cron workflow {name} could not be replaced: Argo has not deleted the old one yet. Try again later."


ARGO_UNAUTHENTICATED = (
    "Argo asks for a token (401), but none is configured. Set ARGO_TOKEN or c.ArgoScheduler.argo_token_file, or give this "
    "server's pod a service account. See docs/troubleshooting.md#argo-unauthenticated."
)


def argo_token_refused(origin: str, expired: str, restart: bool) -> str:
    """Return the message for the status 401.

    Parameters
    ----------
    origin
        The source of the token.
    expired
        When it expired, as a date and time; empty if that is unknown.
    restart
        Whether a restart of the server brings a new token.
    """
    why = f"It expired at {expired}" if expired else "It may have expired"
    renew = "restart your JupyterLab server to get a new one, or " if restart else ""
    return f"Argo refused the token (401) of {origin}. {why}: {renew}ask your administrator."


def argo_forbidden(words: str, namespace: str) -> str:
    """Return the message for the status 403; `words` are Argo's."""
    return (
        f"Argo does not allow this (403): {words}. Your administrator can give your account the right to create, get, list, "
        f"patch, update and delete workflows and cronworkflows in namespace {namespace}."
    )


def argo_refused(status: int, words: str) -> str:
    """Return the message for another refusal; `words` are Argo's."""
    return f"Argo refused this ({status}): {words}."


def argo_path_unknown(url: str, words: str, is_argos: bool) -> str:
    """Return the message for the status 404; `is_argos` says whether Argo itself answered."""
    hint = "" if is_argos else " Check ARGO_BASE_HREF. See docs/troubleshooting.md#argo-path-unknown."
    return f"Argo's server at {url} does not know this (404): {words}.{hint}"


def argo_redirects(url: str, status: int, target: str) -> str:
    """Return the message for a redirect, such as that of a login page."""
    return (
        f"Argo's server at {url} redirects this ({status}) to {target}. Check ARGO_SERVER. See "
        "docs/troubleshooting.md#argo-redirects."
    )


def argo_failing(url: str, status: int, words: str) -> str:
    """Return the message for an error of Argo's server itself."""
    return f"Argo's server at {url} has a problem ({status}): {words}. Try again later."


def not_argo(url: str) -> str:
    """Return the message for a success whose answer is not Argo's."""
    return (
        f"The server at {url} is not Argo's API. Check ARGO_SERVER and ARGO_BASE_HREF. See "
        "docs/troubleshooting.md#not-argo."
    )


def argo_certificate_not_trusted(url: str, reason: str) -> str:
    """Return the message for a certificate that cannot be verified."""
    return (
        f"The certificate of Argo's server at {url} is not trusted: {reason.rstrip('.')}. Set c.ArgoScheduler.argo_ca_bundle to a "
        "file with the certificate of the authority that signed it. See docs/troubleshooting.md#argo-certificate-not-trusted."
    )


def argo_certificates_unreadable(path: object, cause: object) -> str:
    """Return the message for a file of certificates that cannot be read."""
    return (
        f"The certificates for Argo's server, '{path}', cannot be read: {cause}. Check "
        "c.ArgoScheduler.argo_ca_bundle. See docs/troubleshooting.md#argo-certificates-unreadable."
    )


def argo_certificate_not_verified(url: str) -> str:
    """Return the log's warning for a server whose certificate is not verified."""
    return (
        f"The certificate of Argo's server at {url} is not verified (argo_verify_ssl): the token could be sent to an attacker. See "
        "docs/troubleshooting.md#argo-certificate-not-verified."
    )


def argo_not_encrypted(url: str) -> str:
    """Return the message for a server that does not speak https."""
    return (
        f"Argo's server at {url} does not speak https. If it speaks http, begin ARGO_SERVER with http://. See "
        "docs/troubleshooting.md#argo-not-encrypted."
    )


def argo_timed_out(url: str, seconds: float) -> str:
    """Return the message for an answer that did not come in time."""
    return f"Argo's server at {url} did not answer within {seconds:g} s. Try again later."


def argo_broke_off(url: str, cause: object) -> str:
    """Return the message for an answer that broke off."""
    is_encrypted = url.startswith("https:")
    advice = "Try again later." if is_encrypted else "If it speaks https, begin ARGO_SERVER with https://."
    return f"Argo's server at {url} broke off its answer: {cause}. {advice}"


def argo_unreachable(url: str, cause: object) -> str:
    """Return the message for a server that cannot be reached."""
    return f"Argo's server at {url} cannot be reached: {cause}. Check ARGO_SERVER. See docs/troubleshooting.md#argo-unreachable."


def pods_lack_files(problem: str) -> str:
    """Return the message for pods that cannot use the server's files; `problem` is one of the next three."""
    return f"The pods of runs cannot use this server's files: {problem} {MOUNT_ADVICE} See docs/troubleshooting.md#pods-lack-files."


MOUNT_ADVICE = (
    "Mount this server's volume in the pods at the same path (c.ArgoScheduler.volumes and volume_mounts). Or give this server's "
    "pod a service account that may get pods, so that runs inherit from it (c.ArgoScheduler.inherit_pod)."
)


def path_not_mounted(path: object) -> str:
    """Return why pods lack a path that is on none of their volumes."""
    return f"{path} is not on a volume that the pods mount."


def path_read_only(path: object, mount: str) -> str:
    """Return why pods cannot write a path."""
    return f"{path}: the pods mount {mount} read-only."


def path_of_each_pod(path: object, volume: str) -> str:
    """Return why pods do not share a path."""
    return f"{path}: volume '{volume}' is an emptyDir, so each pod has its own."


def shape_not_inherited(error: Exception) -> str:
    """Return the log's warning for runs that do not get the shape of the server's pod."""
    return f"Runs do not inherit the shape of this server's pod. {error}"


def namespaces_differ(runs: str, server: str) -> str:
    """Return the log's warning for runs in another namespace than the server."""
    return (
        f"Runs are in namespace {runs}, this server is in {server}: claims, Secrets and ConfigMaps that its pod uses must be in "
        "both. Check c.ArgoScheduler.argo_namespace. See docs/troubleshooting.md#namespaces-differ."
    )


def variables_not_inherited(names: Iterable[str]) -> str:
    """Return the log's warning for environment variables that look like secrets."""
    return (
        f"Runs do not inherit these environment variables of this server's pod, since others can read a manifest: "
        f"{', '.join(names)}. Refer to a Secret instead, see c.ArgoScheduler.environment."
    )


def init_container_not_inherited(name: str) -> str:
    """Return the log's warning for an init container that Argo would change."""
    return (
        f"Runs do not inherit the init container {name} of this server's pod, since it contains '{{{{', which Argo would "
        "expand. Configure one with c.ArgoScheduler.init_containers instead."
    )


def claim_modes_unknown(claims: Iterable[str], namespace: str, rule: str) -> str:
    """Return the log's warning for claims whose access modes could not be read."""
    return (
        f"Runs prefer the node of this server, since it is unknown whether other nodes can mount {', '.join(claims)}. To find "
        f"out, give this server's service account, in namespace {namespace}, a Role with the rule {{{rule}}}."
    )


def claim_of_one_pod(claims: Iterable[str]) -> str:
    """Return the log's warning for a claim that only the server's pod can mount."""
    return (
        f"No run can start while this server is on, since only one pod can mount {', '.join(claims)} (ReadWriteOncePod). "
        "Use a claim that is ReadWriteOnce or ReadWriteMany. See docs/troubleshooting.md#claim-of-one-pod."
    )


def claim_of_one_node(claims: Iterable[str], label: str) -> str:
    """Return the log's warning for a claim of one node, where no label marks the server's pod."""
    return (
        f"Runs prefer the node of this server, since only one node can mount {', '.join(claims)}. To require it, give this "
        f"server's pod the label {label}, with a value of its own."
    )


def checks_interrupted(error: Exception) -> str:
    """Return the log's warning while Argo cannot be asked about jobs."""
    return f"Cannot reach Argo to check jobs; retrying: {error}"


def checks_refused(error: Exception) -> str:
    """Return the log's warning where Argo refuses to list workflows or cron workflows."""
    return f"Some jobs cannot be checked: {error}"

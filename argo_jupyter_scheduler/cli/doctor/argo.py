"""Argo: whether it is there, knows us, and would let us do what runs need.

Rights are asked for without doing anything. Argo itself tells those to list, get and create (a dry run; a name that Kubernetes
refuses, which it does after it has looked at the rights), and to pause (of a cron workflow that does not exist). Whatever else
is done to an object, it first looks the object up, so Kubernetes is asked for the others, where it can be.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from argo_jupyter_scheduler import __version__
from argo_jupyter_scheduler.cli.doctor.finding import Finding, ok, problem, warning
from argo_jupyter_scheduler.cli.doctor.storage import container
from argo_jupyter_scheduler.domain.errors import (
    ArgoSchedulerError,
    EngineError,
    EngineRefused,
    EngineUnavailable,
)
from argo_jupyter_scheduler.engines.argo.api import CRON_WORKFLOWS, OLDEST, WORKFLOWS, ArgoApi, moment
from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine
from argo_jupyter_scheduler.engines.argo.pods import own_pod
from argo_jupyter_scheduler.engines.argo.pods.shape_sources import on_nebari

NOBODY = str(uuid.uuid4())
"""An id of no job that there is."""

SOON = 3600.0
"""Seconds before its end from which a token is about to expire."""

RENEWED_SECONDS, RENEWED_SHARE = 120.0, 0.05
"""Seconds before the end of a token in a file, and share of its life, from which it should have been renewed: kubelet does so when
a fifth is left (https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/).
"""

KUBERNETES_SECONDS = 2.0
"""How long Kubernetes may take to answer; where a NetworkPolicy is in the way, it never does."""

NEVER = "0 0 1 1 *"
"""A schedule, where there must be one."""


def findings(scheduler: Any, run: bool) -> Iterator[Finding]:
    """Look at Argo's server.

    Parameters
    ----------
    scheduler
        The `ArgoScheduler`; its engine is Argo's.
    run
        Whether a notebook is run afterwards, which tells what cannot be known before.
    """
    api: ArgoApi = scheduler.runs_on.api
    at = api.connection
    refused: EngineError | None = None
    begun = time.monotonic()
    try:
        api.ask("version")
    except EngineError as error:
        if error.status != 401:
            yield problem("argo", str(error), "What needs Argo could not be looked at.")
            return
        refused = error
    took = f"{(time.monotonic() - begun) * 1000:.0f} ms"
    open_to_all = " over http, which anybody on the way can read" if at.url.startswith("http:") else ""
    yield ok("argo", f"answers at {at.url} in {took}{open_to_all}; namespace {at.namespace}")
    if refused:
        yield problem("token", str(refused))
        return
    yield from _version(api)
    token = _token(api)
    yield token
    if token.status != "problem":
        yield from _rights(scheduler, run)


def _version(api: ArgoApi) -> Iterator[Finding]:
    there = ".".join(map(str, api.version))
    if api.version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        yield problem("version", f"Argo Workflows {there} is too old.", f"Upgrade it to {oldest} or later.")
    elif api.version[0] > 100:
        yield warning(
            "version", "Argo's server is a build without a version; it is treated as the newest one."
        )
    else:
        yield ok("version", f"Argo Workflows {there}")


def _token(api: ArgoApi) -> Finding:
    token = api.connection.token
    try:
        api.call("GET", WORKFLOWS, "", query={"listOptions.limit": "1", "fields": "items.metadata.name"})
    except EngineError as error:
        if error.status != 403:  # that is known to Argo, and may not do this
            return problem("token", str(error))
    if not token.origin:
        return ok("token", "none is needed: Argo's server does all with its own account")
    try:
        who = api.ask("userinfo").get("subject")
    except EngineError:
        who = None
    claims = token.claims()
    expires, begun = claims.get("exp"), claims.get("iat")
    accepted = f"accepted; of {token.origin}{f', for {who}' if who else ''}"
    if not isinstance(expires, (int, float)):
        return ok("token", accepted)
    text = f"{accepted}, until {moment(expires)}"
    left = expires - time.time()
    if token.file:
        life = expires - begun if isinstance(begun, (int, float)) else 0.0
        if left > max(RENEWED_SECONDS, RENEWED_SHARE * life):
            return ok("token", f"{text}; the file is read at each call")
        judge, when = (problem, "has expired") if left <= 0 else (warning, "is about to expire")
        return judge(
            "token",
            f"{text}: it {when}, and the file has no newer one.",
            "See whether what writes that file still does; Kubernetes renews a token at 80 % of its life.",
        )
    if left < SOON:
        return warning(
            "token",
            f"{text}: it is about to expire.",
            "Restart the JupyterLab server for a new one; c.ArgoScheduler.argo_token_file names a file that is renewed.",
        )
    return ok("token", text)


@dataclass(frozen=True)
class Right:
    """What an account must be allowed to.

    Attributes
    ----------
    verb, resource
        In Kubernetes' words.
    ask
        A call that does nothing and that Argo refuses for want of this right, if there is one.
    """

    verb: str
    resource: str
    ask: Callable[[], object] | None = None


def rights(engine: ArgoEngine) -> list[Right]:
    """Return all that the token's account must be allowed to."""
    api = engine.api
    workflows, cron_workflows = "workflows", "cronworkflows"
    none = f"doctor-{NOBODY}"

    def listed(kind: str) -> Callable[[], object]:
        return lambda: api.call("GET", kind, "", query={"listOptions.limit": "1"})

    def got(kind: str) -> Callable[[], object]:
        return lambda: api.call("GET", kind, f"/{none}")

    def paused() -> object:
        body = {"name": none, "namespace": api.connection.namespace}
        return api.call("PUT", CRON_WORKFLOWS, f"/{none}/suspend", body)

    return [
        Right("create", workflows, lambda: _create_nameless(api, WORKFLOWS)),
        Right("get", workflows, got(WORKFLOWS)),
        Right("list", workflows, listed(WORKFLOWS)),
        Right("patch", workflows),
        Right("delete", workflows),
        Right("create", cron_workflows, lambda: _create_nameless(api, CRON_WORKFLOWS)),
        Right("get", cron_workflows, got(CRON_WORKFLOWS)),
        Right("list", cron_workflows, listed(CRON_WORKFLOWS)),
        Right("patch", cron_workflows, paused),
        Right("update", cron_workflows),
        Right("delete", cron_workflows),
    ]


def _create_nameless(api: ArgoApi, kind: str) -> None:
    """Ask for a workflow, or a cron workflow, whose name Kubernetes refuses: so it is never made."""
    spec: dict[str, Any] = {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}
    body: dict[str, Any] = {"metadata": {"name": "Not_A_Name"}, "spec": spec}
    if kind == WORKFLOWS:
        api.call("POST", kind, "", {"workflow": body})
        return
    never = {"schedule": NEVER} if api.version < (3, 6) else {"schedules": [NEVER]}
    body["spec"] = {**never, "timezone": "Etc/UTC", "suspend": True, "workflowSpec": spec}
    api.call("POST", kind, "", {"cronWorkflow": body})


def _rights(scheduler: Any, run: bool) -> Iterator[Finding]:
    """Say which rights are there, which are missing, and which cannot be known, a line each."""
    engine: ArgoEngine = scheduler.runs_on
    at = engine.api.connection
    answers: dict[bool | None, dict[str, list[str]]] = {True: {}, False: {}, None: {}}
    granted = _granted(scheduler)
    for right in rights(engine):
        allowed = _asked(right.ask) if right.ask else None
        if allowed is None:
            allowed = granted(right)
        answers[allowed].setdefault(right.resource, []).append(right.verb)
    there, missing, unknown = (
        "; ".join(f"{', '.join(verbs)} {resource}" for resource, verbs in answers[answer].items())
        for answer in (True, False, None)
    )
    if there:
        yield ok("rights", f"allowed in namespace {at.namespace}: {there}")
    if missing:
        yield problem(
            "rights",
            f"not allowed in namespace {at.namespace}: {missing}",
            "Give the token's account a Role with these verbs on these resources of argoproj.io, see docs/kubernetes.md.",
        )
    if unknown and not run:
        yield warning(
            "rights",
            f"not known: {unknown}",
            "Argo tells only when it is done. Try it with: jupyter argo-scheduler doctor --run",
        )


def _asked(ask: Callable[[], object]) -> bool | None:
    try:
        ask()
    except EngineRefused as error:
        # What else is refused, is so after the right was looked at; without a status, Argo was not asked.
        return error.status != 403 if error.status else None
    except EngineUnavailable:
        return None
    return True


def _granted(scheduler: Any) -> Callable[[Right], bool | None]:
    """Return what tells whether Kubernetes grants a right; None where it is not known.

    Kubernetes is asked where this server is in a pod that may call it with Argo's token.
    See https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-rules-review-v1/
    """
    account = Path(scheduler.service_account_path)
    api: ArgoApi = scheduler.runs_on.api
    token = api.connection.token
    if not own_pod.in_cluster(account):
        return lambda right: None
    url = f"{own_pod.api_url()}/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": api.connection.namespace},
    }
    try:
        # With single sign-on, Argo acts as somebody else than the token's own account.
        if token.claims().get("sub") != api.ask("userinfo").get("subject"):
            return lambda right: None
        headers = {"Authorization": token.header()}
        with urllib3.PoolManager(ca_certs=str(account / "ca.crt")) as pool:
            answer = pool.request(
                "POST", url, json=review, headers=headers, retries=False, timeout=KUBERNETES_SECONDS
            )
            status = answer.json()["status"]
        rules, incomplete = list(status["resourceRules"]), bool(status.get("incomplete"))
    except (ArgoSchedulerError, urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError):
        return lambda right: None

    def granted(right: Right) -> bool | None:
        wanted = {"verbs": right.verb, "apiGroups": "argoproj.io", "resources": right.resource}
        found = any(
            all({value, "*"} & set(rule.get(key) or []) for key, value in wanted.items())
            for rule in rules
            if not rule.get("resourceNames")
        )
        return found or (None if incomplete else False)

    return granted


def pods(scheduler: Any, manifest: dict[str, Any], try_it: bool) -> Finding:
    """Look at the shape of a run's pods.

    Parameters
    ----------
    manifest
        A run's.
    try_it
        Whether to let Argo judge it.
    """
    main = container(manifest)
    account = manifest["spec"].get("serviceAccountName")
    runs_as = f"service account {account}" if account else "Argo's default service account"
    mounted = ", ".join(mount["mountPath"] for mount in main.get("volumeMounts") or []) or "nothing"
    described = f"image {main['image']}, {runs_as}, mounted: {mounted}"
    # An admission controller of somebody else's may know no dry runs.
    unknown = "does not support dry run"
    try:
        if try_it:
            body = {"serverDryRun": True, "workflow": manifest}
            scheduler.runs_on.api.call("POST", WORKFLOWS, "", body, accepted_words=unknown)
    except EngineRefused as error:
        if error.status != 403:  # that is said where the rights are
            return problem(
                "pods", f"{described}. {error}", "See c.ArgoScheduler.image and what is beside it."
            )
    except EngineUnavailable as error:
        return warning("pods", f"{described}. {error}")
    return ok("pods", described)


def image(scheduler: Any, manifest: dict[str, Any]) -> Finding:
    """Say what can be known, without a pod, of whether the pods have this package."""
    main = container(manifest)
    name, python = main["image"], main["command"][0]
    other = scheduler.image or scheduler.modify_pod_hook
    own = (
        on_nebari(scheduler)
        or not other
        or name in (os.environ.get("JUPYTER_IMAGE"), os.environ.get("JUPYTER_IMAGE_SPEC"))
    )
    if own and python == sys.executable:
        return ok("image", f"this server's own, with argo-jupyter-scheduler {__version__}")
    return warning(
        "image",
        f"not known: whether {python} in {name} has argo-jupyter-scheduler {__version__}",
        "Try it with: jupyter argo-scheduler doctor --run",
    )

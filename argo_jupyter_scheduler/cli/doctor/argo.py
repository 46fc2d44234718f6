"""Argo: whether its server answers, accepts the token, and allows what runs need.

Rights are found out without using them. Argo reports those to list, get and create, and to pause: the doctor asks for objects that
do not exist, or with a name that Kubernetes refuses, which happens after the rights were checked. For all other verbs Argo looks
the object up first, so Kubernetes is asked, where it can be reached.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import urllib3

from argo_jupyter_scheduler import __version__
from argo_jupyter_scheduler.cli.doctor.finding import PROBLEM, Finding, ok, problem, warning
from argo_jupyter_scheduler.cli.doctor.storage import find_main_container
from argo_jupyter_scheduler.domain.errors import (
    ArgoSchedulerError,
    EngineError,
    EngineRefused,
    EngineUnavailable,
)
from argo_jupyter_scheduler.engines.argo.api import (
    CRON_WORKFLOWS,
    OLDEST_VERSION,
    WORKFLOWS,
    ArgoApi,
    format_moment,
)
from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine
from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject
from argo_jupyter_scheduler.engines.argo.pods import own_pod

NO_JOB = str(uuid.uuid4())
"""An id that no job has."""

EXPIRES_SOON_SECONDS = 3600.0
"""How long before its end a token is about to expire."""

RENEWED_SECONDS, RENEWED_SHARE = 120.0, 0.05
"""When a token in a file should have been renewed: the time before its end, and the share of its lifetime.

kubelet renews it when a fifth is left (https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/).
"""

KUBERNETES_TIMEOUT_SECONDS = 2.0
"""How long Kubernetes may take to answer. Behind a NetworkPolicy that forbids it, it never does."""

UNVERSIONED = 100
"""The first major version above which a server's version is that of a build without one."""

ANY_SCHEDULE = "0 0 1 1 *"
"""A schedule for a cron workflow that is never made."""

ROLE_ADVICE = "Give the token's account a Role with these verbs on these resources of argoproj.io, see docs/kubernetes.md."
TRIAL_ADVICE = "Try it with: jupyter argo-scheduler doctor --run"


def check_server(engine: ArgoEngine, run: bool) -> Iterator[Finding]:
    """Check Argo's server: whether it answers, its version, the token and its rights.

    Parameters
    ----------
    run
        Whether a notebook is run afterwards, which shows what cannot be known before.
    """
    api = engine.api
    at = api.connection
    refused: EngineError | None = None
    begun = time.monotonic()
    try:
        api.ask("version")
    except EngineError as error:
        if error.status != 401:
            yield problem("argo", str(error), "The checks that need Argo were skipped.")
            return
        refused = error
    took = f"{(time.monotonic() - begun) * 1000:.0f} ms"
    unencrypted = " over http, which is not encrypted" if at.url.startswith("http:") else ""
    yield ok("argo", f"answers at {at.url} in {took}{unencrypted}; namespace {at.namespace}")
    if refused:
        yield problem("token", str(refused))
        return
    yield _check_version(api)
    token = _check_token(api)
    yield token
    if token.status != PROBLEM:
        yield from _check_rights(engine, run)


def _check_version(api: ArgoApi) -> Finding:
    version = ".".join(map(str, api.version))
    if api.version < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        return problem(
            "version", f"Argo Workflows {version} is too old.", f"Upgrade it to {oldest} or later."
        )
    if api.version[0] > UNVERSIONED:
        return warning("version", "Argo's server has no version number; it is treated as the newest version.")
    return ok("version", f"Argo Workflows {version}")


def _check_token(api: ArgoApi) -> Finding:
    token = api.connection.token
    try:
        api.call("GET", WORKFLOWS, "", query={"listOptions.limit": "1", "fields": "items.metadata.name"})
    except EngineError as error:
        if error.status != 403:  # Argo knows that account, which may not list workflows
            return problem("token", str(error))
    if not token.origin:
        return ok("token", "none is needed: Argo's server uses its own account")
    try:
        who = api.ask("userinfo").get("subject")
    except EngineError:
        who = None
    claims = token.claims()
    expires, begun = claims.get("exp"), claims.get("iat")
    accepted = f"accepted; of {token.origin}{f', for {who}' if who else ''}"
    if not isinstance(expires, (int, float)):
        return ok("token", accepted)
    text = f"{accepted}, until {format_moment(expires)}"
    left = expires - time.time()
    if token.file:
        life = expires - begun if isinstance(begun, (int, float)) else 0.0
        if left > max(RENEWED_SECONDS, RENEWED_SHARE * life):
            return ok("token", f"{text}; the file is read at each call")
        judge, when = (problem, "has expired") if left <= 0 else (warning, "is about to expire")
        return judge(
            "token",
            f"{text}: it {when}, and the file has no newer one.",
            "Check that the file is still renewed. Kubernetes renews it at 80 % of the token's lifetime.",
        )
    if left < EXPIRES_SOON_SECONDS:
        return warning(
            "token",
            f"{text}: it is about to expire.",
            "Restart the JupyterLab server for a new one; c.ArgoScheduler.argo_token_file names a file that is renewed.",
        )
    return ok("token", text)


@dataclass(frozen=True)
class Right:
    """Something that an account must be allowed to do.

    Attributes
    ----------
    verb, resource
        In Kubernetes' words.
    ask
        A call without an effect that Argo refuses where this right is missing; None where there is none.
    """

    verb: str
    resource: str
    ask: Callable[[], object] | None = None


def list_rights(engine: ArgoEngine) -> list[Right]:
    """Return everything that the token's account must be allowed to do."""
    api = engine.api
    workflows, cron_workflows = "workflows", "cronworkflows"
    name = f"doctor-{NO_JOB}"  # nothing is called so

    def list_some(kind: str) -> Callable[[], object]:
        return lambda: api.call("GET", kind, "", query={"listOptions.limit": "1"})

    def get(kind: str) -> Callable[[], object]:
        return lambda: api.call("GET", kind, f"/{name}")

    def pause() -> object:
        body = {"name": name, "namespace": api.connection.namespace}
        return api.call("PUT", CRON_WORKFLOWS, f"/{name}/suspend", body)

    return [
        Right("create", workflows, lambda: _create_nameless(api, WORKFLOWS)),
        Right("get", workflows, get(WORKFLOWS)),
        Right("list", workflows, list_some(WORKFLOWS)),
        Right("patch", workflows),
        Right("delete", workflows),
        Right("create", cron_workflows, lambda: _create_nameless(api, CRON_WORKFLOWS)),
        Right("get", cron_workflows, get(CRON_WORKFLOWS)),
        Right("list", cron_workflows, list_some(CRON_WORKFLOWS)),
        Right("patch", cron_workflows, pause),
        Right("update", cron_workflows),
        Right("delete", cron_workflows),
    ]


def _create_nameless(api: ArgoApi, kind: str) -> None:
    """Ask for a workflow, or a cron workflow, with a name that Kubernetes refuses, so it is never made."""
    spec: KubernetesObject = {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}
    body: KubernetesObject = {"metadata": {"name": "Not_A_Name"}, "spec": spec}
    if kind == WORKFLOWS:
        api.call("POST", kind, "", {"workflow": body})
        return
    schedule = {"schedule": ANY_SCHEDULE} if api.version < (3, 6) else {"schedules": [ANY_SCHEDULE]}
    body["spec"] = {**schedule, "timezone": "Etc/UTC", "suspend": True, "workflowSpec": spec}
    api.call("POST", kind, "", {"cronWorkflow": body})


def _check_rights(engine: ArgoEngine, run: bool) -> Iterator[Finding]:
    """Return which rights are granted, which are missing, and which are not known, a finding each."""
    namespace = engine.api.connection.namespace
    answers: dict[bool | None, dict[str, list[str]]] = {True: {}, False: {}, None: {}}
    is_granted = _ask_kubernetes(engine.settings.pods.service_account_path, engine.api)
    for right in list_rights(engine):
        allowed = _ask_argo(right.ask) if right.ask else None
        if allowed is None:
            allowed = is_granted(right)
        answers[allowed].setdefault(right.resource, []).append(right.verb)
    granted, missing, unknown = (
        "; ".join(f"{', '.join(verbs)} {resource}" for resource, verbs in answers[answer].items())
        for answer in (True, False, None)
    )
    if granted:
        yield ok("rights", f"allowed in namespace {namespace}: {granted}")
    if missing:
        yield problem("rights", f"not allowed in namespace {namespace}: {missing}", ROLE_ADVICE)
    if unknown and not run:
        yield warning("rights", f"not known: {unknown}", f"Argo checks these only when used. {TRIAL_ADVICE}")


def _ask_argo(ask: Callable[[], object]) -> bool | None:
    """Return whether Argo allows a call; None where it does not say."""
    try:
        ask()
    except EngineRefused as error:
        # Other refusals come after the right was checked; without a status, Argo was not asked.
        return error.status != 403 if error.status else None
    except EngineUnavailable:
        return None
    return True


def _ask_kubernetes(account: Path, api: ArgoApi) -> Callable[[Right], bool | None]:
    """Return a function that says whether Kubernetes grants a right; None where it is not known.

    Kubernetes is asked where this server is in a pod that may call it with Argo's token.
    See https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-rules-review-v1/

    Parameters
    ----------
    account
        The folder of this pod's service account.
    """
    token = api.connection.token
    if not own_pod.is_in_cluster(account):
        return lambda right: None
    url = f"{own_pod.find_api_url()}/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": api.connection.namespace},
    }
    try:
        # With single sign-on, Argo uses another account than the token's own.
        if token.claims().get("sub") != api.ask("userinfo").get("subject"):
            return lambda right: None
        headers = {"Authorization": token.header()}
        with urllib3.PoolManager(ca_certs=str(account / "ca.crt")) as pool:
            answer = pool.request(
                "POST", url, json=review, headers=headers, retries=False, timeout=KUBERNETES_TIMEOUT_SECONDS
            )
            status = answer.json()["status"]
        rules, incomplete = list(status["resourceRules"]), bool(status.get("incomplete"))
    except (ArgoSchedulerError, urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError):
        return lambda right: None

    def is_granted(right: Right) -> bool | None:
        wanted = {"verbs": right.verb, "apiGroups": "argoproj.io", "resources": right.resource}
        found = any(
            all({value, "*"} & set(rule.get(key) or []) for key, value in wanted.items())
            for rule in rules
            if not rule.get("resourceNames")
        )
        return found or (None if incomplete else False)

    return is_granted


def check_pods(engine: ArgoEngine, manifest: KubernetesObject, dry_run: bool) -> Finding:
    """Check the shape of a run's pods.

    Parameters
    ----------
    manifest
        A run's.
    dry_run
        Whether to let Argo and Kubernetes judge it.
    """
    main = find_main_container(manifest)
    account = manifest["spec"].get("serviceAccountName")
    runs_as = f"service account {account}" if account else "Argo's default service account"
    mounted = ", ".join(mount["mountPath"] for mount in main.get("volumeMounts") or []) or "nothing"
    described = f"image {main['image']}, {runs_as}, mounted: {mounted}"
    unsupported = "does not support dry run"  # an admission controller in the cluster
    try:
        if dry_run:
            body = {"serverDryRun": True, "workflow": manifest}
            engine.api.call("POST", WORKFLOWS, "", body, accepted_words=unsupported)
    except EngineRefused as error:
        if error.status != 403:  # the finding about rights reports that
            advice = "Check the traits of the pods, such as c.ArgoScheduler.image, see docs/traits.md."
            return problem("pods", f"{described}. {error}", advice)
    except EngineUnavailable as error:
        return warning("pods", f"{described}. {error}")
    return ok("pods", described)


def check_image(engine: ArgoEngine, manifest: KubernetesObject) -> Finding:
    """Return whether the pods have this package, as far as that is known without a pod."""
    main = find_main_container(manifest)
    name, python = main["image"], main["command"][0]
    pods = engine.settings.pods
    is_configured = pods.traits.get("image") or pods.hook
    own = (
        pods.nebari
        or not is_configured
        or name in (os.environ.get("JUPYTER_IMAGE"), os.environ.get("JUPYTER_IMAGE_SPEC"))
    )
    if own and python == sys.executable:
        return ok("image", f"this server's own, with argo-jupyter-scheduler {__version__}")
    return warning(
        "image",
        f"not known: whether {python} in {name} has argo-jupyter-scheduler {__version__}",
        TRIAL_ADVICE,
    )

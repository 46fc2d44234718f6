"""Where the shape of runs' pods comes from; later sources win.

1. What this server knows of itself: image, home, working folder.
2. Its own pod, which is read from Kubernetes (`inherit_pod`).
3. The traits of `PodTraits`.

On Nebari an admission controller gives the pods their shape, so only the traits are sent there, and an image's name, without which
Argo takes no manifest.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from traitlets import TraitError

from argo_jupyter_scheduler.config.pod import TEMPLATES
from argo_jupyter_scheduler.domain.errors import InvalidPod, PodUnknown
from argo_jupyter_scheduler.engines.argo.pods import inheritance, own_pod
from argo_jupyter_scheduler.engines.argo.pods import names as naming
from argo_jupyter_scheduler.engines.argo.pods.shape import TRAITS, PodShape

PLACEHOLDER = "set-by-nebari"
"""An image's name where Nebari sets the image and this server does not know its own."""

GPU = "nvidia.com/gpu"
"""What Nebari's profiles call a GPU."""


def on_nebari(scheduler: Any) -> bool:
    """Return whether Nebari's admission controller gives the pods their shape."""
    if scheduler.nebari != "auto":
        return bool(scheduler.nebari == "on")
    return "CONDA_STORE_SERVICE" in os.environ and "CONDA_STORE_SERVICE_NAMESPACE" in os.environ


def creator() -> str:
    """Return the user's name as a label's value, empty where none is known."""
    names = (os.environ.get(name, "") for name in ("PREFERRED_USERNAME", "JUPYTERHUB_USER"))
    return next(filter(None, map(naming.label_value, names)), "")


def pod_shape(scheduler: Any, namespace: str) -> PodShape:
    """Return the shape of runs' pods.

    Parameters
    ----------
    scheduler
        The `ArgoScheduler`.
    namespace
        Of the workflows.

    Raises
    ------
    TraitError
        Kubernetes would refuse it; says which trait and why.
    """
    nebari = on_nebari(scheduler)
    shape = _of_server(nebari).merged(_of_own_pod(scheduler, namespace, nebari))
    shape = shape.merged(PodShape(python=scheduler.python_executable))
    traits = {trait: getattr(scheduler, trait) for trait in TRAITS}
    try:
        names = _template_names(scheduler, namespace)
        for trait in TEMPLATES:
            traits[trait] = _expanded(trait, traits[trait], names)
        traits["environment"] = {**_kept(scheduler.env_keep), **traits["environment"]}
        return _hooked(scheduler, shape.changed(**traits))
    except InvalidPod as error:
        raise TraitError(f"c.ArgoScheduler.{error}") from error


def compute_types(scheduler: Any, namespace: str, shape: PodShape) -> dict[str, dict[str, Any]]:
    """Return what each compute type changes of a run's shape: traits of a pod, with their templates expanded.

    Raises
    ------
    TraitError
        Kubernetes would refuse it; says which compute type, which trait and why.
    """
    found = {}
    for name, traits in scheduler.compute_types.items():
        try:
            names = _template_names(scheduler, namespace)
            found[name] = {
                trait: _expanded(trait, value, names) if trait in TEMPLATES else value
                for trait, value in traits.items()
            }
            shape.changed(**found[name])
        except InvalidPod as error:
            raise TraitError(f"c.ArgoScheduler.compute_types, '{name}': {error}") from error
    return found


def helper_resources(scheduler: Any) -> dict[str, Any]:
    """Return what helper pods ask for, instead of what a run does.

    Raises
    ------
    TraitError
        Kubernetes would refuse it; says which trait and why.
    """
    names = ("cpu_guarantee", "cpu_limit", "mem_guarantee", "mem_limit")
    try:
        shape = PodShape().changed(**{name: getattr(scheduler, f"helper_{name}") for name in names})
    except InvalidPod as error:
        raise TraitError(f"c.ArgoScheduler.helper_{error}") from error
    resources: dict[str, Any] = dict(shape.container.get("resources") or {})
    if on_nebari(scheduler):  # resources are merged with the user's there, ours win
        resources = {side: {**(resources.get(side) or {}), GPU: "0"} for side in ("requests", "limits")}
    return resources


def _of_server(nebari: bool) -> PodShape:
    """Return what this server knows of itself. Nebari's controller sets all of it, but the image must have a name."""
    image = os.environ.get("JUPYTER_IMAGE") or os.environ.get("JUPYTER_IMAGE_SPEC")
    if nebari:
        return PodShape(container={"image": image or PLACEHOLDER})
    container: dict[str, Any] = {"image": image} if image else {}
    home = os.path.expanduser("~")
    container["env"] = [{"name": "HOME", "value": home}]
    return PodShape(container={**container, "workingDir": os.getcwd() if _is_server() else home})


def _is_server() -> bool:
    """Return whether this process is a Jupyter server; the folder that a command is called in may be any."""
    from jupyter_server.serverapp import ServerApp

    return bool(ServerApp.initialized())


def _of_own_pod(scheduler: Any, namespace: str, nebari: bool) -> PodShape:
    service_account = Path(scheduler.service_account_path)
    wanted = scheduler.inherit_pod
    if wanted == "off" or (wanted == "auto" and nebari):
        return PodShape()
    if wanted == "auto" and not own_pod.in_cluster(service_account):
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            scheduler.log.info(
                "Runs do not inherit the shape of this server's pod, which has no service account."
            )
        return PodShape()
    try:
        own = own_pod.read(service_account)
    except PodUnknown as error:
        scheduler.log.warning("Runs do not inherit the shape of this server's pod. %s", error)
        return PodShape()
    user = os.getuid(), os.getgid()
    shape, notes = inheritance.inherited(own, scheduler.inherit_service_account, user)
    if own.namespace != namespace:
        notes.append(
            f"Runs are in namespace {namespace}, this server is in {own.namespace}: claims, Secrets and ConfigMaps that its pod "
            "uses must be in both. See c.ArgoScheduler.argo_namespace."
        )
    for note in notes:
        scheduler.log.warning(note)
    return shape


def _template_names(scheduler: Any, namespace: str) -> dict[str, str]:
    environ = os.environ
    return naming.template_names(
        environ.get("JUPYTERHUB_USER", ""),
        environ.get("JUPYTERHUB_SERVER_NAME", ""),
        namespace,
        environ.get("HOSTNAME", ""),
        scheduler.slug_scheme,
    )


def _expanded(trait: str, value: Any, names: dict[str, str]) -> Any:
    try:
        return naming.expanded(value, names)
    except ValueError as error:
        raise InvalidPod(trait, str(error)) from None


def _kept(names: list[str]) -> dict[str, str]:
    """Return the variables of this server's environment that runs get too."""
    for name in names:
        if inheritance.stays(name, os.environ.get(name, "")):
            raise InvalidPod(
                "env_keep", f"{name} is a secret, which anybody could read in a manifest; see environment"
            )
    return {name: os.environ[name] for name in names if name in os.environ}


def _hooked(scheduler: Any, shape: PodShape) -> PodShape:
    if scheduler.modify_pod_hook is None:
        return shape
    try:
        return shape.of_pod(scheduler.modify_pod_hook(scheduler, shape.pod()))
    except Exception as error:  # an administrator's code raises what it likes
        raise InvalidPod("modify_pod_hook", f"{type(error).__name__}: {error}".rstrip(".")) from error

"""The sources of the shape of runs' pods; later sources take precedence.

1. What this server knows of itself: image, home, working folder.
2. Its own pod, which is read from Kubernetes (`inherit_pod`).
3. The traits of `PodTraits`.

On Nebari an admission controller gives the pods their shape. Only the traits are sent there, and the name of an image, since Argo
refuses a manifest without one.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidPod, PodUnknown
from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject
from argo_jupyter_scheduler.engines.argo.pods import inheritance, names, own_pod, validation
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape
from argo_jupyter_scheduler.engines.argo.settings import PodSettings

TEMPLATES = frozenset(
    {"environment", "extra_annotations", "extra_labels", "extra_pod_config", "init_containers"}
    | {"service_account", "volume_mounts", "volumes", "working_dir"}
)
"""Traits whose texts are templates."""

PLACEHOLDER = "set-by-nebari"
"""Name of the image where Nebari sets it and this server does not know its own."""

log = logging.getLogger("argo_jupyter_scheduler")

GPU = "nvidia.com/gpu"
"""The name of a GPU in Nebari's profiles."""


def find_creator() -> str:
    """Return the user's name as a label's value, empty where none is known."""
    users = (os.environ.get(name, "") for name in ("PREFERRED_USERNAME", "JUPYTERHUB_USER"))
    return next(filter(None, map(names.make_label_value, users)), "")


def needs_own_pod(settings: PodSettings) -> bool:
    """Return whether this server's own pod has to be read for the shape of runs' pods."""
    if settings.inherit == "off" or (settings.inherit == "auto" and settings.nebari):
        return False
    return settings.inherit == "on" or own_pod.is_in_cluster(settings.service_account_path)


def check(settings: PodSettings) -> None:
    """Refuse traits that are not valid, as far as that is known without this server's own pod.

    Raises
    ------
    InvalidPod
        Says which trait and why.
    """
    PodShape.read(_expanded_traits(settings))
    for name, traits in settings.compute_types.items():
        with _of_compute_type(name):
            PodShape.read(_expand(traits, _template_names(settings)))
    helper_resources(settings)
    find_executor_account(settings)


def build_shape(settings: PodSettings, inherited: PodShape) -> PodShape:
    """Return the shape of runs' pods.

    Parameters
    ----------
    inherited
        The shape that runs inherit from this server's own pod, see `inherit_shape`.

    Raises
    ------
    InvalidPod
        Says which trait and why.
    """
    shape = _shape_of_server(settings.nebari, settings.working_dir).merged(inherited)
    shape = shape.merged(PodShape(python=settings.python))
    shape = shape.changed(**_expanded_traits(settings))
    if settings.hook is None:
        return shape
    try:
        return shape.of_pod(settings.hook(shape.pod()))
    except Exception as error:  # an administrator's code raises what it likes
        raise InvalidPod("modify_pod_hook", f"{type(error).__name__}: {error}".rstrip(".")) from error


def expand_compute_types(settings: PodSettings, shape: PodShape) -> dict[str, dict[str, Any]]:
    """Return what each compute type changes of a run's shape: traits of a pod, with their templates expanded.

    Raises
    ------
    InvalidPod
        Says which compute type, which trait and why.
    """
    found = {}
    for name, traits in settings.compute_types.items():
        with _of_compute_type(name):
            found[name] = _expand(traits, _template_names(settings))
            shape.changed(**found[name])
    return found


@contextlib.contextmanager
def _of_compute_type(name: str) -> Iterator[None]:
    """Name the compute type in errors."""
    try:
        yield
    except InvalidPod as error:
        raise InvalidPod(f"compute_types, '{name}'", str(error).rstrip(".")) from error


def helper_resources(settings: PodSettings) -> KubernetesObject:
    """Return what helper pods ask for, instead of what a run does.

    Raises
    ------
    InvalidPod
        Says which trait and why.
    """
    try:
        shape = PodShape().changed(**settings.helper_traits)
    except InvalidPod as error:
        raise InvalidPod(f"helper_{error.trait}", error.reason) from error
    resources: KubernetesObject = dict(shape.container.get("resources") or {})
    if settings.nebari:  # resources are merged with the user's there, ours win
        resources = {side: {**(resources.get(side) or {}), GPU: "0"} for side in ("requests", "limits")}
    return resources


def find_executor_account(settings: PodSettings) -> str:
    """Return the service account of Argo's own containers, with its templates expanded; empty for that of the pod.

    Raises
    ------
    InvalidPod
        It is not a name.
    """
    try:
        name = names.expand_templates(settings.executor_service_account, _template_names(settings))
        return validation.read_name(name) if name else ""
    except ValueError as error:
        raise InvalidPod("executor_service_account", str(error)) from None


def _shape_of_server(nebari: bool, working_dir: str) -> PodShape:
    """Return what this server knows of itself. Nebari's controller sets all of it, but the image must have a name."""
    image = os.environ.get("JUPYTER_IMAGE") or os.environ.get("JUPYTER_IMAGE_SPEC")
    if nebari:
        return PodShape(container={"image": image or PLACEHOLDER})
    container: KubernetesObject = {"image": image} if image else {}
    home = os.path.expanduser("~")
    container["env"] = [{"name": "HOME", "value": home}]
    return PodShape(container={**container, "workingDir": working_dir})


def inherit_shape(settings: PodSettings) -> PodShape:
    """Return what runs inherit from this server's own pod, which is read from Kubernetes; nothing where it cannot be read."""
    if not needs_own_pod(settings):
        if settings.inherit == "auto" and not settings.nebari and "KUBERNETES_SERVICE_HOST" in os.environ:
            log.info("Runs do not inherit the shape of this server's pod, which has no service account.")
        return PodShape()
    try:
        own = own_pod.read(settings.service_account_path)
    except PodUnknown as error:
        log.warning("%s", messages.argo.shape_not_inherited(error))
        return PodShape()
    user = os.getuid(), os.getgid()
    shape, notes = inheritance.inherit(own, settings.inherit_service_account, user)
    if own.namespace != settings.namespace:
        notes.append(messages.argo.namespaces_differ(settings.namespace, own.namespace))
    for note in notes:
        log.warning(note)
    return shape


def _template_names(settings: PodSettings) -> dict[str, str]:
    environ = os.environ
    return names.make_template_names(
        environ.get("JUPYTERHUB_USER", ""),
        environ.get("JUPYTERHUB_SERVER_NAME", ""),
        settings.namespace,
        environ.get("HOSTNAME", ""),
        settings.slug_scheme,
    )


def _expanded_traits(settings: PodSettings) -> dict[str, Any]:
    """Return the traits with their templates expanded, and the variables that are kept."""
    traits = _expand(settings.traits, _template_names(settings))
    traits["environment"] = {**_kept(settings.env_keep), **(traits.get("environment") or {})}
    return traits


def _expand(traits: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    """Return traits with their templates expanded."""
    found = dict(traits)
    for trait in TEMPLATES & found.keys():
        try:
            found[trait] = names.expand_templates(found[trait], known)
        except ValueError as error:
            raise InvalidPod(trait, str(error)) from None
    return found


def _kept(kept: Iterable[str]) -> dict[str, str]:
    """Return the variables of this server's environment that runs get too."""
    for name in kept:
        if inheritance.is_secret(name, os.environ.get(name, "")):
            raise InvalidPod(
                "env_keep",
                f"{name} is a secret, and others can read a manifest. Refer to a Secret with environment instead",
            )
    return {name: os.environ[name] for name in kept if name in os.environ}

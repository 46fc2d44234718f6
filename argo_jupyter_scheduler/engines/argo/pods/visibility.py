"""Whether runs' pods see the files that this server sees."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape

ADVICE = (
    "Mount this server's volume in the pods at the same path (c.ArgoScheduler.volumes and volume_mounts), or give this server's "
    "pod a service account that may get pods, so that they are like it (c.ArgoScheduler.inherit_pod)."
)


def unshared(shape: PodShape, staging_path: str, db_url: str) -> str:
    """Return why pods cannot use the staging area, or the database where it is a file, and what to do; empty if they can."""
    paths = [Path(staging_path)]
    url = make_url(db_url)
    if url.get_backend_name() == "sqlite" and url.database and Path(url.database).is_absolute():
        paths.append(Path(url.database))
    troubles = [trouble for path in paths if (trouble := unseen(shape, path))]
    return f"The pods of runs cannot use this server's files: {troubles[0]} {ADVICE}" if troubles else ""


def place_of(shape: PodShape, path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the mount that a path of this server is on, and its volume; both empty where it is on none."""
    mounts = shape.container.get("volumeMounts") or []
    around: list[Mapping[str, Any]] = []
    for real in (path, path.resolve()):  # an image may have symbolic links
        around = around or [one for one in mounts if real.is_relative_to(one["mountPath"])]
    mount = max(around, key=lambda one: len(one["mountPath"]), default={})
    volumes = {one["name"]: one for one in shape.spec.get("volumes") or []}
    return mount, volumes.get(mount.get("name"), {})


def unseen(shape: PodShape, path: Path) -> str:
    """Return why pods cannot share a path with this server, empty where nothing is known against it."""
    mount, volume = place_of(shape, path)
    if not mount:
        return f"{path} is on no volume that the pods mount."
    if mount.get("readOnly"):
        return f"{path}: the pods mount {mount['mountPath']} read-only."
    if "emptyDir" in volume:
        return f"{path}: volume '{mount['name']}' is an emptyDir, which each pod has for itself."
    return ""

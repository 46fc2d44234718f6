"""Whether runs' pods see the files that this server sees."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape


def find_problem(shape: PodShape, staging_path: str, db_url: str) -> str:
    """Return why pods cannot use the staging area, or the database if it is a file, and what to do; empty if they can."""
    paths = [Path(staging_path)]
    url = make_url(db_url)
    if url.get_backend_name() == "sqlite" and url.database and Path(url.database).is_absolute():
        paths.append(Path(url.database))
    problems = [problem for path in paths if (problem := find_path_problem(shape, path))]
    return messages.argo.pods_lack_files(problems[0]) if problems else ""


def find_mount(shape: PodShape, path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the mount that a path of this server is on, and its volume; both empty if there is none."""
    mounts = shape.container.get("volumeMounts") or []
    around: list[Mapping[str, Any]] = []
    for real in (path, path.resolve()):  # an image may have symbolic links
        around = around or [mount for mount in mounts if real.is_relative_to(mount["mountPath"])]
    nearest = max(around, key=lambda mount: len(mount["mountPath"]), default={})
    volumes = {volume["name"]: volume for volume in shape.spec.get("volumes") or []}
    return nearest, volumes.get(nearest.get("name"), {})


def find_path_problem(shape: PodShape, path: Path) -> str:
    """Return why pods cannot share a path with this server, empty if nothing is known against it."""
    mount, volume = find_mount(shape, path)
    if not mount:
        return messages.argo.path_not_mounted(path)
    if mount.get("readOnly"):
        return messages.argo.path_read_only(path, mount["mountPath"])
    if "emptyDir" in volume:
        return messages.argo.path_of_each_pod(path, mount["name"])
    return ""

"""Where files and rows are: whether this server can write there, and whether the pods are given the same."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from argo_jupyter_scheduler.cli.doctor.finding import Finding, ok, problem, warning
from argo_jupyter_scheduler.domain.errors import PodUnknown
from argo_jupyter_scheduler.engines.argo.pods import inheritance, own_pod
from argo_jupyter_scheduler.engines.argo.pods import visibility as places
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape
from argo_jupyter_scheduler.engines.argo.pods.shape_sources import on_nebari
from argo_jupyter_scheduler.storage.database import PASSWORD_VARIABLE

LITTLE = 200_000_000
"""Bytes of free room below which it is said."""

CONTAINERS_OWN = frozenset({"overlay", "aufs"})
"""File systems of a container's own layer, which no other pod sees."""

Manifest = dict[str, Any]


def findings(scheduler: Any, manifest: Manifest | None) -> Iterator[Finding]:
    """Look at the staging area and the database.

    Parameters
    ----------
    scheduler
        The `ArgoScheduler`.
    manifest
        A run's, where it is in a pod.
    """
    nebari = manifest is not None and on_nebari(scheduler)
    own = _own_shape(scheduler) if manifest and not nebari else None
    yield _folder("staging", Path(scheduler.staging_path), manifest, nebari, own)
    url = make_url(scheduler.database.url)
    if url.get_backend_name() != "sqlite" or not url.database:
        yield _server(scheduler, url.render_as_string(), manifest)
        return
    file = Path(str(url.database))
    found = _folder("database", file, manifest, nebari, own)
    yield found
    if found.status != "problem":
        yield _locks(file)
        yield _rows(scheduler, file)


def _folder(check: str, path: Path, manifest: Manifest | None, nebari: bool, own: PodShape | None) -> Finding:
    there = _existing(path)
    kind = _file_system(there)
    try:
        with tempfile.TemporaryFile(dir=there):
            trouble = "" if os.access(path if path.exists() else there, os.W_OK) else "Permission denied"
    except OSError as error:
        trouble = str(error.strerror)
    if trouble:
        advice = f"The user of JupyterLab (uid {os.getuid()}) must be able to write there."
        return problem(check, f"{path} cannot be written: {trouble}.", advice)
    shared: str | Finding = f"{path} ({kind})"
    if nebari:
        shared = f"{path} ({kind}), in the pods on the user's volumes, which Nebari gives them"
    elif manifest:
        shared = _shared(check, path, kind, manifest, own)
    if isinstance(shared, Finding):
        return shared
    free = shutil.disk_usage(there).free
    if free < LITTLE:
        return warning(check, f"{shared}, with {free / 1e6:.0f} MB free", "Make room, or delete old jobs.")
    return ok(check, f"{shared}, {free / 1e9:.1f} GB free")


def _shared(check: str, path: Path, kind: str, manifest: Manifest, own: PodShape | None) -> str | Finding:
    """Return how the pods see a path of this server, or why they do not."""
    trait = "c.ArgoScheduler.staging_path" if check == "staging" else "c.SchedulerApp.db_url"
    advice = f"{places.ADVICE} Or set {trait}."
    shape = PodShape(container=container(manifest), spec=manifest["spec"])
    if trouble := places.unseen(shape, path):
        return problem(check, trouble, advice)
    mount, volume = places.place_of(shape, path)
    if kind in CONTAINERS_OWN and "hostPath" not in volume:
        return problem(
            check,
            f"{path} lies in this container's own file system ({kind}), while the pods mount '{mount['name']}' there.",
            advice,
        )
    if own and (here := places.place_of(own, path)) and here[0] and _disk(*here) != _disk(mount, volume):
        return warning(
            check, f"{path} is on {_disk(*here)} here, and on {_disk(mount, volume)} in the pods.", advice
        )
    return f"{path} ({kind}), in the pods on {_disk(mount, volume)}"


def _disk(mount: Mapping[str, Any], volume: Mapping[str, Any]) -> str:
    """Return what is mounted, in words."""
    folder = f", folder {mount['subPath']}" if mount.get("subPath") else ""
    claim = own_pod.claim_of(volume)
    source = json.dumps({key: value for key, value in volume.items() if key != "name"})
    return f"claim {claim}{folder}" if claim else f"volume {source}{folder}"


def _own_shape(scheduler: Any) -> PodShape | None:
    """Return the shape of this server's own pod, where that can be read."""
    try:
        return inheritance.inherited(own_pod.read(Path(scheduler.service_account_path)))[0]
    except PodUnknown:
        return None


def container(manifest: Manifest) -> dict[str, Any]:
    """Return the container in which the notebook runs."""
    [container] = [one["container"] for one in manifest["spec"]["templates"] if one["name"] == "main"]
    return dict(container)


def _existing(path: Path) -> Path:
    """Return a folder, or the nearest one above that is there: the server makes what is missing."""
    return next(one for one in (path, *path.parents) if one.is_dir())


def _file_system(path: Path) -> str:
    """Return the type of the file system that a path is on."""
    parts = [one for one in psutil.disk_partitions(all=True) if path.resolve().is_relative_to(one.mountpoint)]
    return max(parts, key=lambda one: len(one.mountpoint)).fstype if parts else "unknown file system"


_TRY_TO_WRITE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], uri=True, timeout=0, isolation_level=None)
try:
    connection.execute("BEGIN IMMEDIATE")
    print("got it")
except sqlite3.OperationalError as error:
    print(error)
"""


def _locks(file: Path) -> Finding:
    kind = _file_system(_existing(file))
    try:
        with tempfile.TemporaryDirectory(dir=_existing(file), prefix=".argo-jupyter-scheduler-") as folder:
            trouble = lock_trouble((Path(folder) / "try.sqlite").as_uri())
    except OSError as error:
        trouble = str(error)
    if not trouble:
        return ok("locks", f"SQLite can lock on this file system ({kind})")
    return problem(
        "locks",
        f"SQLite cannot be used on this file system ({kind}): {trouble}.",
        "Use one with POSIX locks, or a database server: c.SchedulerApp.db_url = 'postgresql+psycopg://…'.",
    )


def lock_trouble(uri: str) -> str:
    """Return why two processes cannot share an SQLite database, empty if they can.

    It is tried: a second process must not get what this one holds, and must get it afterwards.

    Parameters
    ----------
    uri
        Of a database file that is not there yet; see https://sqlite.org/uri.html.
    """
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.execute("CREATE TABLE tried (n)")
            connection.execute("BEGIN IMMEDIATE")
            while_held = _try_to_write(uri)
            connection.execute("COMMIT")
            afterwards = _try_to_write(uri)
    except (sqlite3.Error, subprocess.SubprocessError) as error:
        return str(error)
    if while_held == "got it":
        return "it has no locks, so two writers at once would damage the database"
    return "" if afterwards == "got it" else afterwards


def _try_to_write(uri: str) -> str:
    """Return what SQLite says to another process that begins to write."""
    command = [sys.executable, "-I", "-c", _TRY_TO_WRITE, uri]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def _rows(scheduler: Any, file: Path) -> Finding:
    if not file.exists():
        return ok("rows", "none yet: the database is made when JupyterLab starts")
    try:
        live, definitions = scheduler.database.list_live_jobs(), scheduler.database.list_schedules()
    except SQLAlchemyError as error:
        return unread(file, str(getattr(error, "orig", error)))
    return ok("rows", f"jobs under way: {len(live)}, job definitions: {len(definitions)}")


def unread(file: Path, why: str) -> Finding:
    """Return what to say of a file whose rows cannot be read, and what SQLite says of it."""
    if "locked" in why:
        advice = "JupyterLab and runs keep it for moments only. Try again, or see which program has it open."
        return problem("rows", f"{file} is kept by another program: {why}", advice)
    return problem(
        "rows", f"{file} is no database of Jupyter-Scheduler's: {why}", "See c.SchedulerApp.db_url."
    )


def _server(scheduler: Any, url: str, manifest: Manifest | None) -> Finding:
    """Look at a database that is a server of its own."""
    try:
        if scheduler.database.has_tables():
            scheduler.database.list_schedules()
    except SQLAlchemyError as error:
        why = " ".join(str(getattr(error, "orig", error)).split())  # a driver's text has several lines
        return problem("database", f"{url} cannot be used: {why}", "See c.SchedulerApp.db_url.")
    if manifest and scheduler.database.environment:
        given = {one["name"] for one in container(manifest).get("env") or []}
        if PASSWORD_VARIABLE not in given:
            return warning(
                "database",
                f"{url} answers; its password is not in the manifest",
                f"Give the pods {PASSWORD_VARIABLE} from a Secret.",
            )
    return ok("database", f"{url} answers")

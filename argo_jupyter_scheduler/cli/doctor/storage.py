"""The staging area and the database: whether this server can write there, and whether the pods mount the same volume."""

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from argo_jupyter_scheduler.cli.doctor.finding import PROBLEM, Finding, ok, problem, warning
from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import PodUnknown
from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject
from argo_jupyter_scheduler.engines.argo.pods import inheritance, own_pod, visibility
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape
from argo_jupyter_scheduler.engines.argo.settings import PodSettings
from argo_jupyter_scheduler.storage.database import PASSWORD_VARIABLE, Database

MIN_FREE_BYTES = 200_000_000
"""Free space below which there is a warning."""

LOCK_TIMEOUT_SECONDS = 30
"""How long the second process of the test for locks may take."""

CONTAINER_FILE_SYSTEMS = frozenset({"overlay", "aufs"})
"""File systems of a container's own layer, which no other pod sees."""


@dataclass(frozen=True)
class RunPods:
    """The pods of runs, as far as storage is concerned.

    Attributes
    ----------
    container
        The one in which the notebook runs.
    spec
        The specification of the workflow.
    nebari
        Whether Nebari gives them the user's volumes.
    own
        This server's own pod, where it can be read; None elsewhere.
    """

    container: Mapping[str, Any]
    spec: Mapping[str, Any]
    nebari: bool = False
    own: PodShape | None = None


def read_run_pods(manifest: KubernetesObject, settings: PodSettings) -> RunPods:
    """Return the pods of a run's manifest."""
    own = None
    if not settings.nebari:
        with contextlib.suppress(PodUnknown):
            own, *_ = inheritance.inherit(own_pod.read(settings.service_account_path))
    return RunPods(find_main_container(manifest), manifest["spec"], settings.nebari, own)


def check_storage(staging_path: Path, database: Database, pods: RunPods | None = None) -> Iterator[Finding]:
    """Check the staging area and the database.

    Parameters
    ----------
    pods
        None where runs are not in pods, or the shape of the pods is unknown.
    """
    yield _check_path("staging", staging_path, pods)
    url = make_url(database.url)
    if url.get_backend_name() != "sqlite" or not url.database:
        yield _check_database_server(database, pods)
        return
    file = Path(str(url.database))
    found = _check_path("database", file, pods)
    yield found
    if found.status != PROBLEM:
        yield _check_locks(file)
        yield _check_rows(database, file)


def _check_path(check: str, path: Path, pods: RunPods | None) -> Finding:
    there = _existing_folder(path)
    kind = _file_system_of(there)
    try:
        with tempfile.TemporaryFile(dir=there):
            trouble = "" if os.access(path if path.exists() else there, os.W_OK) else "Permission denied"
    except OSError as error:
        trouble = str(error.strerror)
    if trouble:
        advice = f"Let the user of JupyterLab (uid {os.getuid()}) write there."
        return problem(check, f"{path} cannot be written: {trouble}.", advice)
    described = _describe_in_pods(check, path, kind, pods) if pods else f"{path} ({kind})"
    if isinstance(described, Finding):
        return described
    free = shutil.disk_usage(there).free
    if free < MIN_FREE_BYTES:
        advice = "Free some space, or delete old jobs."
        return warning(check, f"{described}, with {free / 1e6:.0f} MB free", advice)
    return ok(check, f"{described}, {free / 1e9:.1f} GB free")


def _describe_in_pods(check: str, path: Path, kind: str, pods: RunPods) -> str | Finding:
    """Return how the pods see a path of this server, or a finding about why they do not."""
    if pods.nebari:
        return f"{path} ({kind}), in the pods on the user's volumes, which Nebari gives them"
    trait = "c.ArgoScheduler.staging_path" if check == "staging" else "c.SchedulerApp.db_url"
    advice = f"{messages.argo.MOUNT_ADVICE} Or set {trait}."
    shape = PodShape(container=pods.container, spec=pods.spec)
    if trouble := visibility.find_path_problem(shape, path):
        return problem(check, trouble, advice)
    mount, volume = visibility.find_mount(shape, path)
    if kind in CONTAINER_FILE_SYSTEMS and "hostPath" not in volume:
        where = f"{path} is in this container's own file system ({kind})"
        return problem(check, f"{where}, but the pods mount '{mount['name']}' there.", advice)
    in_pods = _describe_volume(mount, volume)
    if pods.own:
        own_mount, own_volume = visibility.find_mount(pods.own, path)
        here = _describe_volume(own_mount, own_volume)
        if own_mount and here != in_pods:
            return warning(check, f"{path} is on {here} here, and on {in_pods} in the pods.", advice)
    return f"{path} ({kind}), in the pods on {in_pods}"


def _describe_volume(mount: Mapping[str, Any], volume: Mapping[str, Any]) -> str:
    """Return a mounted volume in words."""
    folder = f", folder {mount['subPath']}" if mount.get("subPath") else ""
    claim = own_pod.read_claim(volume)
    source = json.dumps({key: value for key, value in volume.items() if key != "name"})
    return f"claim {claim}{folder}" if claim else f"volume {source}{folder}"


def find_main_container(manifest: KubernetesObject) -> KubernetesObject:
    """Return the container of a workflow's manifest in which the notebook runs."""
    templates = manifest["spec"]["templates"]
    [container] = [template["container"] for template in templates if template["name"] == "main"]
    return dict(container)


def _existing_folder(path: Path) -> Path:
    """Return a folder, or the nearest existing one above it: the server makes what is missing."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _file_system_of(path: Path) -> str:
    """Return the type of the file system that contains a path."""
    real = path.resolve()
    partitions = [part for part in psutil.disk_partitions(all=True) if real.is_relative_to(part.mountpoint)]
    if not partitions:
        return "unknown file system"
    return str(max(partitions, key=lambda part: len(part.mountpoint)).fstype)


_TRY_TO_WRITE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], uri=True, timeout=0, isolation_level=None)
try:
    connection.execute("BEGIN IMMEDIATE")
    print("got it")
except sqlite3.OperationalError as error:
    print(error)
"""


def _check_locks(file: Path) -> Finding:
    folder_of_file = _existing_folder(file)
    kind = _file_system_of(folder_of_file)
    try:
        with tempfile.TemporaryDirectory(dir=folder_of_file, prefix=".argo-jupyter-scheduler-") as folder:
            trouble = find_lock_trouble((Path(folder) / "try.sqlite").as_uri())
    except OSError as error:
        trouble = str(error)
    if not trouble:
        return ok("locks", f"SQLite can lock on this file system ({kind})")
    return problem(
        "locks",
        f"SQLite cannot be used on this file system ({kind}): {trouble}.",
        "Use one with POSIX locks, or a database server: c.SchedulerApp.db_url = 'postgresql+psycopg://…'.",
    )


def find_lock_trouble(uri: str) -> str:
    """Return why two processes cannot share an SQLite database, empty if they can.

    It is tried out: a second process must not get the lock while this one holds it, and must get it afterwards.

    Parameters
    ----------
    uri
        Of a database file that does not exist yet, see https://sqlite.org/uri.html.
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
        return "it does not support locks, so two simultaneous writers would damage the database"
    return "" if afterwards == "got it" else afterwards


def _try_to_write(uri: str) -> str:
    """Return what another process that begins to write gets: ``got it``, or SQLite's error."""
    command = [sys.executable, "-I", "-c", _TRY_TO_WRITE, uri]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=LOCK_TIMEOUT_SECONDS, check=True
    ).stdout.strip()


def _check_rows(database: Database, file: Path) -> Finding:
    if not file.exists():
        return ok("rows", "none yet: JupyterLab creates the database when it starts")
    try:
        live, definitions = database.list_live_jobs(), database.list_schedules()
    except SQLAlchemyError as error:
        return describe_unreadable(file, str(getattr(error, "orig", error)))
    return ok("rows", f"jobs in progress or waiting: {len(live)}, job definitions: {len(definitions)}")


def describe_unreadable(file: Path, why: str) -> Finding:
    """Return a finding about a file whose rows cannot be read.

    Parameters
    ----------
    why
        The error of SQLite.
    """
    if "locked" in why:
        advice = "JupyterLab and runs lock it only briefly. Try again, or find the program that has it open."
        return problem("rows", f"{file} is locked by another program: {why}", advice)
    advice = "Set c.SchedulerApp.db_url to Jupyter-Scheduler's database."
    return problem("rows", f"{file} is not a database of Jupyter-Scheduler: {why}", advice)


def _check_database_server(database: Database, pods: RunPods | None) -> Finding:
    url = database.url
    try:
        if database.has_tables():
            database.list_schedules()
    except SQLAlchemyError as error:
        why = " ".join(str(getattr(error, "orig", error)).split())  # a driver's text has several lines
        return problem("database", f"{url} cannot be used: {why}", "Check c.SchedulerApp.db_url.")
    if pods and database.environment:
        given = {variable["name"] for variable in pods.container.get("env") or []}
        if PASSWORD_VARIABLE not in given:
            return warning(
                "database",
                f"{url} answers; its password is not in the manifest",
                f"Give the pods {PASSWORD_VARIABLE} from a Secret.",
            )
    return ok("database", f"{url} answers")

"""Orphans: what is left of jobs and definitions of which another part is gone.

A folder without a row, a row without a folder, a workflow or cron workflow without a row. Others may use the same staging area or
namespace with databases of their own, and other servers may be creating something just now. So only what carries this database's
id counts, is at least `MIN_AGE_SECONDS` old, and is not being changed. Everything else is left.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from argo_jupyter_scheduler.domain.identity import is_job_id, local_run_id
from argo_jupyter_scheduler.engines.base import EngineObject, ObjectKind
from argo_jupyter_scheduler.jobs.definitions import DefinitionService
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.storage.disk_use import measure_folder
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.input_folder import scan
from argo_jupyter_scheduler.storage.markers import DEFINITIONS, JOBS, STARTS, ChangeMarkers

MIN_AGE_SECONDS = 60.0
"""How old an orphan is at least."""

UNMARKED_AGE_SECONDS = 3600.0
"""How old a folder without an id is at least: a server of an earlier version does not mark the jobs that it creates."""

OrphanKind = Literal["folder", "job", "job definition"] | ObjectKind

FOLDER: OrphanKind = "folder"
JOB: OrphanKind = "job"
DEFINITION: OrphanKind = "job definition"


@dataclass(frozen=True, kw_only=True)
class Orphan:
    """Something of which another part is gone.

    Attributes
    ----------
    name
        Of a folder or a workflow its name, of a row its id.
    disk_bytes
        The room that it takes in the staging area.
    is_ours
        Whether it is provably of this server's database. What is not must be left.
    """

    kind: OrphanKind
    name: str
    disk_bytes: int = 0
    is_ours: bool = True
    found: EngineObject | None = None


class Orphans:
    """Finds and removes orphans.

    Parameters
    ----------
    jobs, definitions
        The services whose jobs and definitions they are of.
    """

    def __init__(self, jobs: JobService, definitions: DefinitionService) -> None:
        self._jobs = jobs
        self._definitions = definitions
        self._database = jobs.database
        self._staging_path = Path(jobs.settings.staging_path)

    def find(self) -> list[Orphan]:
        """Return all orphans.

        Raises
        ------
        EngineUnavailable, EngineRefused
            The engine does not say what it has.
        """
        return [*self.find_stored(), *self.find_in_engine()]

    def find_stored(self) -> list[Orphan]:
        """Return folders without a row, and rows without a folder."""
        # In this order: what is being created has a mark until it has a row.
        folders = _list_folders(self._staging_path)
        changing = self._find_changing()
        jobs, options = self._database.list_stored_jobs(), self._database.list_options()
        known = {job.job_id for job in jobs} | {row.job_definition_id for row in options}
        spared = known | changing
        found = [
            orphan
            for folder in folders
            if _id_of(folder) not in spared and _is_old(_last_change(folder))
            if (orphan := self._describe_folder(folder))
        ]
        with_folder = {folder.path.name for folder in folders}
        spared = with_folder | changing
        # Without a single folder of a row, this is probably not the staging area of this database.
        is_ours = bool(known & with_folder)
        gone = [
            (JOB, job.job_id, job.end_time)
            for job in jobs
            # A run that never began, such as one without an input, may never have had a folder. Its row says why.
            if job.is_finished and job.start_time is not None
        ]
        gone += [(DEFINITION, row.job_definition_id, row.update_time) for row in options]
        found += [
            Orphan(kind=kind, name=id_, is_ours=is_ours)
            for kind, id_, changed in gone
            if id_ not in spared and _is_old(changed / 1000)
            if not self._jobs.folder(id_).path.exists()  # also not as a link
        ]
        return found

    def find_in_engine(self) -> list[Orphan]:
        """Return workflows and cron workflows without a row; raises as `find`."""
        objects = [one for one in self._jobs.engine.list_objects() if _is_old(one.create_time / 1000)]
        if not objects:
            return []
        # A scheduled run may wait for a node before it writes its own row: its definition's is enough.
        spared = self._find_changing()
        spared |= {job.job_id for job in self._database.list_stored_jobs()}
        spared |= {row.job_definition_id for row in self._database.list_options()}
        return [
            Orphan(kind=one.kind, name=one.name, found=one)
            for one in objects
            if not {one.job_id, one.job_definition_id} & spared
        ]

    def remove(self, orphan: Orphan) -> None:
        """Remove an orphan, unless it may belong to another database, or has stopped being an orphan.

        Raises
        ------
        ArgoSchedulerError, OSError
            It could not be removed, or only in part.
        """
        if not orphan.is_ours:
            return
        if orphan.found:
            if not self._has_row(orphan.found.job_id, orphan.found.job_definition_id):
                self._jobs.engine.delete_object(orphan.found)
            return
        folder = RunFolder(self._staging_path, orphan.name)
        if orphan.kind == FOLDER:
            id_ = _id_of(folder)
            if id_ not in self._find_changing() and not self._has_row(id_, id_):
                folder.delete()
        elif not folder.path.exists():
            if orphan.kind == JOB:
                self._jobs.delete_job(orphan.name)
            else:
                self._definitions.delete(orphan.name)

    def _describe_folder(self, folder: RunFolder) -> Orphan | None:
        """Return a folder without a row here as an orphan; None where it is of another database, or may be new."""
        of_database = folder.read_settings().database
        if of_database and of_database != self._database.id:
            return None
        if not of_database and not _is_old(_last_change(folder), UNMARKED_AGE_SECONDS):
            return None
        has_files = any(not entry.is_dir(follow_symlinks=False) for entry in scan(folder.path))
        return Orphan(
            kind=FOLDER,
            name=folder.path.name,
            disk_bytes=measure_folder(folder.path),
            is_ours=bool(of_database) or not has_files,
        )

    def _has_row(self, job_id: str | None, definition_id: str | None) -> bool:
        """Return whether one of them has a row."""
        has_job = bool(job_id) and self._database.get_job(str(job_id)) is not None
        return has_job or bool(definition_id and self._database.get_definition(definition_id) is not None)

    def _find_changing(self) -> set[str]:
        """Return the ids of jobs and definitions that somebody is creating or changing, or has left half done."""
        jobs, definitions, starts = (
            ChangeMarkers(self._staging_path, subject) for subject in (JOBS, DEFINITIONS, STARTS)
        )
        starting = {local_run_id(mark.id, int(mark.action)) for mark in starts.list_marks()}
        return jobs.find_in_progress() | definitions.find_in_progress() | starting


def _list_folders(staging_path: Path) -> list[RunFolder]:
    """Return the folders in a staging area that are named like a run's or a definition's, or made beside one."""
    try:
        with os.scandir(staging_path) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    folders = [RunFolder(staging_path, name) for name in sorted(names)]
    return [folder for folder in folders if is_job_id(_id_of(folder))]


def _id_of(folder: RunFolder) -> str:
    """Return the job or definition of a folder, or of one that was made beside it (`RunFolder.beside`)."""
    return folder.path.name.partition(".")[0]


def _last_change(folder: RunFolder) -> float:
    """Return when something was last made or deleted in a folder, in seconds since 1970."""
    changes = [0.0]
    for path in (folder.path, folder.private):
        try:
            changes.append(path.stat().st_mtime)
        except OSError:
            continue
    return max(changes)


def _is_old(moment: float, age: float = MIN_AGE_SECONDS) -> bool:
    """Return whether a moment, in seconds since 1970, is so long ago that nobody is creating what was made then."""
    return time.time() - moment > age

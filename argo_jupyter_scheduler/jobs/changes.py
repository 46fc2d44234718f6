"""The jobs and job definitions that the panel shows, and their changes.

Rows are written by this server, by other servers, and by pods. So the database is asked, but only while somebody listens.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Generic, TypeVar

from argo_jupyter_scheduler.domain import schedules
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.status import IN_PROGRESS
from argo_jupyter_scheduler.jobs.answers import Changes, Definition, Job, Progress, Run, make_job, make_run
from argo_jupyter_scheduler.jobs.progress import elapsed_seconds, read_progress
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.storage.recent import (
    MAX_ENDED_JOBS,
    AnyRow,
    ChangeCounter,
    JobVersion,
    count_runs,
    estimate_seconds,
    read_definitions,
    read_last_runs,
    read_recent_jobs,
    read_shown_jobs,
)
from argo_jupyter_scheduler.storage.schema import ShownDefinition, ShownJob, decode

REFRESH_SECONDS = 0.3
"""How old the state may be that a request is answered with, however many ask."""

PROGRESS_SECONDS = 1.0
"""How often the progress of running jobs is read."""

SHOWN_RUNS = 20
"""How many runs of a job definition are shown."""

MAX_DELETED = 10_000
"""How many deletions are remembered; a client that missed more gets the whole state."""

Item = TypeVar("Item", Job, Definition)


class _Journal(Generic[Item]):
    """Items by their ids, and the revision in which each was last changed or deleted."""

    def __init__(self, max_deleted: int) -> None:
        self._max_deleted = max_deleted
        self.items: dict[str, Item] = {}
        self.begin = 0
        """The revision up to which deletions may be forgotten."""
        self._changed: dict[str, int] = {}
        self._deleted: dict[str, int] = {}

    def put(self, id_: str, item: Item, revision: int) -> None:
        self.items[id_], self._changed[id_] = item, revision
        self._deleted.pop(id_, None)

    def remove(self, id_: str, revision: int) -> None:
        del self.items[id_], self._changed[id_]
        self._deleted[id_] = revision
        if len(self._deleted) > self._max_deleted:
            oldest = next(iter(self._deleted))
            self.begin = self._deleted.pop(oldest)

    def changed_since(self, revision: int) -> list[Item]:
        return [item for id_, item in self.items.items() if self._changed[id_] > revision]

    def deleted_since(self, revision: int) -> list[str]:
        return [id_ for id_, when in self._deleted.items() if when > revision]


class ChangeWatcher:
    """Follows the rows of jobs and job definitions for all listeners. Without listeners it is idle.

    Parameters
    ----------
    jobs
        The server's jobs.
    refresh_seconds, progress_seconds, max_ended_jobs, max_deleted
        See the constants that they are by default.
    clock
        Returns the time in milliseconds since 1970.
    """

    def __init__(
        self,
        jobs: JobService,
        refresh_seconds: float = REFRESH_SECONDS,
        progress_seconds: float = PROGRESS_SECONDS,
        max_ended_jobs: int = MAX_ENDED_JOBS,
        max_deleted: int = MAX_DELETED,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._jobs = jobs
        self._refresh_seconds = refresh_seconds
        self._progress_seconds = progress_seconds
        self._max_ended_jobs = max_ended_jobs
        self._clock = clock
        self._database = jobs.database
        self._counter = ChangeCounter(jobs.database)
        self._lock = threading.Lock()
        self._id = uuid.uuid4().hex[:12]
        self._revision = 0
        self._shown_jobs: _Journal[Job] = _Journal(max_deleted)
        self._shown_definitions: _Journal[Definition] = _Journal(max_deleted)
        self._job_rows: dict[str, JobVersion] = {}
        self._definition_rows: dict[str, AnyRow] = {}
        self._run_counts: dict[str, int] = {}
        self._running: dict[str, ShownJob] = {}
        self._estimates: dict[str, float | None] = {}
        self._version: tuple[object, ...] = ()
        self._refreshed_at = self._progress_read_at = -float("inf")

    def collect(self, since: str = "", even_if_empty: bool = True) -> Changes | None:
        """Return what has changed since a token; everything for a token that is unknown, or too old.

        Parameters
        ----------
        since
            The token of an earlier answer; empty for everything.
        even_if_empty
            Whether there is an answer where nothing has changed; None else.
        """
        with self._lock:
            self._refresh()
            known = self._read_token(since)
            if known == self._revision and not even_if_empty:
                return None
            after = -1 if known is None else known
            return Changes(
                token=f"{self._id}-{self._revision}",
                reset=known is None,
                jobs=[_with_elapsed(job) for job in self._shown_jobs.changed_since(after)],
                deleted_jobs=[] if known is None else self._shown_jobs.deleted_since(after),
                definitions=self._shown_definitions.changed_since(after),
                deleted_definitions=[] if known is None else self._shown_definitions.deleted_since(after),
            )

    def close(self) -> None:
        """Release the connection to the database."""
        with self._lock:
            self._counter.close()

    def _read_token(self, token: str) -> int | None:
        id_, _, revision = token.partition("-")
        if id_ != self._id or not revision.isdecimal():
            return None
        begin = max(self._shown_jobs.begin, self._shown_definitions.begin)
        return int(revision) if begin <= int(revision[:15]) <= self._revision else None

    def _refresh(self) -> None:
        """Bring the state up to date, unless somebody has just done it."""
        now = time.monotonic()
        if now - self._refreshed_at < self._refresh_seconds:
            return
        revision = self._revision + 1
        version = self._counter.read()  # before the rows, so that what is written meanwhile is read next time
        if version != self._version:
            self._read_rows(revision)
            self._version = version
        if now - self._progress_read_at >= self._progress_seconds:
            self._read_progress(revision)
            self._progress_read_at = now
        self._renew_next_runs(revision)
        self._refreshed_at = time.monotonic()

    def _read_rows(self, revision: int) -> None:
        """Read what has changed in the database."""
        rows = read_recent_jobs(self._database, self._max_ended_jobs)
        definition_rows = read_definitions(self._database)
        counts = count_runs(self._database)
        changed, deleted = _compare(self._job_rows, rows)
        touched = [*(rows[id_] for id_ in changed), *(self._job_rows[id_] for id_ in deleted)]
        affected = {job.job_definition_id for job in touched if job.job_definition_id}
        affected |= {id_ for id_ in counts if counts[id_] != self._run_counts.get(id_)}
        affected |= self._run_counts.keys() - counts.keys()
        changed_definitions, deleted_definitions = _compare(self._definition_rows, definition_rows)
        affected = (affected | changed_definitions) & definition_rows.keys()
        runs = self._read_runs(affected) if affected else {}
        shown = read_shown_jobs(self._database, changed)
        for id_ in changed - {job.job_id for job in shown}:  # deleted meanwhile
            del rows[id_]
            if id_ in self._job_rows:
                deleted.add(id_)

        for id_ in deleted:
            self._shown_jobs.remove(id_, revision)
            self._running.pop(id_, None)
            self._estimates.pop(id_, None)
        for job in shown:
            self._show_job(job, revision)
        for id_ in deleted_definitions:
            self._shown_definitions.remove(id_, revision)
        for id_ in affected:
            definition = decode(ShownDefinition, definition_rows[id_]._mapping)
            self._shown_definitions.put(id_, _show_definition(definition, runs[id_], self._clock()), revision)
        self._job_rows, self._definition_rows, self._run_counts = rows, definition_rows, counts
        if changed or deleted or affected or deleted_definitions:
            self._revision = revision

    def _show_job(self, job: ShownJob, revision: int) -> None:
        if job.status == IN_PROGRESS:
            self._running[job.job_id] = job
        else:
            self._running.pop(job.job_id, None)
            self._estimates.pop(job.job_id, None)
        self._shown_jobs.put(job.job_id, make_job(job, self._progress_of(job)), revision)

    def _progress_of(self, job: ShownJob) -> Progress | None:
        if job.status != IN_PROGRESS:
            return None
        if job.job_id not in self._estimates:
            self._estimates[job.job_id] = estimate_seconds(
                self._database, job.job_definition_id, job.input_filename
            )
        progress = read_progress(self._jobs.folder(job.job_id), job, self._estimates[job.job_id])
        return Progress(**{**progress, "elapsed_seconds": 0.0})

    def _read_progress(self, revision: int) -> None:
        """Read how far running jobs are."""
        for job in self._running.values():
            progress = self._progress_of(job)
            if progress != self._shown_jobs.items[job.job_id]["progress"]:
                self._shown_jobs.put(job.job_id, make_job(job, progress), revision)
                self._revision = revision

    def _read_runs(self, definition_ids: Collection[str]) -> dict[str, list[Run]]:
        runs: dict[str, list[Run]] = defaultdict(list)
        for row in read_last_runs(self._database, definition_ids, SHOWN_RUNS):
            runs[row.job_definition_id].append(make_run(row))
        return runs

    def _renew_next_runs(self, revision: int) -> None:
        """Set the next run of each definition for which its moment has come."""
        now = self._clock()
        over = [
            id_
            for id_, shown in self._shown_definitions.items.items()
            if shown["next_run_time"] is not None and shown["next_run_time"] <= now
        ]
        for id_ in over:
            definition = decode(ShownDefinition, self._definition_rows[id_]._mapping)
            runs = self._shown_definitions.items[id_]["runs"]
            self._shown_definitions.put(id_, _show_definition(definition, runs, now), revision)
            self._revision = revision


def _compare(before: Mapping[str, object], now: Mapping[str, object]) -> tuple[set[str], set[str]]:
    """Return the ids of rows that are new or differ, and of those that are gone."""
    return {id_ for id_, row in now.items() if before.get(id_) != row}, set(before.keys() - now.keys())


def _show_definition(definition: ShownDefinition, runs: list[Run], now: int) -> Definition:
    return Definition(
        job_definition_id=definition.job_definition_id,
        name=definition.name or definition.input_filename,
        input_filename=definition.input_filename,
        schedule=definition.schedule,
        timezone=definition.timezone,
        active=definition.active,
        create_time=definition.create_time,
        update_time=definition.update_time,
        next_run_time=schedules.find_next_run(
            definition.schedule, definition.timezone, definition.active, definition.update_time, now
        ),
        runs=runs,
    )


def _with_elapsed(job: Job) -> Job:
    """Return a job with the time that it has been running by now."""
    if job["progress"] is None:
        return job
    progress: Progress = {**job["progress"], "elapsed_seconds": elapsed_seconds(job["start_time"])}
    return {**job, "progress": progress}

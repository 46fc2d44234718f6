"""The room that jobs take by definition, and what is left of jobs of which another part is gone."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from argo_jupyter_scheduler.cli.disk_use import measure_definitions, render_bytes
from argo_jupyter_scheduler.cli.doctor.finding import Finding, ok, warning
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError
from argo_jupyter_scheduler.jobs.orphans import FOLDER, Orphan, Orphans
from argo_jupyter_scheduler.scheduler import ArgoScheduler

SHOWN_DEFINITIONS = 3
"""How many definitions are named, the largest ones."""

SHOWN_FOLDERS = 3
"""How many folders are named."""

WITHOUT = {
    FOLDER: "staging folders without a row",
    "job": "jobs without a staging folder",
    "job definition": "job definitions without a staging folder",
    "workflow": "workflows without a row",
    "cron workflow": "cron workflows without a row",
}
"""The name of each kind of orphan."""


def check_retention(scheduler: ArgoScheduler) -> Iterator[Finding]:
    """Return how much room jobs take, and which orphans there are; nothing where the database cannot be read."""
    with contextlib.suppress(SQLAlchemyError):
        if scheduler.jobs.database.has_tables():
            yield _check_disk_use(scheduler)
            yield from _check_orphans(scheduler)


def _check_disk_use(scheduler: ArgoScheduler) -> Finding:
    database = scheduler.jobs.database
    names = {row.job_definition_id: row.name or "without a name" for row in database.list_definitions()}
    uses = measure_definitions(Path(scheduler.staging_path), database.list_stored_jobs(), names)
    total = f"jobs take {render_bytes(sum(use.disk_bytes for use in uses))} in the staging area"
    largest = [
        f"'{names.get(use.job_definition_id, use.job_definition_id)}' {render_bytes(use.disk_bytes)} ({use.runs} runs)"
        for use in uses
        if use.job_definition_id
    ]
    shown = ", ".join(largest[:SHOWN_DEFINITIONS])
    return ok("disk", f"{total}; largest job definitions: {shown}" if shown else total)


def _check_orphans(scheduler: ArgoScheduler) -> Iterator[Finding]:
    orphans = Orphans(scheduler.jobs, scheduler.definitions)
    found = orphans.find_stored()
    with contextlib.suppress(ArgoSchedulerError):  # the check of Argo says why
        found += orphans.find_in_engine()
    ours = [orphan for orphan in found if orphan.is_ours]
    if ours:
        yield warning("orphans", _describe(ours), "Delete them: jupyter argo-scheduler purge --orphans")
    others = [orphan for orphan in found if not orphan.is_ours]
    if folders := [orphan for orphan in others if orphan.kind == FOLDER]:
        names = ", ".join(orphan.name for orphan in folders[:SHOWN_FOLDERS])
        more = f" and {len(folders) - SHOWN_FOLDERS} more" if len(folders) > SHOWN_FOLDERS else ""
        yield warning(
            "orphans",
            f"{_describe(folders)}, but they may be of another database: {names}{more}",
            f"If no other database uses {scheduler.staging_path}, delete them yourself.",
        )
    if rows := [orphan for orphan in others if orphan.kind != FOLDER]:
        yield warning(
            "orphans",
            f"{_describe(rows)}: none of them is in {scheduler.staging_path}",
            "Check c.ArgoScheduler.staging_path: it must be the path that was configured when they were created.",
        )
    if not found:
        yield ok("orphans", "none")


def _describe(orphans: Sequence[Orphan]) -> str:
    """Return how many orphans of each kind there are, and their disk use."""
    counts = Counter(orphan.kind for orphan in orphans)
    words = ", ".join(f"{WITHOUT[kind]}: {count}" for kind, count in counts.items())
    size = sum(orphan.disk_bytes for orphan in orphans)
    return f"{words} ({render_bytes(size)})" if size else words

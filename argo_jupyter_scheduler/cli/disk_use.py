"""The room that jobs take in the staging area, by job definition."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from argo_jupyter_scheduler.cli.tables import NOTHING
from argo_jupyter_scheduler.domain.retention import StoredJob
from argo_jupyter_scheduler.storage.disk_use import measure_folder


@dataclass
class DefinitionUse:
    """The disk use of the runs of one definition, with its own folder.

    Attributes
    ----------
    job_definition_id
        None for jobs without a definition.
    runs, deleted
        How many jobs there are, and how many of them are deleted.
    disk_bytes, freed_bytes
        The bytes that they take, and the bytes that are freed.
    """

    job_definition_id: str | None
    runs: int = 0
    deleted: int = 0
    disk_bytes: int = 0
    freed_bytes: int = 0

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return dict(vars(self))


def measure_definitions(
    staging_path: Path,
    jobs: Iterable[StoredJob],
    definition_ids: Iterable[str],
    deleted: Collection[str] = (),
) -> list[DefinitionUse]:
    """Return what each definition's runs take, the largest first, and jobs without a definition among them.

    Parameters
    ----------
    jobs
        All jobs.
    definition_ids
        All definitions.
    deleted
        The ids of the jobs that are deleted.
    """
    found: dict[str | None, DefinitionUse] = {
        id_: DefinitionUse(id_, disk_bytes=measure_folder(staging_path / id_)) for id_ in definition_ids
    }
    for job in jobs:
        use = found.setdefault(job.job_definition_id, DefinitionUse(job.job_definition_id))
        size = measure_folder(staging_path / job.job_id)
        use.runs, use.disk_bytes = use.runs + 1, use.disk_bytes + size
        if job.job_id in deleted:
            use.deleted, use.freed_bytes = use.deleted + 1, use.freed_bytes + size
    return sorted(found.values(), key=lambda use: (-use.disk_bytes, use.job_definition_id or NOTHING))


def render_bytes(count: int) -> str:
    """Return an amount of bytes, such as ``0 B``, ``12 kB``, ``3.1 MB`` or ``1.2 GB``; a kB is 1,000 bytes."""
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1000:.0f} kB" if count >= 1000 else f"{count} B"

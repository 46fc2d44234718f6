"""``purge``: deletes finished jobs, and what is left of jobs of which another part is gone."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from traitlets import Bool

from argo_jupyter_scheduler.cli.arguments import Text, TextList, WrongArguments
from argo_jupyter_scheduler.cli.command import SchedulerCommand
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, InvalidJob, JobNotFound
from argo_jupyter_scheduler.domain.option_values import parse_duration
from argo_jupyter_scheduler.domain.status import COMPLETED, FAILED, STOPPED

if TYPE_CHECKING:
    from argo_jupyter_scheduler.cli.disk_use import DefinitionUse
    from argo_jupyter_scheduler.domain.retention import StoredJob
    from argo_jupyter_scheduler.jobs.orphans import Orphan
    from argo_jupyter_scheduler.scheduler import ArgoScheduler

END_STATUSES = (COMPLETED, FAILED, STOPPED)
TITLES = ("DEFINITION", "RUNS", "DELETED", "DISK USE", "FREED", "NAME")
ORPHAN_TITLES = ("ORPHAN", "DISK USE", "NAME")
OF_THEIR_OWN = "(jobs without a definition)"
NOTHING_TO_DELETE = "Nothing to delete."


class PurgeCommand(SchedulerCommand):
    """Deletes finished jobs."""

    name = "jupyter argo-scheduler purge"
    description = """Delete finished jobs with their files and workflows; downloaded files stay.

    jupyter argo-scheduler purge [options]

    Without --older-than, --status and --orphans, the configured rules and the option keep decide. A job in progress and the
    last completed run of a definition are never deleted. The exit code is 1 if something could not be deleted.
    """
    examples = "\n".join(
        (
            "jupyter argo-scheduler purge --dry-run",
            "jupyter argo-scheduler purge --older-than 30d --status FAILED --status STOPPED",
            "jupyter argo-scheduler purge --orphans",
        )
    )

    dry_run = Bool(False, config=True, help="Show what would be deleted without deleting it.")
    older_than = Text(
        config=True, help="Delete jobs that ended longer ago than this, such as 12h, 30d or 4w."
    )
    statuses = TextList(
        config=True, help="Delete only jobs with this status: COMPLETED, FAILED or STOPPED. Can be repeated."
    )
    orphans = Bool(
        False,
        config=True,
        help="Delete folders and workflows without a row, and rows without a folder.",
    )
    as_json = Bool(False, config=True, help="Print what is deleted as JSON.")

    def execute(self) -> int:
        """Delete, and print what was deleted; return 1 if something could not be, else 0.

        Raises
        ------
        WrongArguments
            An age or a status is not valid.
        InvalidConfiguration, EngineUnavailable, EngineRefused
            The database cannot be used, or Argo does not say what it has.
        """
        older_than = read_age(self.older_than)
        for status in self.statuses:
            if status not in END_STATUSES:
                raise WrongArguments(
                    f"'{status}' is not the status of a finished job. Available: {', '.join(END_STATUSES)}."
                )
        self.load_configuration()
        purge = Purge()
        try:
            database = self.open_database()
        except JobNotFound:  # nothing has been stored yet
            self._print(purge, {})
            return 0

        names = {row.job_definition_id: row.name or "" for row in database.list_definitions()}
        with self.open_scheduler(Path.cwd(), create=False) as scheduler:
            if self.older_than or self.statuses or not self.orphans:
                purge.find_jobs(scheduler, list(names), self.statuses, older_than)
            if self.orphans:
                purge.find_orphans(scheduler)
            if not self.dry_run:
                purge.delete(scheduler)
        self._print(purge, names)
        return int(bool(purge.failures))

    def _print(self, purge: Purge, names: dict[str, str]) -> None:
        from argo_jupyter_scheduler.cli.tables import render_json

        if self.as_json:
            print(render_json({"dry_run": self.dry_run, **purge.as_json()}))
        else:
            print(purge.as_text("Would delete" if self.dry_run else "Deleted", names))
        for name, reason in purge.failures.items():
            print(f"{name} could not be deleted: {reason}", file=sys.stderr)


@dataclass
class Purge:
    """The jobs and orphans to delete, and after `delete` those that were deleted.

    Attributes
    ----------
    uses
        The disk use of all definitions.
    failures
        Why something could not be deleted, by its name.
    """

    jobs: list[StoredJob] = field(default_factory=list)
    uses: list[DefinitionUse] = field(default_factory=list)
    orphans: list[Orphan] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def find_jobs(
        self, scheduler: ArgoScheduler, definition_ids: list[str], statuses: list[str], older_than: int
    ) -> None:
        """Find the jobs to delete; without a status and an age (seconds), by the rules."""
        from argo_jupyter_scheduler.cli.disk_use import measure_definitions
        from argo_jupyter_scheduler.jobs.retention import Retention

        retention = Retention(scheduler.jobs)
        is_asked = bool(statuses or older_than)
        self.jobs = retention.find_finished(statuses, older_than) if is_asked else retention.find_expired()
        self.uses = measure_definitions(
            Path(scheduler.staging_path),
            scheduler.jobs.database.list_stored_jobs(),
            definition_ids,
            {job.job_id for job in self.jobs},
        )

    def find_orphans(self, scheduler: ArgoScheduler) -> None:
        """Find the orphans to delete; raises as `Orphans.find`."""
        from argo_jupyter_scheduler.jobs.orphans import Orphans

        found = Orphans(scheduler.jobs, scheduler.definitions).find()
        self.orphans = [orphan for orphan in found if orphan.is_ours]

    def delete(self, scheduler: ArgoScheduler) -> None:
        """Delete what was found. What cannot be deleted does not keep the others."""
        from argo_jupyter_scheduler.jobs.orphans import Orphans
        from argo_jupyter_scheduler.jobs.retention import Retention
        from argo_jupyter_scheduler.storage.disk_use import measure_folder

        retention, uses = Retention(scheduler.jobs), {use.job_definition_id: use for use in self.uses}
        for job in self.jobs:
            if reason := retention.delete(job.job_id):
                self.failures[job.job_id] = reason
                use = uses[job.job_definition_id]
                use.deleted -= 1
                use.freed_bytes -= measure_folder(scheduler.jobs.folder(job.job_id).path)
        orphans = Orphans(scheduler.jobs, scheduler.definitions)
        for orphan in self.orphans:
            try:
                orphans.remove(orphan)
            except (ArgoSchedulerError, OSError) as error:
                self.failures[orphan.name] = str(error)
        self.jobs = [job for job in self.jobs if job.job_id not in self.failures]
        self.orphans = [orphan for orphan in self.orphans if orphan.name not in self.failures]

    @property
    def freed_bytes(self) -> int:
        """The bytes that are freed in the staging area."""
        return sum(use.freed_bytes for use in self.uses) + sum(one.disk_bytes for one in self.orphans)

    def as_text(self, begin: str, names: dict[str, str]) -> str:
        """Return what is deleted as tables and a summary that begins with `begin`."""
        from argo_jupyter_scheduler.cli.disk_use import render_bytes
        from argo_jupyter_scheduler.cli.tables import ID_LENGTH, NOTHING, make_cell, render_table

        parts = []
        if self.uses:
            rows = [
                (
                    (use.job_definition_id or NOTHING)[:ID_LENGTH],
                    str(use.runs),
                    str(use.deleted),
                    render_bytes(use.disk_bytes),
                    render_bytes(use.freed_bytes),
                    make_cell(names.get(use.job_definition_id)) if use.job_definition_id else OF_THEIR_OWN,
                )
                for use in self.uses
            ]
            parts.append(render_table(TITLES, rows))
        if self.orphans:
            cells = [(one.kind, render_bytes(one.disk_bytes), one.name) for one in self.orphans]
            parts.append(render_table(ORPHAN_TITLES, cells))
        counts = [(len(self.jobs), "job"), (len(self.orphans), "orphan")]
        words = [f"{count} {noun}{'s' if count > 1 else ''}" for count, noun in counts if count]
        summary = f"{begin} {' and '.join(words)}: {render_bytes(self.freed_bytes)}."
        return "\n\n".join([*parts, summary if words else NOTHING_TO_DELETE])

    def as_json(self) -> dict[str, object]:
        """Return what is deleted, for programs; times are in milliseconds since 1970."""
        return {
            "jobs": [
                {
                    "job_id": job.job_id,
                    "job_definition_id": job.job_definition_id,
                    "status": job.status,
                    "end_time": job.end_time,
                }
                for job in self.jobs
            ],
            "definitions": [use.as_json() for use in self.uses],
            "orphans": [
                {"kind": one.kind, "name": one.name, "disk_bytes": one.disk_bytes} for one in self.orphans
            ],
            "failed": [{"name": name, "reason": reason} for name, reason in self.failures.items()],
            "freed_bytes": self.freed_bytes,
        }


def read_age(text: str) -> int:
    """Return the seconds of ``--older-than``; 0 where it is not given.

    Raises
    ------
    WrongArguments
        It is not a duration with a unit: days would be meant as often as seconds.
    """
    if not text:
        return 0
    try:
        seconds = 0 if text.strip().isdecimal() else parse_duration("--older-than", text)
    except InvalidJob:
        seconds = 0
    if not seconds:
        raise WrongArguments(f"--older-than: '{text}' is not a duration with a unit. Write 12h, 30d or 4w.")
    return seconds

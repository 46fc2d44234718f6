"""``logs``: what the run of a job printed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from traitlets import Bool

from argo_jupyter_scheduler.cli.command import SchedulerCommand
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.schema import JobRow

POLL_SECONDS = 0.2


class LogsCommand(SchedulerCommand):
    """Prints the log of a job."""

    name = "jupyter argo-scheduler logs"
    description = """Print the log of a job so far.

    jupyter argo-scheduler logs JOB [options]

    JOB is a job's id, or the first characters of it. If a run on Argo does not have a log yet, the command
    prints the lines of its pods.
    """
    examples = "jupyter argo-scheduler logs 3f2a --follow"
    operands = ("JOB",)

    follow = Bool(False, config=True, help="Print new lines until the job ends.")
    as_json = Bool(
        False,
        config=True,
        help="Print the job's id, its status and the lines as JSON. With --follow, wait until the job ends.",
    )

    def execute(self) -> int:
        """Print the log; return 0.

        Raises
        ------
        InvalidConfiguration, InvalidJob, JobNotFound
            With the reason.
        """
        self.load_configuration()
        from argo_jupyter_scheduler.cli.job_queries import find_job
        from argo_jupyter_scheduler.cli.tables import describe_outcome, render_json

        database = self.open_database()
        row = find_job(database, self.extra_args[0])
        text = self._print_log(row, lambda: self.follow and database.is_live(row.job_id))
        row = database.get_job(row.job_id) or row
        if not text and row.pid is None:
            text = self._print_pods_log(row)
        if self.as_json:
            print(render_json({"job_id": row.job_id, "status": row.status, "lines": text.splitlines()}))
        elif self.follow:
            print(describe_outcome(row), file=sys.stderr)
        elif not text:
            raise InvalidJob(f"Job {row.job_id} has no log ({row.status}).")
        return 0

    def _print_log(self, row: JobRow, is_growing: Callable[[], bool]) -> str:
        pieces = []
        for piece in read_growing(RunFolder(self.find_staging_path(), row.job_id).log, is_growing):
            pieces.append(piece)
            if not self.as_json:
                print(piece, end="", flush=True)
        return "".join(pieces)

    def _print_pods_log(self, row: JobRow) -> str:
        from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine

        with self.open_scheduler(Path.cwd(), create=False) as scheduler:
            engine = scheduler.jobs.engine
            lines = engine.read_log(row) if isinstance(engine, ArgoEngine) else ()
            text = "".join(f"{line}\n" for line in lines)
        if not self.as_json:
            print(text, end="")
        return text


def read_growing(path: Path, is_growing: Callable[[], bool]) -> Iterator[str]:
    """Read a text file that another process may still be writing, piece by piece.

    Parameters
    ----------
    path
        The file; it may not exist yet.
    is_growing
        Says whether more is to come.
    """
    position = 0
    while True:
        goes_on = is_growing()  # asked before the read, so the last lines are read too
        if path.is_file():
            with open(path, "rb") as file:
                file.seek(position)
                content = file.read()
            if goes_on:  # whole lines only: a character may be half written
                content = content[: content.rfind(b"\n") + 1]
            position += len(content)
            if content:
                yield content.decode("utf-8", "replace")
        if not goes_on:
            return
        time.sleep(POLL_SECONDS)

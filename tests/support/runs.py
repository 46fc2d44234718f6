"""Runs without a server: a row, a folder, and the command that executes the steps."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import nbformat

from argo_jupyter_scheduler.domain import plan
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.steps.local_queue import JOB_VARIABLE
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.schema import LOCAL_WAITING, JobRow
from tests.support.eventually import PATIENCE_SECONDS

FORMATS = ("ipynb", "html", "log")


class Run:
    """A job of this machine, and what became of it.

    Parameters
    ----------
    source
        Its notebook.
    settings
        What the server would write for it.
    fields
        Columns of its row.
    """

    def __init__(
        self,
        database: Database,
        staging_path: Path,
        source: str,
        settings: RunSettings | None = None,
        **fields: object,
    ) -> None:
        self.database = database
        self.id = str(uuid.uuid4())
        self.folder = RunFolder(staging_path, self.id)
        self.folder.create()
        (self.folder.path / "n.ipynb").write_text(source, encoding="utf-8")
        self.folder.write_settings(settings or RunSettings())
        row = JobRow(
            job_id=self.id,
            name="n",
            input_filename="n.ipynb",
            runtime_environment_name="e",
            status="QUEUED",
            output_formats=FORMATS,
            pid=LOCAL_WAITING,
            create_time=1_700_000_000_000,
        )
        database.insert_job(replace(row, **fields))  # type: ignore[arg-type]

    def start(self, steps: Sequence[str] = plan.STEPS, local: bool = True) -> subprocess.Popen[bytes]:
        """Start its process, as this machine's engine or, not `local`, as Argo does."""
        command = [sys.executable, "-m", "argo_jupyter_scheduler.steps", *steps, "--job-id", self.id]
        command += ["--db-url", self.database.url, "--staging-path", str(self.folder.path.parent)]
        environment = {**os.environ, JOB_VARIABLE: self.id}
        return subprocess.Popen([*command, *(["--local"] if local else [])], env=environment)

    def finish(self, timeout: float = PATIENCE_SECONDS) -> JobRow:
        """Let it run to its end; return its row."""
        with self.start() as process:
            process.wait(timeout)
        return self.row

    @property
    def row(self) -> JobRow:
        """Its row as it is now."""
        row = self.database.get_job(self.id)
        assert row is not None
        return row

    @property
    def log(self) -> str:
        """What it printed."""
        return self.folder.log.read_text(encoding="utf-8")

    @property
    def cells(self) -> list[nbformat.NotebookNode]:
        """The cells of the executed notebook."""
        return list(nbformat.read(self.folder.output("ipynb"), as_version=4).cells)

    @property
    def printed(self) -> str:
        """What its cells printed."""
        outputs = [output for cell in self.cells for output in cell.get("outputs", [])]
        return "".join(output.get("text", "") for output in outputs)

    def published(self, suffix: str) -> Path:
        """Return the published output with this suffix, such as ``.html``."""
        [path] = [path for path in self.folder.path.glob("n-*") if path.name.endswith(f"M{suffix}")]
        return path

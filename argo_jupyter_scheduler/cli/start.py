"""The common part of the commands that start a job: `run`, `rerun` and `run_now`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from traitlets import Bool, Dict

from argo_jupyter_scheduler.cli.arguments import Text, split_parameters
from argo_jupyter_scheduler.cli.command import SchedulerCommand
from argo_jupyter_scheduler.cli.progress import ProgressBar, count_cells

if TYPE_CHECKING:  # importing them takes a second
    from argo_jupyter_scheduler.jobs.service import JobService
    from argo_jupyter_scheduler.scheduler import ArgoScheduler


class StartCommand(SchedulerCommand):
    """A command that starts a job, waits for it, and prints its files."""

    parameters = Dict(
        config=True, help="A parameter of the notebook: -p NAME VALUE or -p NAME=VALUE. Can be repeated."
    )
    output_dir = Text(
        config=True, help="Folder to copy the run's files to. By default they stay in the staging area."
    )
    as_json = Bool(False, config=True, help="Print the new job's id, its status and its files as JSON.")

    def parse_command_line(self, argv: list[str] | None = None) -> None:
        """Read the command line, parameters first."""
        others, parameters = split_parameters(argv or [])
        super().parse_command_line(others)
        self.parameters = {**self.parameters, **parameters}

    def start_job(
        self,
        scheduler: ArgoScheduler,
        create: Callable[[], str],
        bar: ProgressBar,
        default_dir: Path | None = None,
    ) -> int:
        """Start a job, wait for it and print its files as the options say; see `run_and_report`."""
        from argo_jupyter_scheduler.cli.waiting import run_and_report

        scheduler.jobs.engine.start()
        output_dir = Path(self.output_dir) if self.output_dir else None
        return run_and_report(scheduler, create, bar, output_dir, self.as_json, default_dir)

    def start_staged(self, staged_id: str, input_filename: str, create: Callable[[JobService], str]) -> int:
        """Start a job whose notebook is in the staging area, as `start_job`.

        Parameters
        ----------
        staged_id
            Of the job or the job definition that has the notebook.
        create
            Creates the job; returns its id.
        """
        with self.open_scheduler(Path.cwd()) as scheduler:
            bar = ProgressBar(
                input_filename, count_cells(scheduler.jobs.folder(staged_id).path / input_filename)
            )
            return self.start_job(scheduler, lambda: create(scheduler.jobs), bar)

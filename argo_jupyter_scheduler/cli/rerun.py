"""``rerun``: the notebook of a job, as it was then, once more."""

from __future__ import annotations

from pathlib import Path

from argo_jupyter_scheduler.cli.command import ALIASES, FLAGS
from argo_jupyter_scheduler.cli.progress import ProgressBar, count_cells
from argo_jupyter_scheduler.cli.run import WithParameters


class RerunCommand(WithParameters):
    """Runs the notebook of a job again, and waits for it."""

    name = "jupyter argo-scheduler rerun"
    description = """Run a job's notebook again, unchanged and with the job's settings, and wait for it.

    jupyter argo-scheduler rerun JOB [options]

    JOB is a job's id, or the first characters of it. -p replaces a parameter of the job.
    """
    examples = "\n".join(
        (
            "jupyter argo-scheduler rerun 3f2a",
            "jupyter argo-scheduler rerun 3f2a -p days 7 --output-dir reports",
        )
    )
    operands = ("JOB",)

    aliases = {  # noqa: RUF012
        **ALIASES,
        ("p", "parameter"): "RerunCommand.parameters",
        "output-dir": (
            "RerunCommand.output_dir",
            "Folder to copy the run's files to. By default they stay in the staging area.",
        ),
    }
    flags = {  # noqa: RUF012
        **FLAGS,
        "json": (
            {"RerunCommand": {"as_json": True}},
            "Print the new job's id, its status and its files as JSON.",
        ),
    }

    def execute(self) -> int:
        """Run the notebook; return the exit code.

        Raises
        ------
        InvalidConfiguration, InvalidJob, JobNotFound
            It was not started.
        """
        self.load_configuration()
        from argo_jupyter_scheduler.cli.job_queries import find_job
        from argo_jupyter_scheduler.cli.waiting import run_and_report
        from argo_jupyter_scheduler.jobs.rerun import rerun

        row = find_job(self.open_database(), self.extra_args[0])
        scheduler = self.make_scheduler(Path.cwd())
        staged = scheduler.jobs.folder(row.job_id).path / row.input_filename
        bar = ProgressBar(row.input_filename, count_cells(staged))
        output_dir = Path(self.output_dir) if self.output_dir else None
        try:
            scheduler.jobs.engine.start()
            return run_and_report(
                scheduler,
                lambda: rerun(scheduler.jobs, row.job_id, self.parameters),
                bar,
                output_dir,
                self.as_json,
            )
        finally:
            scheduler.close()

"""``run-now``: a run of a job definition, now or about another moment."""

from __future__ import annotations

from pathlib import Path

from argo_jupyter_scheduler.cli.arguments import Text
from argo_jupyter_scheduler.cli.command import ALIASES, FLAGS
from argo_jupyter_scheduler.cli.progress import ProgressBar, count_cells
from argo_jupyter_scheduler.cli.run import WithParameters


class RunNowCommand(WithParameters):
    """Runs a job definition now, and waits for it."""

    name = "jupyter argo-scheduler run-now"
    description = """Run a job definition now, and wait for it.

    jupyter argo-scheduler run-now DEFINITION [options]

    DEFINITION is the name of a job definition, its id, or the first characters of its id. Parameters given here replace those
    of the definition. The notebook gets the moment of the run as scheduled_time.
    """
    examples = "\n".join(
        (
            "jupyter argo-scheduler run-now 'Daily report'",
            "jupyter argo-scheduler run-now 9c1e --at 2026-03-02T06:00 -p days 7",
        )
    )
    operands = ("DEFINITION",)

    at = Text(
        config=True,
        help="The moment of the run, such as 2026-03-02T06:00; by default now. Without an offset it is in the "
        "time zone of the definition.",
    )

    aliases = {  # noqa: RUF012
        **ALIASES,
        ("p", "parameter"): "RunNowCommand.parameters",
        "at": "RunNowCommand.at",
        "output-dir": (
            "RunNowCommand.output_dir",
            "Folder to copy the run's files to. By default they stay in the staging area.",
        ),
    }
    flags = {  # noqa: RUF012
        **FLAGS,
        "json": (
            {"RunNowCommand": {"as_json": True}},
            "Print the new job's id, its status and its files as JSON.",
        ),
    }

    def execute(self) -> int:
        """Run the definition; return the exit code.

        Raises
        ------
        InvalidConfiguration, InvalidJob, JobNotFound
            It was not started.
        """
        self.load_configuration()
        from argo_jupyter_scheduler.cli.job_queries import find_definition
        from argo_jupyter_scheduler.cli.waiting import run_and_report

        row = find_definition(self.open_database(), self.extra_args[0])
        scheduler = self.make_scheduler(Path.cwd())
        staged = scheduler.jobs.folder(row.job_definition_id).path / row.input_filename
        bar = ProgressBar(row.input_filename, count_cells(staged))
        output_dir = Path(self.output_dir) if self.output_dir else None
        overrides: dict[str, object] = {"scheduled_time": self.at} if self.at else {}
        if self.parameters:
            overrides["parameters"] = {**(row.parameters or {}), **self.parameters}
        try:
            scheduler.jobs.engine.start()
            return run_and_report(
                scheduler,
                lambda: scheduler.jobs.run_definition(row.job_definition_id, overrides),
                bar,
                output_dir,
                self.as_json,
            )
        finally:
            scheduler.close()

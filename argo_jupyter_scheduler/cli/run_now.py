"""``run-now``: a run of a job definition, now or about another moment."""

from __future__ import annotations

from argo_jupyter_scheduler.cli.arguments import Text
from argo_jupyter_scheduler.cli.start import StartCommand


class RunNowCommand(StartCommand):
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

    def execute(self) -> int:
        """Run the definition; return the exit code.

        Raises
        ------
        InvalidConfiguration, InvalidJob, JobNotFound
            It was not started.
        """
        self.load_configuration()
        from argo_jupyter_scheduler.cli.job_queries import find_definition

        row = find_definition(self.open_database(), self.extra_args[0])
        overrides: dict[str, object] = {"scheduled_time": self.at} if self.at else {}
        if self.parameters:
            overrides["parameters"] = {**(row.parameters or {}), **self.parameters}
        definition_id = row.job_definition_id
        return self.start_staged(
            definition_id, row.input_filename, lambda jobs: jobs.run_definition(definition_id, overrides)
        )

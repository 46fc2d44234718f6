"""``run``: a notebook, as the *Create Job* dialog does it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from traitlets import Bool, Dict

from argo_jupyter_scheduler.cli.arguments import Text, TextList, split_parameters
from argo_jupyter_scheduler.cli.command import ALIASES, FLAGS, SchedulerCommand
from argo_jupyter_scheduler.cli.progress import ProgressBar, count_cells

DEFAULT_FORMATS = ("ipynb", "html")


class WithParameters(SchedulerCommand):
    """A command that takes ``-p NAME VALUE``."""

    parameters = Dict(
        config=True, help="A parameter of the notebook: -p NAME VALUE or -p NAME=VALUE. Can be repeated."
    )
    output_dir = Text(config=True, help="Folder to copy the run's files to.")

    def parse_command_line(self, argv: list[str] | None = None) -> None:
        """Read the command line, parameters first."""
        others, parameters = split_parameters(argv or [])
        super().parse_command_line(others)
        self.parameters = {**self.parameters, **parameters}


class RunCommand(WithParameters):
    """Runs a notebook and waits for it."""

    name = "jupyter argo-scheduler run"
    description = """Run a notebook as the Create Job dialog does, and wait for it.

    jupyter argo-scheduler run NOTEBOOK [options]

    Prints the paths of the outputs. The exit code is 0 if the job completed, 1 if it failed, 130 after Ctrl+C, which stops it.
    """
    examples = "\n".join(
        (
            "jupyter argo-scheduler run analysis.ipynb",
            "jupyter argo-scheduler run analysis.ipynb -p days 30 -p city=Bergen --env analytics",
            "jupyter argo-scheduler run analysis.ipynb --format html --tag timeout:2h --output-dir reports",
        )
    )
    operands = ("NOTEBOOK",)

    environment = Text(config=True, help="Environment to run in. Default: the one that the dialog selects.")
    output_formats = TextList(config=True, help="Output format. Can be repeated. Default: ipynb and html.")
    job_name = Text(config=True, help="Name of the job. Default: the notebook's name.")
    tags = TextList(
        config=True, help="Tag of the job; timeout:2h and output:reports/{name} are options. Can be repeated."
    )
    compute_type = Text(config=True, help="Compute type, see c.ArgoScheduler.compute_types.")
    package_input_folder = Bool(False, config=True, help="Run with a copy of the notebook's folder.")

    aliases = {  # noqa: RUF012
        **ALIASES,
        ("p", "parameter"): "RunCommand.parameters",
        "env": "RunCommand.environment",
        "format": "RunCommand.output_formats",
        "name": "RunCommand.job_name",
        "tag": "RunCommand.tags",
        "compute-type": "RunCommand.compute_type",
        "output-dir": (
            "RunCommand.output_dir",
            "Folder to copy the run's files to. "
            "Default: a folder next to the notebook with the notebook's name, unless the job has the option output.",
        ),
    }
    flags = {  # noqa: RUF012
        **FLAGS,
        "input-folder": (
            {"RunCommand": {"package_input_folder": True}},
            "Run with a copy of the notebook's folder.",
        ),
        "json": (
            {"RunCommand": {"as_json": True}},
            "Print the job's id, its status and its files as JSON.",
        ),
    }

    def execute(self) -> int:
        """Run the notebook; return the exit code.

        Raises
        ------
        InvalidConfiguration, InvalidJob
            It was not started.
        """
        notebook = Path(self.extra_args[0]).resolve()
        # Drawn before anything else: what is imported below takes a second.
        bar = ProgressBar(notebook.name, count_cells(notebook))
        with bar:
            self.load_configuration()
            from jupyter_scheduler.models import CreateJob

            from argo_jupyter_scheduler.cli.waiting import run_and_report

            scheduler = self.make_scheduler(notebook.parent)
            scheduler.jobs.engine.start()
            model = CreateJob(
                input_uri=notebook.name,
                name=self.job_name or notebook.stem,
                runtime_environment_name=self.environment or scheduler.jobs.environments.default_name(),
                output_formats=self.output_formats or list(DEFAULT_FORMATS),
                parameters=self.parameters,
                tags=self.tags or None,
                compute_type=self.compute_type or None,
                package_input_folder=self.package_input_folder,
            )
            output_dir = Path(self.output_dir) if self.output_dir else None
            default_dir = notebook.parent / notebook.stem
            try:
                return run_and_report(
                    scheduler,
                    lambda: asyncio.run(scheduler.create_job(model)),
                    bar,
                    output_dir,
                    self.as_json,
                    default_dir,
                )
            finally:
                scheduler.close()

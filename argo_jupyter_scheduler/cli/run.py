"""``run``: a notebook, as the *Create Job* dialog does it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from traitlets import Bool

from argo_jupyter_scheduler.cli.arguments import Text, TextList
from argo_jupyter_scheduler.cli.progress import ProgressBar, count_cells
from argo_jupyter_scheduler.cli.start import StartCommand

DEFAULT_FORMATS = ("ipynb", "html")


class RunCommand(StartCommand):
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
    output_dir = Text(
        config=True,
        help="Folder to copy the run's files to. "
        "Default: a folder next to the notebook with the notebook's name, unless the job has the option output.",
    )

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

            with self.open_scheduler(notebook.parent) as scheduler:
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
                return self.start_job(
                    scheduler,
                    lambda: asyncio.run(scheduler.create_job(model)),
                    bar,
                    notebook.parent / notebook.stem,
                )

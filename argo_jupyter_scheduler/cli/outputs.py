"""``outputs``: where the files of a job are."""

from __future__ import annotations

from pathlib import Path

from traitlets import Bool

from argo_jupyter_scheduler.cli.arguments import Text
from argo_jupyter_scheduler.cli.command import SchedulerCommand
from argo_jupyter_scheduler.domain.errors import InvalidJob


class OutputsCommand(SchedulerCommand):
    """Prints where the files of a job are."""

    name = "jupyter argo-scheduler outputs"
    description = """Print the paths of a job's files: where the option output put them, else in the staging area.

    jupyter argo-scheduler outputs JOB [options]

    JOB is a job's id, or the first characters of it.
    """
    examples = "\n".join(
        ("jupyter argo-scheduler outputs 3f2a", "jupyter argo-scheduler outputs 3f2a --output-dir reports")
    )
    operands = ("JOB",)

    output_dir = Text(
        config=True, help="Folder to copy the files to. The command then prints the paths of the copies."
    )
    as_json = Bool(False, config=True, help="Print each file's format and path as JSON.")

    def execute(self) -> int:
        """Print the paths; return 0.

        Raises
        ------
        InvalidConfiguration, InvalidJob, JobNotFound
            With the reason.
        """
        self.load_configuration()
        from argo_jupyter_scheduler.cli.job_queries import find_job
        from argo_jupyter_scheduler.cli.output_files import copy_files, find_output_files
        from argo_jupyter_scheduler.cli.tables import render_json

        row = find_job(self.open_database(), self.extra_args[0])
        files = find_output_files(self.find_staging_path(), row)
        if self.output_dir:
            try:
                files = copy_files(files, Path(self.output_dir))
            except OSError as error:
                raise InvalidJob(f"The files could not be copied to {self.output_dir}: {error}") from error
        if self.as_json:
            print(render_json([file.as_json() for file in files]))
        else:
            for file in files:
                print(file.place)
        return 0

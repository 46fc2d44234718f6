"""``rerun``: the notebook of a job, as it was then, once more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from argo_jupyter_scheduler.cli.command import ALIASES, FLAGS
from argo_jupyter_scheduler.cli.progress import ProgressBar, count_cells
from argo_jupyter_scheduler.cli.run import WithParameters
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.storage.atomic import copy_whole
from argo_jupyter_scheduler.storage.folders import NEW_SUFFIX, STAGED, RunFolder
from argo_jupyter_scheduler.storage.schema import JobRow


class RerunCommand(WithParameters):
    """Runs the notebook of a job again, and waits for it."""

    name = "jupyter argo-scheduler rerun"
    description = """Run the notebook of a job again, as it was then and with the job's settings, and wait for it.

    jupyter argo-scheduler rerun JOB [options]

    JOB is the id of a job, or its beginning. Parameters that are given replace those of the job.
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
            "Folder where the files that the run made are copied. By default they stay in the staging area.",
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
        from jupyter_scheduler.models import CreateJob

        from argo_jupyter_scheduler.cli.job_queries import find_job
        from argo_jupyter_scheduler.cli.waiting import run_and_report

        row = find_job(self.open_database(), self.extra_args[0])
        with _copied_input(self.find_staging_path(), row) as folder:
            scheduler = self.make_scheduler(folder.path)
            scheduler.jobs.engine.start()
            model = CreateJob(
                input_uri=row.input_filename,
                name=row.name or row.input_filename,
                runtime_environment_name=row.runtime_environment_name,
                runtime_environment_parameters=row.runtime_environment_parameters,
                output_formats=list(row.output_formats or ()),
                parameters={**(row.parameters or {}), **self.parameters},
                tags=list(row.tags) if row.tags else None,
                compute_type=row.compute_type,
                package_input_folder=row.package_input_folder,
                job_definition_id=row.job_definition_id,
            )
            bar = ProgressBar(row.input_filename, count_cells(folder.path / row.input_filename))
            output_dir = Path(self.output_dir) if self.output_dir else None
            try:
                return run_and_report(scheduler, model, bar, output_dir, self.as_json)
            finally:
                scheduler.close()


@contextlib.contextmanager
def _copied_input(staging_path: Path, row: JobRow) -> Iterator[RunFolder]:
    """Copy what a job was made from, without its outputs, to a folder of the staging area while this lasts.

    Raises
    ------
    InvalidJob
        The notebook is gone.
    """
    source = RunFolder(staging_path, row.job_id)
    if not (source.path / row.input_filename).is_file():
        raise InvalidJob(f"The notebook of job {row.job_id} is no longer in the staging area.")
    copy = source.beside(NEW_SUFFIX)
    copy.create()
    try:
        copy.copy_settings(source)  # they say where the notebook came from
        # A job of an earlier version does not know which files it was made from.
        staged = source.read(STAGED) or dict.fromkeys(row.packaged_files or ())
        for name in (row.input_filename, *(name for name in staged if name != row.input_filename)):
            if (source.path / name).is_file():
                (copy.path / name).parent.mkdir(parents=True, exist_ok=True)
                copy_whole(source.path / name, copy.path / name)
        yield copy
    finally:
        copy.delete()

"""``rerun``: the notebook of a job, as it was then, once more."""

from __future__ import annotations

from argo_jupyter_scheduler.cli.start import StartCommand


class RerunCommand(StartCommand):
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

    def execute(self) -> int:
        """Run the notebook; return the exit code.

        Raises
        ------
        InvalidConfiguration, InvalidJob, JobNotFound
            It was not started.
        """
        self.load_configuration()
        from argo_jupyter_scheduler.cli.job_queries import find_job
        from argo_jupyter_scheduler.jobs.rerun import rerun

        row = find_job(self.open_database(), self.extra_args[0])
        return self.start_staged(
            row.job_id, row.input_filename, lambda jobs: rerun(jobs, row.job_id, self.parameters)
        )

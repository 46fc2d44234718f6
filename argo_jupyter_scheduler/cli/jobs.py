"""``jobs``: a list of jobs."""

from __future__ import annotations

from traitlets import Bool, Enum, Integer

from argo_jupyter_scheduler.cli.arguments import Text
from argo_jupyter_scheduler.cli.command import SchedulerCommand
from argo_jupyter_scheduler.cli.job_queries import list_jobs
from argo_jupyter_scheduler.cli.tables import (
    ID_LENGTH,
    duration_seconds,
    hide_secrets,
    make_cell,
    render_duration,
    render_json,
    render_moment,
    render_table,
)
from argo_jupyter_scheduler.domain import status
from argo_jupyter_scheduler.domain.errors import JobNotFound
from argo_jupyter_scheduler.storage.schema import JobRow

STATUSES = (*status.LIVE, status.COMPLETED, status.FAILED, status.STOPPED)
TITLES = ("JOB", "STATUS", "CREATED", "DURATION", "NAME")


class JobsCommand(SchedulerCommand):
    """Lists jobs."""

    name = "jupyter argo-scheduler jobs"
    description = """List jobs, newest first.

    jupyter argo-scheduler jobs [options]

    Other commands accept a job's id, or the first characters of it.
    """
    examples = "\n".join(
        (
            "jupyter argo-scheduler jobs --status FAILED",
            "jupyter argo-scheduler jobs --definition 9c1e --limit 0 --json",
        )
    )

    limit = Integer(25, min=0, config=True, help="Number of jobs to list; 0 for all.")
    status = Enum(("", *STATUSES), default_value="", config=True, help="Only jobs with this status.")
    definition = Text(config=True, help="Only runs of the job definition whose id begins with this text.")
    as_json = Bool(False, config=True, help="Print all columns as JSON.")

    def execute(self) -> int:
        """Print the list; return 0.

        Raises
        ------
        InvalidConfiguration
            The database cannot be used.
        """
        self.load_configuration()
        try:
            rows = list_jobs(self.open_database(), self.limit, self.status, self.definition)
        except JobNotFound:  # nothing has been stored yet
            rows = []
        if self.as_json:
            print(render_json([job_as_json(row) for row in rows]))
        else:
            print(render_table(TITLES, [job_as_cells(row) for row in rows]) if rows else "No jobs.")
        return 0


def job_as_cells(job: JobRow) -> tuple[str, ...]:
    """Return a job as a line of the table."""
    duration = render_duration(duration_seconds(job))
    return job.job_id[:ID_LENGTH], job.status, render_moment(job.create_time), duration, make_cell(job.name)


def job_as_json(job: JobRow) -> dict[str, object]:
    """Return a job for programs; times are in milliseconds since 1970, as in the REST API."""
    return {
        "job_id": job.job_id,
        "job_definition_id": job.job_definition_id,
        "name": job.name,
        "status": job.status,
        "status_message": job.status_message,
        "create_time": job.create_time,
        "start_time": job.start_time,
        "end_time": job.end_time,
        "duration_seconds": duration_seconds(job),
        "input_filename": job.input_filename,
        "runtime_environment_name": job.runtime_environment_name,
        "compute_type": job.compute_type,
        "output_formats": list(job.output_formats or ()),
        "parameters": hide_secrets(job.parameters),
        "tags": list(job.tags or ()),
    }

"""``stop``: ends a job."""

from __future__ import annotations

import asyncio
from pathlib import Path

from traitlets import Bool

from argo_jupyter_scheduler.cli.command import SchedulerCommand
from argo_jupyter_scheduler.domain.errors import InvalidJob


class StopCommand(SchedulerCommand):
    """Stops a job."""

    name = "jupyter argo-scheduler stop"
    description = """Stop a job, as the panel does. A job that has ended does not change.

    jupyter argo-scheduler stop JOB [options]

    JOB is a job's id, or the first characters of it.
    """
    examples = "jupyter argo-scheduler stop 3f2a"
    operands = ("JOB",)

    as_json = Bool(False, config=True, help="Print the job's id and status as JSON.")

    def execute(self) -> int:
        """Stop the job, and print its status; return 0.

        Raises
        ------
        InvalidConfiguration, InvalidJob, JobNotFound
            With the reason.
        """
        self.load_configuration()
        from jupyter_scheduler.exceptions import SchedulerError

        from argo_jupyter_scheduler.cli.job_queries import find_job
        from argo_jupyter_scheduler.cli.tables import render_json

        row = find_job(self.open_database(), self.extra_args[0])
        with self.open_scheduler(Path.cwd(), create=False) as scheduler:
            scheduler.jobs.engine.start()
            try:
                asyncio.run(scheduler.stop_job(row.job_id))
            except SchedulerError as error:
                raise InvalidJob(str(error)) from error
            row = scheduler.jobs.database.get_job(row.job_id) or row
        if self.as_json:
            print(render_json({"job_id": row.job_id, "status": row.status}))
        else:
            print(f"{row.job_id} {row.status}")
        return 0

"""``stop``: ends a job."""

from __future__ import annotations

import asyncio
from pathlib import Path

from argo_jupyter_scheduler.cli.command import ALIASES, FLAGS, SchedulerCommand
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

    aliases = ALIASES
    flags = {**FLAGS, "json": ({"StopCommand": {"as_json": True}}, "Print the job's id and status as JSON.")}  # noqa: RUF012

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
        scheduler = self.make_scheduler(Path.cwd(), create=False)
        scheduler.jobs.engine.start()
        try:
            asyncio.run(scheduler.stop_job(row.job_id))
        except SchedulerError as error:
            raise InvalidJob(str(error)) from error
        finally:
            scheduler.close()
        row = scheduler.jobs.database.get_job(row.job_id) or row
        if self.as_json:
            print(render_json({"job_id": row.job_id, "status": row.status}))
        else:
            print(f"{row.job_id} {row.status}")
        return 0

"""``/argo-scheduler/jobs/ID``: all that is shown of one job."""

from __future__ import annotations

import json

from jupyter_server.auth.decorator import authorized
from tornado import web

from argo_jupyter_scheduler.jobs.details import describe_job
from argo_jupyter_scheduler.jupyter.handlers.base import SchedulerHandler


class JobHandler(SchedulerHandler):
    """Answers with a job."""

    @web.authenticated
    @authorized
    async def get(self, job_id: str) -> None:
        """Answer with a job and its outputs."""
        outputs = await self.list_outputs(job_id)
        self.finish(json.dumps(await self.read(describe_job, self.services.jobs, job_id, outputs)))

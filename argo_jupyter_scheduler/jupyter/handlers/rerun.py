"""``/argo-scheduler/jobs/ID/rerun``: runs a job again."""

from __future__ import annotations

import json

from jupyter_server.auth.decorator import authorized
from tornado import web

from argo_jupyter_scheduler.jobs.rerun import rerun
from argo_jupyter_scheduler.jupyter.handlers.base import SchedulerHandler


class RerunHandler(SchedulerHandler):
    """Runs a job again, with the input that it had."""

    @web.authenticated
    @authorized
    async def post(self, job_id: str) -> None:
        """Answer with the new job's id."""
        self.finish(json.dumps({"job_id": await self.call(rerun, self.services.jobs, job_id)}))

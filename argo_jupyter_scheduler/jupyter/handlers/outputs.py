"""``/argo-scheduler/jobs/ID/outputs``: puts a job's outputs into the root folder."""

from __future__ import annotations

import json

from jupyter_server.auth.decorator import authorized
from tornado import web

from argo_jupyter_scheduler.jupyter.handlers.base import SchedulerHandler


class OutputsHandler(SchedulerHandler):
    """Fetches the outputs of a job."""

    @web.authenticated
    @authorized
    async def post(self, job_id: str) -> None:
        """Copy the outputs of a job, and answer when they exist."""
        self.finish(json.dumps({"outputs": await self.fetch_outputs(job_id)}))

"""``/argo-scheduler/jobs/ID/progress``: how far a job is."""

from __future__ import annotations

import json

from jupyter_server.auth.decorator import authorized
from tornado import web

from argo_jupyter_scheduler.jobs.details import describe_progress
from argo_jupyter_scheduler.jupyter.handlers.base import SchedulerHandler


class ProgressHandler(SchedulerHandler):
    """Answers with the progress of a job."""

    _track_activity = False
    """A panel asks again and again while a job runs: that must not keep a server from being culled."""

    @web.authenticated
    @authorized
    async def get(self, job_id: str) -> None:
        """Answer with the progress of a job."""
        self.finish(json.dumps(await self.read(describe_progress, self.services.jobs, job_id)))

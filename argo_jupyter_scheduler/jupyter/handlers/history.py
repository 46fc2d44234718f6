"""``/argo-scheduler/definitions/ID/history``: how a job definition ran."""

from __future__ import annotations

import json

from jupyter_server.auth.decorator import authorized
from tornado import web

from argo_jupyter_scheduler.jobs.answers import History
from argo_jupyter_scheduler.jupyter.handlers.base import SchedulerHandler


class HistoryHandler(SchedulerHandler):
    """Answers with the last runs of a job definition."""

    @web.authenticated
    @authorized
    async def get(self, job_definition_id: str) -> None:
        """Answer with the runs, newest first."""
        runs = await self.read(self.services.views.show_history, job_definition_id)
        self.finish(json.dumps(History(runs=runs)))

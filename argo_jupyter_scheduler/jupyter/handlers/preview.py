"""``/argo-scheduler/schedule/preview``: when a schedule would run."""

from __future__ import annotations

import json

from jupyter_server.auth.decorator import authorized
from tornado import web

from argo_jupyter_scheduler.jupyter.handlers.base import SchedulerHandler


class PreviewHandler(SchedulerHandler):
    """Answers with the next times of a schedule."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with the times, or with the reason why a job definition would be refused."""
        schedule = self.get_query_argument("schedule", "", strip=False)
        timezone = self.get_query_argument("timezone", "")
        self.finish(json.dumps(await self.read(self.services.views.preview_schedule, schedule, timezone)))

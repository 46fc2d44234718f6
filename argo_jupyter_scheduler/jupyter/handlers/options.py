"""``/argo-scheduler/options``: what jobs can ask for."""

from __future__ import annotations

import json

from jupyter_server.auth.decorator import authorized
from tornado import web

from argo_jupyter_scheduler.jupyter.handlers.base import SchedulerHandler


class OptionsHandler(SchedulerHandler):
    """Answers with limits and defaults of this server."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with limits and defaults."""
        self.finish(json.dumps(await self.read(self.services.views.show_options)))

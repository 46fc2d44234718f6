"""``/argo-scheduler/notebook/parameters``: what a notebook can be given."""

from __future__ import annotations

import json

from jupyter_server.auth.decorator import authorized
from tornado import web

from argo_jupyter_scheduler.jupyter.handlers.base import SchedulerHandler


class ParametersHandler(SchedulerHandler):
    """Answers with the parameters of a notebook."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with the parameters of the notebook that the query names."""
        path = self.get_query_argument("path", "")
        self.finish(json.dumps(await self.read(self.services.views.show_parameters, path)))

"""``/argo-scheduler/metrics``: what Prometheus reads."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from prometheus_client import CONTENT_TYPE_LATEST
from tornado import web

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.jupyter.errors import NOT_FOUND
from argo_jupyter_scheduler.jupyter.handlers.base import SchedulerHandler


class MetricsHandler(SchedulerHandler):
    """Answers with the metrics, if the configuration allows it."""

    _track_activity = False
    """Prometheus asks again and again: that must not keep a server from being culled."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with all metrics as text."""
        metrics = self.services.metrics
        if metrics is None:
            raise web.HTTPError(NOT_FOUND, messages.server.METRICS_OFF)
        self.finish(await self.call(metrics.render), set_content_type=CONTENT_TYPE_LATEST)

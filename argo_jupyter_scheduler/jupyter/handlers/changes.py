"""``/argo-scheduler/changes``: the contents of the panel, as soon as they change. See docs/upstream.md#panel-does-not-reload."""

from __future__ import annotations

import asyncio
import json
import time

from jupyter_server.auth.decorator import authorized
from tornado import web

from argo_jupyter_scheduler.jupyter.handlers.base import SchedulerHandler

MAX_WAIT_SECONDS = 25.0
"""How long a request waits for a change; proxies end those of a minute."""

POLL_SECONDS = 0.4
"""How often a waiting request asks whether anything has changed."""


class ChangesHandler(SchedulerHandler):
    """Answers as soon as anything has changed."""

    _track_activity = False
    """A panel that is open waits day and night: that must not keep a server from being culled."""

    _is_abandoned = False

    def on_connection_close(self) -> None:
        """Stop waiting: the client has gone."""
        self._is_abandoned = True

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with what has changed since a token, or with everything."""
        changes, since = self.services.changes, self.get_query_argument("since", "")
        end = time.monotonic() + self.get_number("wait", MAX_WAIT_SECONDS, 0, MAX_WAIT_SECONDS)
        while not self._is_abandoned:
            is_over = time.monotonic() >= end
            if answer := await self.read(changes.collect, since, even_if_empty=is_over):
                self.finish(json.dumps(answer))
                return
            await asyncio.sleep(POLL_SECONDS)

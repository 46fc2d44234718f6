"""``/argo-scheduler/jobs/ID/log``: a part of what a job has printed."""

from __future__ import annotations

import json

from jupyter_server.auth.decorator import authorized
from tornado import web

from argo_jupyter_scheduler.jobs.details import read_log
from argo_jupyter_scheduler.jupyter.handlers.base import SchedulerHandler

MAX_OFFSET = 2**53
"""The largest whole number that JavaScript counts with."""

MIN_LIMIT, DEFAULT_LIMIT, MAX_LIMIT = 4, 2**16, 2**20
"""Bytes of an answer: at least one character, at most what a browser shows at once."""


class LogHandler(SchedulerHandler):
    """Answers with a part of a log."""

    _track_activity = False
    """A panel asks again and again while a job runs: that must not keep a server from being culled."""

    @web.authenticated
    @authorized
    async def get(self, job_id: str) -> None:
        """Answer with the part of a log that the query asks for."""
        offset = self.get_number("offset", 0, -MAX_OFFSET, MAX_OFFSET)
        limit = self.get_number("limit", DEFAULT_LIMIT, MIN_LIMIT, MAX_LIMIT)
        self.finish(json.dumps(await self.read(read_log, self.services.jobs, job_id, offset, limit)))

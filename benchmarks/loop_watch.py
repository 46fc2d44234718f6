"""A Jupyter server extension that measures for how long the server's event loop was blocked, for `scale.py`."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import psutil
from jupyter_server.base.handlers import APIHandler
from tornado.web import authenticated

PERIOD_SECONDS = 0.01


class Watch:
    """The observations since the last question.

    Attributes
    ----------
    blocked
        Seconds that a task came to its turn late, at most.
    """

    blocked = 0.0

    async def run(self) -> None:
        """Sleep again and again, and note how much longer it took."""
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(PERIOD_SECONDS)
            self.blocked = max(self.blocked, time.perf_counter() - begun - PERIOD_SECONDS)


class WatchHandler(APIHandler):  # type: ignore[misc]
    """Answers with what was seen since the last request, and with what the process has used."""

    @authenticated
    def get(self) -> None:
        """Answer, and begin anew."""
        watch: Watch = self.settings["loop_watch"]
        process = psutil.Process()
        used = process.cpu_times()
        seen = {"blocked_seconds": watch.blocked, "megabytes": process.memory_info().rss / 1e6}
        watch.blocked = 0.0
        self.finish(json.dumps({**seen, "cpu_seconds": used.user + used.system}))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "loop_watch"}]


def _load_jupyter_server_extension(app: Any) -> None:
    app.web_app.settings["loop_watch"] = watch = Watch()
    app.web_app.add_handlers(".*$", [(f"{app.base_url}loop-watch", WatchHandler)])
    app.io_loop.add_callback(watch.run)

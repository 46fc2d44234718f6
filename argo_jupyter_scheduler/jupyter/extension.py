"""The seam to Jupyter Server: the extension that serves what is below ``/argo-scheduler/``.

Jupyter-Scheduler's own extension makes the scheduler. Handlers look it up when they are asked, so the order in which the two
extensions are loaded does not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_server.utils import url_path_join

from argo_jupyter_scheduler.jupyter.handlers import ROUTES

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

PREFIX = "argo-scheduler"


def _load_jupyter_server_extension(server: ServerApp) -> None:
    """Add the handlers; Jupyter Server calls it."""
    base_url = server.web_app.settings["base_url"]
    server.web_app.add_handlers(
        ".*$", [(url_path_join(base_url, PREFIX, path), handler) for path, handler in ROUTES]
    )

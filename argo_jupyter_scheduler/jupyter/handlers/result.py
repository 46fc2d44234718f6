"""``/argo-scheduler/jobs/ID/result``: where the link of a notification leads."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.escape import url_escape

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.jobs.answers import Output
from argo_jupyter_scheduler.jupyter.errors import NOT_FOUND
from argo_jupyter_scheduler.jupyter.handlers.base import SchedulerHandler

PREFERRED = ("html", "ipynb")
"""Formats that a reader opens, the best one first."""


class ResultHandler(SchedulerHandler):
    """Downloads a job's files and shows its HTML in JupyterLab, else the notebook."""

    def get_login_url(self) -> str:
        """Return the page to log in: a person follows a link, while `APIHandler` answers programs with 403."""
        return str(super(APIHandler, self).get_login_url())

    @web.authenticated
    @authorized
    async def get(self, job_id: str) -> None:
        """Redirect to the file in JupyterLab."""
        path = _choose(await self.fetch_outputs(job_id))
        if not path:
            raise web.HTTPError(NOT_FOUND, messages.outputs.no_result(job_id))
        self.redirect(
            url_path_join(self.base_url, "lab/tree", url_escape(path, plus=False).replace("%2F", "/"))
        )


def _choose(outputs: Sequence[Output]) -> str:
    """Return the path of the file to show, within the root folder; empty where there is none."""
    paths = {output["format"]: output["path"] for output in outputs if output["path"]}
    return next((paths[name] for name in (*PREFERRED, *paths) if name in paths), "")

"""The handlers of the routes below ``/argo-scheduler/``.

Contract: a module a route. Each handler is a `base.SchedulerHandler`, and each of its methods has the decorators
``@web.authenticated`` and ``@authorized``, in this order. What blocks is called by `SchedulerHandler.call`, or by
`SchedulerHandler.read` where it only reads.

New code goes here when there is a new route: a module with its handler, and an entry in `ROUTES`.
"""

from __future__ import annotations

from argo_jupyter_scheduler.jupyter.handlers.apply import ApplyHandler, ExportHandler
from argo_jupyter_scheduler.jupyter.handlers.base import SchedulerHandler
from argo_jupyter_scheduler.jupyter.handlers.changes import ChangesHandler
from argo_jupyter_scheduler.jupyter.handlers.history import HistoryHandler
from argo_jupyter_scheduler.jupyter.handlers.job import JobHandler
from argo_jupyter_scheduler.jupyter.handlers.log import LogHandler
from argo_jupyter_scheduler.jupyter.handlers.metrics import MetricsHandler
from argo_jupyter_scheduler.jupyter.handlers.options import OptionsHandler
from argo_jupyter_scheduler.jupyter.handlers.outputs import OutputsHandler
from argo_jupyter_scheduler.jupyter.handlers.parameters import ParametersHandler
from argo_jupyter_scheduler.jupyter.handlers.preview import PreviewHandler
from argo_jupyter_scheduler.jupyter.handlers.progress import ProgressHandler
from argo_jupyter_scheduler.jupyter.handlers.rerun import RerunHandler
from argo_jupyter_scheduler.jupyter.handlers.result import ResultHandler

JOB = r"jobs/([^/]+)"
DEFINITION = r"definitions/([^/]+)"

ROUTES: list[tuple[str, type[SchedulerHandler]]] = [
    ("metrics", MetricsHandler),
    ("changes", ChangesHandler),
    (JOB, JobHandler),
    (f"{JOB}/progress", ProgressHandler),
    (f"{JOB}/log", LogHandler),
    (f"{JOB}/outputs", OutputsHandler),
    (f"{JOB}/rerun", RerunHandler),
    (f"{JOB}/result", ResultHandler),
    ("definitions/apply", ApplyHandler),
    ("definitions/export", ExportHandler),
    (f"{DEFINITION}/history", HistoryHandler),
    ("notebook/parameters", ParametersHandler),
    ("schedule/preview", PreviewHandler),
    ("options", OptionsHandler),
]
"""Paths below ``/argo-scheduler/``, as regular expressions, and their handlers."""

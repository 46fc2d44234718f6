"""The seam to Jupyter-Scheduler 3, which finds its backends by the entry point group `jupyter_scheduler.backends`.

Version 2 does not look at it. Whatever else version 3 asks of a backend belongs here.
"""

from __future__ import annotations

from typing import Any

from argo_jupyter_scheduler.steps.notebook.formats import list_output_formats

_Base: type[Any] = object
try:
    from jupyter_scheduler.base_backend import BaseBackend

    _Base = BaseBackend
except ImportError:  # Jupyter-Scheduler 2
    pass


class ArgoBackend(_Base):
    """Describes this package to Jupyter-Scheduler 3; the names of the attributes are those of its `BaseBackend`."""

    id = "argo"
    name = "Argo Workflows"
    description = "Runs notebooks on Argo Workflows, or on this machine where no Argo is configured"
    scheduler_class = "argo_jupyter_scheduler.scheduler.ArgoScheduler"
    execution_manager_class = "argo_jupyter_scheduler.executor.ArgoExecutor"
    file_extensions = ("ipynb",)
    output_formats = tuple(
        {"id": output_format, "label": label} for output_format, label in list_output_formats().items()
    )

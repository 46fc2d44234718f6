"""The execution manager that Jupyter-Scheduler calls. The import path of `ArgoExecutor` is public: Nebari names it."""

from __future__ import annotations

from collections.abc import Callable

import nbformat
from jupyter_scheduler.executors import ExecutionManager
from jupyter_scheduler.models import JobFeature

_SUPPORTED = {
    JobFeature.job_name,
    JobFeature.parameters,
    JobFeature.output_formats,
    JobFeature.job_definition,
    JobFeature.idempotency_token,
    JobFeature.tags,
    JobFeature.stop_job,
    JobFeature.delete_job,
}


class ArgoExecutor(ExecutionManager):
    """Says which features this backend has, and whether a notebook can be executed.

    The engines execute runs. `execute` serves those who use this class alone, with Jupyter-Scheduler's own `Scheduler`.
    """

    def execute(self) -> None:
        """Execute the job's notebook in this process.

        Raises
        ------
        RunError
            The notebook failed; Jupyter-Scheduler writes the message to the job's row.
        """
        import os

        from argo_jupyter_scheduler.steps import main, rename_files
        from argo_jupyter_scheduler.steps.context import Context
        from argo_jupyter_scheduler.storage.database import Database
        from argo_jupyter_scheduler.storage.folders import RunFolder

        staging_path = os.path.dirname(os.path.dirname(self.staging_paths["input"]))
        folder = RunFolder(staging_path, self.job_id)
        folder.private.mkdir(exist_ok=True)
        context = Context(self.job_id, Database(self.db_url), folder)
        try:
            main.run(context)
        finally:
            rename_files.run(context)

    # Handlers pass the class explicitly, so neither of the two may be a classmethod
    # (jupyter_scheduler.handlers.ConfigHandler and jupyter_scheduler.scheduler.Scheduler.create_job, 2.12):
    # docs/upstream.md#classes-passed-explicitly.

    def supported_features(cls) -> dict[JobFeature, bool]:  # noqa: N805
        """Return which fields the dialog shows."""
        return {feature: feature in _SUPPORTED for feature in JobFeature}

    def validate(cls, input_path: str) -> bool:  # noqa: N805
        """Return whether the file is a notebook; one without a kernel gets the environment's."""
        try:
            nbformat.read(input_path, as_version=4)
        except Exception:  # nbformat raises what its parsers raise
            return False
        return True


def find_executable_check(manager: type[ExecutionManager]) -> Callable[[str], bool] | None:
    """Return whether an execution manager accepts the file at a path; None for `ArgoExecutor`, which accepts every notebook."""
    if manager is ArgoExecutor:
        return None
    return lambda path: bool(manager.validate(manager, path))

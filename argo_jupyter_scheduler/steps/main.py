"""The step `main`: executes the notebook and converts it to the formats that were asked for."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
from papermill.exceptions import PapermillExecutionError
from sqlalchemy.exc import SQLAlchemyError

from argo_jupyter_scheduler.domain import options
from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import NotebookFailed, RunEnded, RunError
from argo_jupyter_scheduler.environments import kernels
from argo_jupyter_scheduler.environments.kernels import Kernel
from argo_jupyter_scheduler.environments.locations import locate
from argo_jupyter_scheduler.steps import termination as ending
from argo_jupyter_scheduler.steps.context import Context, log
from argo_jupyter_scheduler.steps.kernel import activation, limits
from argo_jupyter_scheduler.steps.notebook import convert, parameters
from argo_jupyter_scheduler.steps.notebook import papermill_in_environment as inside
from argo_jupyter_scheduler.storage.folders import NOT_SENT

COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
"""Control sequences of terminals (ECMA-48), which R's and Julia's errors have."""

FORMATS_SECONDS, LAST_SECONDS = 60, 15
"""How long the formats may take, at least, of a notebook whose run's time is limited, and of one that was ended."""


def run(context: Context) -> None:
    """Execute the run's notebook in its own folder.

    The executed notebook is written after each cell, so that there is something to show whatever happens.

    Raises
    ------
    NotebookFailed
        A cell raised, or the kernel died or could not be started.
    RunError
        The notebook was executed, but a format could not be made.
    RunEnded
        The process was told to end, or took too long.
    """
    if not context.database.mark_started(context.job_id):
        log.info("Job %s was stopped, deleted or has ended: nothing to do.", context.job_id)
        context.over = True
        return
    for name in ("result.json", NOT_SENT):  # an earlier attempt's
        (context.folder.private / name).unlink(missing_ok=True)
    job = context.database.get_job(context.job_id) or {}
    for warning in options.near_misses(job["tags"]):
        log.warning("%s", warning)
    threading.Thread(target=convert.warm_up, daemon=True).start()  # imports while the kernel works
    error: RunError | None = None
    try:
        with ending.by_signals(context.deadline, ending.PATIENCE):
            _execute(context, job)
    except RunError as failure:
        error = failure
    now, deadline = time.monotonic(), context.deadline
    if isinstance(error, RunEnded):
        deadline = now + LAST_SECONDS
    elif deadline:
        deadline = max(deadline, now + FORMATS_SECONDS)
    try:
        with ending.by_signals(deadline, patience=1):
            convert.convert(context.folder, job["input_filename"], job["output_formats"] or [])
    except RunError as failure:
        error = error or failure
    if not isinstance(error, RunEnded):  # why it was ended, others know better
        result = {"succeeded": error is None, "error": str(error) if error else None}
        context.folder.write("result.json", result)
    if error:
        raise error


def _execute(context: Context, job: dict[str, Any]) -> None:
    import papermill

    source = context.folder.path / job["input_filename"]
    output = context.folder.output("ipynb")
    output.unlink(missing_ok=True)
    notebook = nbformat.read(source, as_version=4)
    values = parameters.for_notebook(job["parameters"])
    settings = context.folder.read("run.json")
    environment = locate(job["runtime_environment_name"], settings)
    bounds = limits.of(job["compute_type"], settings)
    progress = _Progress(context, notebook)
    which = ""
    try:
        with parameters.as_environment(job["parameters"]):
            kernel = _kernel(notebook, environment, settings)
            which = f" (kernel '{kernel.name}' of environment '{environment.name}')"
            if settings.get("run_papermill_in_environment") and inside.is_possible(kernel):
                files = (_literal(source), _literal(output), context.folder)
                inside.execute(kernel, *files, values, bounds, progress)
                return
            from argo_jupyter_scheduler.steps.kernel import manager as kernel_manager

            shares_machine = "places" in settings  # on Argo, a pod's ports are its own
            manager = kernel_manager.LocalKernelManager if shares_machine else kernel_manager.RunKernelManager
            papermill.execute_notebook(
                _literal(source),
                _literal(output),
                parameters=values,
                kernel_name=kernel.name,
                language=kernel.language,
                cwd=str(context.folder.path),
                progress_bar=False,
                log_output=True,
                on_cell_start=progress,
                kernel_manager_class=activation.kernel_manager_class(kernel, bounds, manager),
            )
    except PapermillExecutionError as error:
        text = COLOURS.sub("", f"{error.ename}: {error.evalue}" if error.evalue else str(error.ename))
        number = progress.number_in_input(error.cell_index)
        raise NotebookFailed(f"{text} (cell {number}, In [{error.exec_count}])") from error
    except RunError:
        raise
    except Exception as error:  # kernel gone, no such kernel, no parameters in this language
        where = f" (cell {progress.number})" if progress.number else which
        if isinstance(error, RuntimeError) and "memory" in bounds:  # the kernel died; too little may be why
            where += f" (compute type {job['compute_type']}: {limits.size(bounds['memory'])} of memory)"
        raise NotebookFailed(f"{type(error).__name__}: {error}{where}") from error


class _Progress:
    """Writes which cell is being executed; the CLI shows it, and a kernel's death names it.

    Attributes
    ----------
    number
        The cell's number in the input notebook, from 1; 0 before the first.
    """

    def __init__(self, context: Context, notebook: nbformat.NotebookNode) -> None:
        self._context = context
        self.number = 0
        self._cells = len(notebook.cells)
        # papermill replaces the cell that an earlier run of it injected, else it adds one.
        self._adds = not any(_is_injected(cell) for cell in notebook.cells)
        self._added_at: int | None = None

    def number_in_input(self, cell_index: int) -> int:
        """Return which cell of the input, from 1, stands at `cell_index` of the executed notebook."""
        return cell_index + (0 if self._added_at is not None and self._added_at < cell_index else 1)

    def __call__(self, cell: Any, cell_index: int, **kwargs: Any) -> None:
        if self._adds and _is_injected(cell):
            self._added_at = cell_index
        self.number = self.number_in_input(cell_index)
        cells = self._cells + (self._added_at is not None)
        # A stop or a delete that the engine could not carry out ends the run here at the latest.
        if not self._is_live():
            raise RunEnded("The job was stopped or deleted while it ran.")
        self._context.folder.write("progress.json", {"cell": cell_index + 1, "cells": cells})

    def _is_live(self) -> bool:
        try:
            return self._context.database.is_live(self._context.job_id)
        except SQLAlchemyError as error:  # a database that is away for a moment ends no run
            log.warning("The job's row could not be read: %s", error)
            return True


def _is_injected(cell: Any) -> bool:
    return "injected-parameters" in cell.metadata.get("tags", [])


def _kernel(notebook: nbformat.NotebookNode, environment: Environment, settings: dict[str, Any]) -> Kernel:
    """Return the kernel: the environment's, of the notebook's own language."""
    if environment.is_own:
        kernel = kernels.choose_own(environment, notebook.metadata, settings.get("kernel"))
        if not activation.is_active(sys.prefix, os.environ):
            kernel = replace(kernel, prefix=sys.prefix)
    else:
        kernel = kernels.choose(environment, notebook.metadata)
    named, _ = kernels.notebook_kernel(notebook.metadata)
    if named and named.lower() != kernel.name.lower():
        log.info("The notebook names kernel '%s', and is executed with '%s'.", named, kernel.name)
    return kernel


def _literal(path: Path) -> str:
    """Return a path in which papermill, which calls ``str.format`` on paths, leaves braces alone."""
    return str(path).replace("{", "{{").replace("}", "}}")

"""Executes a run's notebook with papermill, and reports which cell is being executed."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError
from sqlalchemy.exc import SQLAlchemyError

from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import NotebookFailed, RunEnded, RunError
from argo_jupyter_scheduler.domain.messages import STOPPED_WHILE_RUNNING
from argo_jupyter_scheduler.domain.run_settings import LOCAL, RunSettings
from argo_jupyter_scheduler.environments import kernels
from argo_jupyter_scheduler.environments.kernels import Kernel
from argo_jupyter_scheduler.environments.locations import locate
from argo_jupyter_scheduler.steps.context import Context, log
from argo_jupyter_scheduler.steps.kernel import activation
from argo_jupyter_scheduler.steps.kernel.limits import KernelLimits, find_limits, format_size
from argo_jupyter_scheduler.steps.kernel.manager import make_manager_class
from argo_jupyter_scheduler.steps.notebook import papermill_in_environment, parameters
from argo_jupyter_scheduler.storage.schema import JobRow

TERMINAL_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
"""Control sequences of terminals (ECMA-48), which the errors of R and Julia contain."""

INJECTED_TAG = "injected-parameters"
"""papermill's tag of the cell that sets the parameters."""

PROGRESS = "progress.json"


def execute_notebook(context: Context, job: JobRow) -> None:
    """Execute the run's notebook in its own folder.

    The executed notebook is written after each cell, so that there is something to show whatever happens.

    Raises
    ------
    NotebookFailed
        A cell raised, or the kernel died or could not be started.
    EnvironmentUnusable
        The environment is missing, or has no kernel for the notebook.
    RunEnded
        The job was stopped or deleted.
    """
    source = context.folder.path / job.input_filename
    output = context.folder.output("ipynb")
    output.unlink(missing_ok=True)
    notebook = nbformat.read(source, as_version=4)
    values = parameters.for_notebook(job.parameters)
    settings = context.folder.read_settings()
    environment = locate(job.runtime_environment_name, settings)
    limits = find_limits(job.compute_type, settings)
    progress = Progress(context, notebook)
    kernel = None
    try:
        with parameters.as_environment(job.parameters):
            kernel = _choose_kernel(notebook, environment, settings)
            if settings.run_papermill_in_environment and papermill_in_environment.is_possible(kernel):
                paths = (_escape_braces(source), _escape_braces(output))
                papermill_in_environment.execute(kernel, *paths, context.folder, values, limits, progress)
                return
            papermill.execute_notebook(
                _escape_braces(source),
                _escape_braces(output),
                parameters=values,
                kernel_name=kernel.name,
                language=kernel.language,
                cwd=str(context.folder.path),
                progress_bar=False,
                log_output=True,
                on_cell_start=progress,
                kernel_manager_class=make_manager_class(
                    kernel, limits, shares_machine=settings.engine == LOCAL
                ),
            )
    except PapermillExecutionError as error:
        raise NotebookFailed(_describe_exception(error, progress)) from error
    except RunError:
        raise
    except Exception as error:  # kernel gone, no such kernel, no parameters in this language
        where = _describe_place(progress, kernel, environment)
        if isinstance(error, RuntimeError):  # the kernel died; too little memory may be the reason
            where += _describe_memory(job, limits)
        raise NotebookFailed(f"{type(error).__name__}: {error}{where}") from error


class Progress:
    """Reports which cell is being executed; the command line shows it, and a kernel's death names it.

    Parameters
    ----------
    context
        The run.
    notebook
        Its input.

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
        self._adds_cell = not any(_is_injected(cell) for cell in notebook.cells)
        self._added_at: int | None = None

    def number_in_input(self, cell_index: int) -> int:
        """Return which cell of the input, from 1, is at `cell_index` of the executed notebook."""
        is_after_added = self._added_at is not None and self._added_at < cell_index
        return cell_index + (0 if is_after_added else 1)

    def __call__(self, cell: Any, cell_index: int, **kwargs: Any) -> None:
        """Report that a cell begins.

        Raises
        ------
        RunEnded
            The job was stopped or deleted; a stop that the engine could not carry out ends the run here at the latest.
        """
        if self._adds_cell and _is_injected(cell):
            self._added_at = cell_index
        self.number = self.number_in_input(cell_index)
        cells = self._cells + (self._added_at is not None)
        if not self._is_live():
            raise RunEnded(STOPPED_WHILE_RUNNING)
        self._context.folder.write(PROGRESS, {"cell": cell_index + 1, "cells": cells})

    def _is_live(self) -> bool:
        try:
            return self._context.database.is_live(self._context.job_id)
        except SQLAlchemyError as error:  # a database that is away for a moment ends no run
            log.warning("The job's row could not be read: %s", error)
            return True


def _is_injected(cell: Any) -> bool:
    return INJECTED_TAG in cell.metadata.get("tags", [])


def _choose_kernel(
    notebook: nbformat.NotebookNode, environment: Environment, settings: RunSettings
) -> Kernel:
    """Return the kernel: the environment's, of the notebook's own language."""
    if environment.is_own:
        kernel = kernels.choose_own(environment, notebook.metadata, settings.kernel)
        if not activation.is_active(sys.prefix, os.environ):
            kernel = replace(kernel, prefix=sys.prefix)
    else:
        kernel = kernels.choose(environment, notebook.metadata)
    named, _ = kernels.notebook_kernel(notebook.metadata)
    if named and named.lower() != kernel.name.lower():
        log.info("The notebook names kernel '%s', and is executed with '%s'.", named, kernel.name)
    return kernel


def _describe_exception(error: PapermillExecutionError, progress: Progress) -> str:
    text = f"{error.ename}: {error.evalue}" if error.evalue else str(error.ename)
    number = progress.number_in_input(error.cell_index)
    return f"{TERMINAL_SEQUENCES.sub('', text)} (cell {number}, In [{error.exec_count}])"


def _describe_place(progress: Progress, kernel: Kernel | None, environment: Environment) -> str:
    if progress.number:
        return f" (cell {progress.number})"
    return f" (kernel '{kernel.name}' of environment '{environment.name}')" if kernel else ""


def _describe_memory(job: JobRow, limits: KernelLimits) -> str:
    if limits.memory is None:
        return ""
    return f" (compute type {job.compute_type}: {format_size(limits.memory)} of memory)"


def _escape_braces(path: Path) -> str:
    """Return a path as papermill, which calls ``str.format`` on paths, takes it."""
    return str(path).replace("{", "{{").replace("}", "}}")

"""Executes a run's notebook: its kernel, its parameters, its cells, and why it failed."""

from __future__ import annotations

import logging
import os
import re
import sys
from dataclasses import dataclass, replace
from typing import Any

import nbformat
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillException
from papermill.execute import (
    ERROR_ANCHOR_MSG,
    ERROR_MARKER_TAG,
    ERROR_MESSAGE_TEMPLATE,
    prepare_notebook_metadata,
    remove_error_markers,
)
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import NotebookFailed, RunError
from argo_jupyter_scheduler.domain.run_settings import LOCAL, RunSettings
from argo_jupyter_scheduler.environments import kernels
from argo_jupyter_scheduler.environments.kernels import Kernel
from argo_jupyter_scheduler.environments.locations import locate
from argo_jupyter_scheduler.steps.context import Context, log
from argo_jupyter_scheduler.steps.kernel import activation, death
from argo_jupyter_scheduler.steps.kernel.limits import KernelLimits, find_limits, format_size
from argo_jupyter_scheduler.steps.kernel.manager import RunKernelManager, make_manager_class
from argo_jupyter_scheduler.steps.notebook import papermill_in_environment, parameters
from argo_jupyter_scheduler.steps.notebook.client import (
    CellFailure,
    KernelSilent,
    RunClient,
    WholeFileManager,
    make_kernel_options,
)
from argo_jupyter_scheduler.steps.notebook.output_log import remove_terminal_sequences
from argo_jupyter_scheduler.steps.notebook.progress import Progress
from argo_jupyter_scheduler.steps.notebook.repair import UnusableNotebook, repair_notebook
from argo_jupyter_scheduler.storage.schema import JobRow

INPUT_ERRORS = ("StdinNotImplementedError", "EOFError")
"""What ``input()`` raises in a kernel whose client cannot answer."""

_GROUP_MEMBER = re.compile(r"\+-+ 1 -+\n(.*?)(?:\n[ |]*\+-+ \d|\n[ |]*\+-{8,}|\Z)", re.DOTALL)
"""The first member of an exception group, in a traceback as Python writes it."""


@dataclass
class Execution:
    """What is needed to execute a notebook, and to say why it failed.

    Attributes
    ----------
    context, job
        The run and its row.
    settings
        What the server wrote for it.
    notebook
        The input.
    environment, kernel
        Where it is executed.
    limits
        Of its kernel.
    progress
        Follows it.
    """

    context: Context
    job: JobRow
    settings: RunSettings
    notebook: nbformat.NotebookNode
    environment: Environment
    kernel: Kernel
    limits: KernelLimits
    progress: Progress

    @property
    def kernel_name(self) -> str:
        """The kernel as messages name it."""
        return f"kernel '{self.kernel.name}' of environment '{self.environment.name}'"


def execute_notebook(context: Context, job: JobRow) -> None:
    """Execute the run's notebook in its own folder.

    The executed notebook is written all the time, so that there is something to show whatever happens.

    Raises
    ------
    NotebookFailed
        A cell raised, or the kernel died or could not be started.
    EnvironmentUnusable
        The environment is missing, or has no kernel for the notebook.
    RunEnded
        The job was stopped or deleted.
    """
    logging.getLogger("papermill").setLevel(logging.ERROR)  # it warns of parameters that have no default
    context.folder.output("ipynb").unlink(missing_ok=True)
    notebook = read_notebook(context, job)
    settings = context.folder.read_settings()
    environment = locate(job.runtime_environment_name, settings)
    limits = find_limits(job.compute_type, settings)
    with parameters.as_environment(job.parameters):
        kernel = _choose_kernel(notebook, environment, settings)
        context.kernel_program = str(next(iter(kernel.spec.get("argv") or ()), ""))
        progress = Progress(context, notebook)
        execution = Execution(context, job, settings, notebook, environment, kernel, limits, progress)
        values = parameters.for_notebook(job.parameters, notebook, kernel.language)
        _log_beginning(execution, values)
        try:
            if settings.run_papermill_in_environment and papermill_in_environment.is_possible(kernel):
                _execute_in_environment(execution, values)
            else:
                _execute(execution, values)
        except RunError:
            raise
        except Exception as error:  # no such kernel, no parameters in this language
            place = (
                messages.cell_place(progress.number, None)
                if progress.number
                else f"({execution.kernel_name})"
            )
            name = "" if isinstance(error, PapermillException) else f"{type(error).__name__}: "
            raise NotebookFailed(f"{name}{error} {place}") from error
        finally:
            progress.finish()


def read_notebook(context: Context, job: JobRow) -> nbformat.NotebookNode:
    """Return the run's input; the log says what was repaired.

    Raises
    ------
    NotebookFailed
        It cannot be repaired.
    """
    try:
        content = (context.folder.path / job.input_filename).read_bytes().decode("utf-8-sig")
        notebook, repairs = repair_notebook(content)
    except (UnusableNotebook, UnicodeDecodeError) as error:
        raise NotebookFailed(f"'{job.input_filename}' cannot be executed: {error}") from error
    for repair in repairs:
        log.warning("The notebook was repaired: %s", repair)
    return notebook


def _execute(execution: Execution, values: dict[str, object]) -> None:
    """Execute the notebook with this environment's papermill and nbclient."""
    context, kernel = execution.context, execution.kernel
    source, output = context.folder.path / execution.job.input_filename, context.folder.output("ipynb")
    notebook = load_notebook_node(execution.notebook)
    if values:
        notebook = parameterize_notebook(notebook, values, kernel_name=kernel.name, language=kernel.language)
    notebook = remove_error_markers(prepare_notebook_metadata(notebook, str(source), str(output)))
    manager = WholeFileManager(notebook, output)
    shares_machine = execution.settings.engine == LOCAL
    manager_class = make_manager_class(kernel, execution.limits, shares_machine)
    client = RunClient(manager, execution.progress, **make_kernel_options(manager_class, kernel.name))
    memory = death.read_memory_state()
    manager.notebook_start()
    try:
        client.execute(cwd=str(context.folder.path))
    except KernelSilent as error:
        place = messages.cell_place(execution.progress.number, None)
        printed = remove_terminal_sequences(execution.progress.printed).strip()
        raise NotebookFailed(messages.kernel_silent(printed, place)) from error
    except (
        DeadKernelError,
        RuntimeError,
    ) as error:  # nbclient raises the latter for a kernel that cannot start
        if isinstance(error, DeadKernelError) or "died" in str(error):
            raise NotebookFailed(_explain_death(execution, manager_class, memory)) from error
        raise
    finally:
        manager.notebook_complete()
        manager.write()
    if client.failure and not client.failure.is_clean_exit:
        reason = _explain_failure(execution, notebook.cells, client.failure)
        _mark_failure(notebook, client.failure)
        manager.write()
        raise NotebookFailed(reason)


def _execute_in_environment(execution: Execution, values: dict[str, object]) -> None:
    """Execute the notebook with the chosen environment's papermill."""
    failure = papermill_in_environment.execute(
        execution.kernel,
        execution.notebook,
        execution.context.folder,
        values,
        execution.limits,
        execution.progress,
    )
    if failure and not failure.is_clean_exit:
        cells = nbformat.read(execution.context.folder.output("ipynb"), as_version=4).cells
        cells = [cell for cell in cells if ERROR_MARKER_TAG not in cell.metadata.get("tags", [])]
        raise NotebookFailed(_explain_failure(execution, cells, failure))


def _log_beginning(execution: Execution, values: dict[str, object]) -> None:
    job = execution.job
    log.info("Job: %s (%s), notebook %s", job.name or job.input_filename, job.job_id, job.input_filename)
    log.info(
        "Environment: %s, kernel %s (%s)",
        execution.environment.name,
        execution.kernel.name,
        execution.kernel.language,
    )
    log.info("Parameters: %s", ", ".join(values) or "none")


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
        log.warning(
            "The notebook names kernel '%s', which is not installed: it is executed with '%s'.",
            named,
            kernel.name,
        )
    return kernel


def _explain_failure(execution: Execution, cells: list[Any], failure: CellFailure) -> str:
    """Return why a cell failed, and which one."""
    cell = cells[failure.index]
    place = messages.cell_place(
        execution.progress.number_in_input(failure.index), cell.get("execution_count")
    )
    if failure.name in INPUT_ERRORS and (failure.name != "EOFError" or "input" in cell.source):
        return messages.input_requested(place)
    name, value = (remove_terminal_sequences(text).strip() for text in (failure.name, failure.value))
    if not name:  # a kernel of a shell has exit codes instead of exceptions
        lines = [line for line in cell.source.splitlines() if line.strip()]
        what = f": {lines[-1].strip()}" if lines else ""
        return (
            f"exit code {value}{what} {place}"
            if value.isdigit()
            else f"{value or 'The cell failed'}{what} {place}"
        )
    text = f"{name}: {value}" if value else name
    if name.endswith("ExceptionGroup"):
        text += _describe_first_member(cell, failure)
    return f"{text} {place}"


def _describe_first_member(cell: Any, failure: CellFailure) -> str:
    """Return the first member of an exception group, from where the kernel printed it."""
    printed = "".join(
        output.get("text", "") if output.output_type == "stream" else "\n".join(output.get("traceback", []))
        for output in cell.get("outputs", [])
    )
    match = _GROUP_MEMBER.search(remove_terminal_sequences(f"{failure.traceback}\n{printed}"))
    lines = [line.strip(" |") for line in match[1].splitlines()] if match else []
    member = next((line for line in reversed(lines) if line), "")
    return f"; the first is {member}" if member else ""


def _explain_death(
    execution: Execution, manager_class: type[RunKernelManager], before: death.MemoryState
) -> str:
    """Return why the kernel died, as far as the system says it."""
    cell, after = execution.progress.number, death.read_memory_state()
    if death.has_run_out_of_memory(before, after):
        return messages.out_of_memory(
            format_size(after.limit) if after.limit else "", cell, execution.kernel_name
        )
    message = messages.kernel_ended(
        death.describe_exit(manager_class.exit_code()), cell, execution.kernel_name
    )
    if execution.limits.memory is not None:
        message += messages.memory_is_limited(
            str(execution.job.compute_type), format_size(execution.limits.memory)
        )
    return message


def _mark_failure(notebook: nbformat.NotebookNode, failure: CellFailure) -> None:
    """Link the top of the notebook to the cell that failed, as papermill does."""
    count = notebook.cells[failure.index].get("execution_count")
    for index, text in ((failure.index, ERROR_ANCHOR_MSG), (0, ERROR_MESSAGE_TEMPLATE % count)):
        cell = nbformat.v4.new_markdown_cell(text)
        cell.metadata["tags"] = [ERROR_MARKER_TAG]
        notebook.cells.insert(index, cell)

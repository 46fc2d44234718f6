"""Executes a run's notebook: its kernel, its parameters, its cells, and why it failed."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import NotebookFailed, RunError
from argo_jupyter_scheduler.domain.run_settings import LOCAL, RunSettings
from argo_jupyter_scheduler.domain.text import shorten
from argo_jupyter_scheduler.environments import kernels
from argo_jupyter_scheduler.environments.kernels import Kernel
from argo_jupyter_scheduler.environments.locations import locate
from argo_jupyter_scheduler.steps.context import Context, log
from argo_jupyter_scheduler.steps.kernel import activation, death
from argo_jupyter_scheduler.steps.kernel.limits import KernelLimits, find_limits, format_size
from argo_jupyter_scheduler.steps.kernel.manager import RunKernelManager, started_kernel
from argo_jupyter_scheduler.steps.notebook import convert, parameters
from argo_jupyter_scheduler.steps.notebook.cells import CellFailure
from argo_jupyter_scheduler.steps.notebook.missing_files import find_missing, find_outside
from argo_jupyter_scheduler.steps.notebook.output_log import join_streams, remove_terminal_sequences
from argo_jupyter_scheduler.steps.notebook.progress import Progress
from argo_jupyter_scheduler.steps.notebook.repair import (
    UnusableNotebook,
    read_repaired,
    repair_json,
    shorten_repairs,
)
from argo_jupyter_scheduler.steps.scheduled_time import find_scheduled_time
from argo_jupyter_scheduler.storage.folders import TAKEN
from argo_jupyter_scheduler.storage.schema import JobRow

if TYPE_CHECKING:
    import nbformat

# papermill and nbformat are imported in the functions that need them: while the kernel starts, which takes as long.

INPUT_ERRORS = ("StdinNotImplementedError", "EOFError")
"""The error that ``input()`` raises in a kernel whose client cannot answer."""

MAX_REASON_CHARACTERS = 700
"""Of an exception's text in a message, which has room for the cell and a hint, too. The log has all of it."""

METADATA = "argo_jupyter_scheduler"
"""The key of an executed notebook's metadata that says which linked input, of which commit, it is."""

_GROUP_MEMBER = re.compile(r"\+-+ 1 -+\n(.*?)(?:\n[ |]*\+-+ \d|\n[ |]*\+-{8,}|\Z)", re.DOTALL)
"""The first member of an exception group, in a traceback as Python writes it."""


@dataclass
class Execution:
    """Everything that is needed to execute a notebook, and to explain a failure.

    Attributes
    ----------
    context, job
        The run and its row.
    settings
        The settings that the server wrote for it.
    environment, kernel
        Where it is executed.
    limits
        Of its kernel.
    progress
        Follows it.
    scheduled_time
        The moment that it is about; empty for none.
    """

    context: Context
    job: JobRow
    settings: RunSettings
    environment: Environment
    kernel: Kernel
    limits: KernelLimits
    progress: Progress
    scheduled_time: str = ""

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
    context.folder.output("ipynb").unlink(missing_ok=True)
    content = _read_input(context, job)
    settings = context.folder.read_settings()
    environment = locate(job.runtime_environment_name, settings)
    limits = find_limits(job.compute_type, settings)
    moment = find_scheduled_time(context.database, job, settings)
    with parameters.as_environment(job.parameters, context.folder.path / job.input_filename, moment):
        kernel = _choose_kernel(content["metadata"], environment, settings)
        context.kernel_program = str(next(iter(kernel.spec.get("argv") or ()), ""))
        progress = Progress(context)
        execution = Execution(context, job, settings, environment, kernel, limits, progress, moment)
        try:
            if settings.run_papermill_in_environment and kernels.has_own_papermill(kernel):
                _execute_in_environment(execution, content)
            else:
                _execute(execution, content)
        except RunError:
            raise
        except Exception as error:  # no such kernel, no parameters in this language
            place = (
                messages.notebooks.cell_place(progress.number, None)
                if progress.number
                else f"({execution.kernel_name})"
            )
            is_papermills = type(error).__module__ == "papermill.exceptions"
            reason = str(error) if is_papermills else messages.server.unexpected_error(error)
            raise NotebookFailed(f"{reason} {place}") from error
        finally:
            progress.finish()


def _read_input(context: Context, job: JobRow) -> dict[str, Any]:
    """Return the JSON of the run's input; the log says what was repaired."""
    try:
        text = (context.folder.path / job.input_filename).read_bytes().decode("utf-8-sig")
        content, repairs = repair_json(text)
    except (UnusableNotebook, UnicodeDecodeError) as error:
        raise NotebookFailed(messages.notebooks.unusable_notebook(job.input_filename, error)) from error
    _log_repairs(repairs)
    if taken := context.folder.read(
        TAKEN
    ):  # of a linked input: what was executed, for whoever reads the outputs
        content["metadata"][METADATA] = taken
    return content


def _prepare(
    execution: Execution, content: dict[str, Any]
) -> tuple[nbformat.NotebookNode, dict[str, object]]:
    """Return the notebook and its parameters; the run's log begins."""
    try:
        notebook, repairs = read_repaired(content)
    except UnusableNotebook as error:
        raise NotebookFailed(
            messages.notebooks.unusable_notebook(execution.job.input_filename, error)
        ) from error
    _log_repairs(repairs)
    values = parameters.for_notebook(
        execution.job.parameters, notebook, execution.kernel.language, execution.scheduled_time
    )
    execution.progress.follow(notebook)
    _log_beginning(execution, values)
    return notebook, values


def _execute(execution: Execution, content: dict[str, Any]) -> None:
    """Execute the notebook with this environment's papermill and nbclient."""
    folder, shares_machine = execution.context.folder, execution.settings.engine == LOCAL
    memory = death.read_memory_state()
    with started_kernel(execution.kernel, execution.limits, str(folder.path), shares_machine) as manager:
        notebook, values = _prepare(execution, content)
        _execute_in_kernel(execution, notebook, values, manager, memory)


def _execute_in_kernel(
    execution: Execution,
    notebook: nbformat.NotebookNode,
    values: dict[str, object],
    kernel: RunKernelManager,
    memory: death.MemoryState,
) -> None:
    from nbclient.exceptions import DeadKernelError
    from papermill.execute import prepare_notebook_metadata, remove_error_markers
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    from argo_jupyter_scheduler.steps.notebook.client import KernelSilent, RunClient, WholeFileManager

    logging.getLogger("papermill").setLevel(logging.ERROR)  # it warns of parameters that have no default
    context, spec = execution.context, execution.kernel
    source, output = context.folder.path / execution.job.input_filename, context.folder.output("ipynb")
    notebook = load_notebook_node(notebook)
    if values:
        notebook = parameterize_notebook(notebook, values, kernel_name=spec.name, language=spec.language)
    notebook = remove_error_markers(prepare_notebook_metadata(notebook, str(source), str(output)))
    record = WholeFileManager(notebook, output)
    client = RunClient(record, execution.progress, kernel)
    record.notebook_start()
    formats = execution.job.output_formats or ()
    threading.Thread(target=convert.warm_up, args=(formats,), daemon=True).start()  # while this one waits
    try:
        client.execute()
    except KernelSilent as error:
        place = messages.notebooks.cell_place(execution.progress.number, None)
        printed = remove_terminal_sequences(execution.progress.printed).strip()
        raise NotebookFailed(messages.notebooks.kernel_silent(printed, place)) from error
    except (DeadKernelError, RuntimeError) as error:  # the latter for a kernel that cannot start
        if isinstance(error, DeadKernelError) or "died" in str(error):
            raise NotebookFailed(_explain_death(execution, kernel, memory)) from error
        raise
    finally:
        record.notebook_complete()
        join_streams(notebook)  # not before: nbclient counts the outputs of a cell
        record.write()
    if client.failure and not client.failure.is_clean_exit:
        reason = _explain_failure(execution, notebook.cells, client.failure)
        _mark_failure(notebook, client.failure)
        record.write()
        raise NotebookFailed(reason)


def _execute_in_environment(execution: Execution, content: dict[str, Any]) -> None:
    """Execute the notebook with the chosen environment's papermill."""
    import nbformat
    from nbclient.exceptions import DeadKernelError
    from papermill.execute import remove_error_markers

    from argo_jupyter_scheduler.steps.notebook import papermill_in_environment

    notebook, values = _prepare(execution, content)
    folder, limits, progress = execution.context.folder, execution.limits, execution.progress
    try:
        failure = papermill_in_environment.execute(
            execution.kernel, notebook, folder, values, limits, progress
        )
    except DeadKernelError as error:
        how = death.describe_exit(None)
        message = messages.notebooks.kernel_ended(how, progress.number, execution.kernel_name)
        raise NotebookFailed(message) from error
    if failure and not failure.is_clean_exit:
        executed = nbformat.read(execution.context.folder.output("ipynb"), as_version=4)
        cells = remove_error_markers(executed).cells
        raise NotebookFailed(_explain_failure(execution, cells, failure))


def _log_repairs(repairs: list[str]) -> None:
    for repair in shorten_repairs(repairs):
        log.warning("The notebook was repaired: %s", repair)


def _log_beginning(execution: Execution, values: dict[str, object]) -> None:
    job = execution.job
    log.info("Job: %s (%s), notebook %s", job.name or job.input_filename, job.job_id, job.input_filename)
    log.info(
        "Environment: %s, kernel %s (%s)",
        execution.environment.name,
        execution.kernel.name,
        execution.kernel.language,
    )
    if execution.scheduled_time:
        log.info("Scheduled time: %s", execution.scheduled_time)
    log.info("Parameters: %s", ", ".join(values) or "none")


def _choose_kernel(metadata: dict[str, Any], environment: Environment, settings: RunSettings) -> Kernel:
    """Return the kernel: the environment's, of the notebook's own language."""
    if environment.is_own:
        kernel = kernels.choose_own(environment, metadata, settings.kernel)
        if not activation.is_active(sys.prefix, os.environ):
            kernel = replace(kernel, prefix=sys.prefix)
    else:
        kernel = kernels.choose(environment, metadata)
    if replaced := kernels.find_replaced(kernel, metadata):
        log.warning("%s", messages.notebooks.kernel_replaced(replaced, kernel.name))
    return kernel


def _explain_failure(execution: Execution, cells: list[Any], failure: CellFailure) -> str:
    """Return why a cell failed, and which one."""
    cell = cells[failure.index]
    place = messages.notebooks.cell_place(
        execution.progress.number_in_input(failure.index), cell.get("execution_count")
    )
    if failure.name in INPUT_ERRORS and (failure.name != "EOFError" or "input" in cell.source):
        return messages.notebooks.input_requested(place)
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
    text = f"{shorten(text, MAX_REASON_CHARACTERS)} {place}"
    if missing := find_missing(name, value, execution.settings.beside, execution.context.folder.path):
        return f"{text}.{messages.notebooks.lies_beside(missing)}"
    if outside := find_outside(name, value):
        return f"{text}.{messages.notebooks.leads_out(outside)}"
    return text


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


def _explain_death(execution: Execution, kernel: RunKernelManager, before: death.MemoryState) -> str:
    """Return why the kernel died, as far as the system says it."""
    cell, after = execution.progress.number, death.read_memory_state()
    if death.has_run_out_of_memory(before, after):
        return messages.notebooks.out_of_memory(
            format_size(after.limit) if after.limit else "", cell, execution.kernel_name
        )
    message = messages.notebooks.kernel_ended(
        death.describe_exit(kernel.exit_code()), cell, execution.kernel_name
    )
    if execution.limits.memory is not None:
        message += messages.notebooks.memory_is_limited(
            str(execution.job.compute_type), format_size(execution.limits.memory)
        )
    return message


def _mark_failure(notebook: nbformat.NotebookNode, failure: CellFailure) -> None:
    """Link the top of the notebook to the cell that failed, as papermill does."""
    import nbformat
    from papermill.execute import ERROR_ANCHOR_MSG, ERROR_MARKER_TAG, ERROR_MESSAGE_TEMPLATE

    count = notebook.cells[failure.index].get("execution_count")
    for index, text in ((failure.index, ERROR_ANCHOR_MSG), (0, ERROR_MESSAGE_TEMPLATE % count)):
        cell = nbformat.v4.new_markdown_cell(text)
        cell.metadata["tags"] = [ERROR_MARKER_TAG]
        notebook.cells.insert(index, cell)

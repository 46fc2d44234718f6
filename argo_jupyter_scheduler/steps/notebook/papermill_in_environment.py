"""Runs papermill itself in the chosen environment, where `run_papermill_in_environment` asks for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbclient.exceptions import DeadKernelError
from papermill.execute import remove_error_markers

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import NotebookFailed
from argo_jupyter_scheduler.environments.kernels import Kernel, python_of
from argo_jupyter_scheduler.steps.kernel import activation
from argo_jupyter_scheduler.steps.kernel.limits import KernelLimits, limit_process
from argo_jupyter_scheduler.steps.notebook.cells import CellFailure, CellObserver, tags_of
from argo_jupyter_scheduler.steps.notebook.output_log import remove_terminal_sequences
from argo_jupyter_scheduler.storage.atomic import write_whole
from argo_jupyter_scheduler.storage.folders import RunFolder

POLL_SECONDS = 0.5


def execute(
    kernel: Kernel,
    notebook: nbformat.NotebookNode,
    folder: RunFolder,
    values: dict[str, Any],
    limits: KernelLimits,
    observer: CellObserver,
) -> CellFailure | None:
    """Execute a notebook with the environment's own papermill; return why a cell failed, None if none did.

    Parameters
    ----------
    kernel
        One with a prefix.
    notebook
        The input, repaired.
    folder
        The run's.
    values
        The notebook's parameters.
    limits
        Limits of papermill's process, and so of its kernel.
    observer
        Follows the execution.

    Raises
    ------
    NotebookFailed
        papermill failed without a failed cell.
    DeadKernelError
        The kernel died.
    """
    source, output = folder.private / "input.ipynb", folder.output("ipynb")
    # Not on the command line, which every user of the machine sees.
    parameters = folder.private / "parameters.yaml"
    write_whole(parameters, yaml.safe_dump(values), private=True)
    write_whole(source, nbformat.writes(notebook), private=True)
    argv = [python_of(kernel.prefix), "-m", "papermill", _escape_braces(source), _escape_braces(output)]
    argv += ["--kernel", kernel.name, "--language", kernel.language, "--cwd", str(folder.path)]
    argv += ["--parameters_file", str(parameters), "--log-output", "--no-progress-bar"]
    follower = _Follower(output, observer)
    exit_code, last_line = _run_papermill(kernel, argv, folder.private, limits, follower)
    for path in (parameters, source):
        path.unlink()
    executed = follower.read_notebook()
    if exit_code and DeadKernelError.__name__ in last_line:
        raise DeadKernelError(last_line)
    failure = _find_failure(remove_error_markers(executed).cells) if executed is not None else None
    if exit_code and failure is None and not (executed and _is_complete(executed)):
        raise NotebookFailed(messages.notebooks.papermill_failed(exit_code, last_line))
    return failure


def _run_papermill(
    kernel: Kernel, argv: list[str], cwd: Path, limits: KernelLimits, follower: _Follower
) -> tuple[int, str]:
    """Run papermill in the kernel's environment; return its exit code and the last line that it logged."""
    environment = activation.variables(kernel.prefix, os.environ)
    # The environment's kernels come before the user's of the same name.
    environment["JUPYTER_PATH"] = os.path.join(kernel.prefix, "share", "jupyter")
    with subprocess.Popen(
        activation.command(kernel.prefix, argv),
        env=environment,
        cwd=cwd,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        limit_process(process.pid, limits)
        lines = [""]
        printer = threading.Thread(target=_copy, args=(process, lines), daemon=True)
        printer.start()
        try:
            while process.poll() is None:
                follower.report()
                printer.join(POLL_SECONDS)
            follower.report()
        finally:
            process.terminate()
    printer.join(1)
    return process.returncode, lines[-1]


def _find_failure(cells: list[Any]) -> CellFailure | None:
    """Return the first failure that papermill reports, but for cells that may fail."""
    for index, cell in enumerate(cells):
        if "raises-exception" in tags_of(cell):
            continue
        for output in cell.get("outputs") or []:
            if output.output_type == "error":
                return CellFailure(index, output.ename, output.evalue, "\n".join(output.traceback))
        if cell.metadata.get("papermill", {}).get("exception"):
            return CellFailure(index, *_read_printed_exception(cell))
    return None


def _read_printed_exception(cell: Any) -> tuple[str, str]:
    """Return type and text of an exception that the kernel only printed, such as ``UsageError: …``."""
    printed = "".join(output.get("text", "") for output in cell.get("outputs") or [])
    lines = [line.strip(" |") for line in remove_terminal_sequences(printed).splitlines()]
    exceptions = [
        line.partition(": ") for line in lines if re.match(r"[\w.]+(?:Error|Exception|Group): ", line)
    ]
    return (exceptions[0][0], exceptions[0][2]) if exceptions else ("CellExecutionError", "")


def _is_complete(notebook: nbformat.NotebookNode) -> bool:
    """Return whether papermill executed every cell; it fails after cells that may fail."""
    states = [
        cell.metadata.get("papermill", {}).get("status") for cell in remove_error_markers(notebook).cells
    ]
    return all(state in ("completed", "failed") for state in states)


def _escape_braces(path: Path) -> str:
    """Return a path as papermill, which calls ``str.format`` on paths, takes it."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _copy(process: subprocess.Popen[str], lines: list[str]) -> None:
    """Copy what papermill logs to this process's log, and keep its last line."""
    for line in process.stderr or ():
        sys.stderr.write(line)
        if line.strip():
            lines[:] = [line.strip()]


class _Follower:
    """Reports each cell that papermill has begun to execute, as its output shows."""

    def __init__(self, output: Path, observer: CellObserver) -> None:
        self._output = output
        self._observer = observer
        self._seen = 0

    def read_notebook(self) -> nbformat.NotebookNode | None:
        """Return the output as it is now; None where papermill has not written it yet."""
        try:
            return nbformat.read(self._output, as_version=4)
        except (OSError, ValueError):  # papermill does not write it whole
            return None

    def report(self) -> None:
        """Report the cells that were begun since the last call, and that time has passed."""
        self._report_begun_cells()
        self._observer.tick()

    def _report_begun_cells(self) -> None:
        notebook = self.read_notebook()
        if notebook is None:
            return
        for index, cell in enumerate(remove_error_markers(notebook).cells):
            begun = cell.metadata.get("papermill", {}).get("status") in ("running", "completed", "failed")
            if begun and index >= self._seen:
                self._seen = index + 1
                self._observer.begin_cell(cell, index)

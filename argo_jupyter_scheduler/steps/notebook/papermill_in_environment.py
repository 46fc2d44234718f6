"""Runs papermill itself in the chosen environment, where `run_papermill_in_environment` asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import yaml
from papermill.execute import raise_for_execution_errors, remove_error_markers

from argo_jupyter_scheduler.domain.errors import NotebookFailed
from argo_jupyter_scheduler.environments.kernels import Kernel, has_package, python_of
from argo_jupyter_scheduler.environments.locations import is_same_folder
from argo_jupyter_scheduler.steps.kernel import activation
from argo_jupyter_scheduler.steps.kernel.limits import KernelLimits, limit_process
from argo_jupyter_scheduler.storage.atomic import write_whole
from argo_jupyter_scheduler.storage.folders import RunFolder

POLL_SECONDS = 0.5


def is_possible(kernel: Kernel) -> bool:
    """Return whether a kernel's environment is another one, with a papermill of its own."""
    is_other = bool(kernel.prefix) and not is_same_folder(kernel.prefix, sys.prefix)
    return is_other and has_package(kernel.prefix, "papermill")


def execute(
    kernel: Kernel,
    source: str,
    output: str,
    folder: RunFolder,
    values: dict[str, Any],
    limits: KernelLimits,
    on_cell_start: Callable[..., None],
) -> None:
    """Execute a notebook with the environment's own papermill.

    Parameters
    ----------
    kernel
        One with a prefix.
    source, output
        As papermill takes paths.
    folder
        The run's.
    values
        The notebook's parameters.
    limits
        Limits of papermill's process, and so of its kernel.
    on_cell_start
        Called with each cell and its index once it is being executed.

    Raises
    ------
    papermill.exceptions.PapermillExecutionError
        A cell raised.
    NotebookFailed
        papermill failed in another way.
    """
    parameters = (
        folder.private / "parameters.yaml"
    )  # not on the command line, which every user of the machine sees
    write_whole(parameters, yaml.safe_dump(values))
    argv = [python_of(kernel.prefix), "-m", "papermill", source, output]
    argv += ["--kernel", kernel.name, "--language", kernel.language, "--cwd", str(folder.path)]
    argv += ["--parameters_file", str(parameters), "--log-output", "--no-progress-bar"]
    environment = activation.variables(kernel.prefix, os.environ)
    # The environment's kernels come before the user's of the same name.
    environment["JUPYTER_PATH"] = os.path.join(kernel.prefix, "share", "jupyter")
    with subprocess.Popen(
        activation.command(kernel.prefix, argv),
        env=environment,
        cwd=folder.private,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        limit_process(process.pid, limits)
        lines = [""]
        printer = threading.Thread(target=_copy, args=(process, lines), daemon=True)
        printer.start()
        follow = _Follower(folder.output("ipynb"), on_cell_start)
        try:
            while process.poll() is None:
                follow()
                printer.join(POLL_SECONDS)
            follow()
        finally:
            process.terminate()
    printer.join(1)
    parameters.unlink()
    executed = follow.notebook()
    if executed is not None:
        raise_for_execution_errors(remove_error_markers(executed), output)
    if process.returncode:
        raise NotebookFailed(
            f"papermill failed in the environment (exit code {process.returncode}): {lines[-1]}"
        )


def _copy(process: subprocess.Popen[str], lines: list[str]) -> None:
    """Copy what papermill logs to this process's log, and keep its last line."""
    for line in process.stderr or ():
        sys.stderr.write(line)
        if line.strip():
            lines[:] = [line.strip()]


class _Follower:
    """Reports each cell that papermill has begun to execute, as its output shows."""

    def __init__(self, output: Path, on_cell_start: Callable[..., None]) -> None:
        self._output = output
        self._on_cell_start = on_cell_start
        self._seen = 0

    def notebook(self) -> nbformat.NotebookNode | None:
        """Return the output as it is now; None where papermill has not written it yet."""
        try:
            return nbformat.read(self._output, as_version=4)
        except (OSError, ValueError):  # papermill does not write it whole
            return None

    def __call__(self) -> None:
        notebook = self.notebook()
        if notebook is None:
            return
        for index, cell in enumerate(remove_error_markers(notebook).cells):
            begun = cell.metadata.get("papermill", {}).get("status") in ("running", "completed", "failed")
            if begun and index >= self._seen:
                self._seen = index + 1
                self._on_cell_start(cell, index)

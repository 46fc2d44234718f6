"""conda: the environments that ``conda env list`` knows."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile

from argo_jupyter_scheduler.domain.errors import EnvironmentsUnknown
from argo_jupyter_scheduler.environments.locations import environment_at
from argo_jupyter_scheduler.environments.sources.source import Found

CONDA_SECONDS = 10.0
"""How long ``conda env list`` may take; it takes one or two seconds."""

_VARIABLES = ("CONDA_EXE", "MAMBA_EXE")
_PROGRAMS = ("conda", "mamba", "micromamba")


def find_conda_environments() -> Found:
    """Return the environments that conda, mamba or micromamba knows; without one of them, none.

    Raises
    ------
    EnvironmentsUnknown
        It failed, or did not answer in time.
    """
    program = _find_program()
    if program is None:
        return Found([])
    answer = _run([program, "env", "list", "--json"], CONDA_SECONDS)
    try:
        prefixes = [str(prefix) for prefix in json.loads(answer)["envs"]]
    except (ValueError, KeyError, TypeError) as error:
        raise EnvironmentsUnknown(
            f"`{program} env list --json` did not return a list of environments"
        ) from error
    return Found([environment_at(prefix, "conda") for prefix in prefixes if os.path.isdir(prefix)])


def _find_program() -> str | None:
    programs = [os.environ.get(variable) for variable in _VARIABLES]
    programs += [shutil.which(program) for program in _PROGRAMS]
    return next((program for program in programs if program and os.access(program, os.X_OK)), None)


def _run(command: list[str], limit_seconds: float) -> bytes:
    """Return the output of a command. When its time is over, it is killed with all that it started."""
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,  # not a pipe, which a child that is left behind would keep open
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise EnvironmentsUnknown(f"{command[0]} cannot be started: {error}") from error
        try:
            code = process.wait(limit_seconds)
        except subprocess.TimeoutExpired as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise EnvironmentsUnknown(
                f"`{' '.join(command)}` did not answer within {limit_seconds:g} s"
            ) from error
        if code:
            raise EnvironmentsUnknown(f"`{' '.join(command)}` failed (exit code {code})")
        output.seek(0)
        return output.read()

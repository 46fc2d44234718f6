"""Where environments are found: kernel specs, conda, and folders."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import EnvironmentsUnknown
from argo_jupyter_scheduler.environments.locations import existing, is_conda, is_environment

CONDA_SECONDS = 10.0
"""How long ``conda env list`` may take; it takes one or two seconds."""

PROJECT_FOLDERS = (".venv", "venv")
"""Where projects keep their virtual environment, by the conventions of venv, uv, poetry and pipenv."""

_KERNEL_FIELDS = ("argv", "language", "display_name", "interrupt_mode", "metadata")
"""What of a kernel spec is handed to a run; its environment variables are read from its file."""

_CONDA_VARIABLES = ("CONDA_EXE", "MAMBA_EXE")
_CONDA_PROGRAMS = ("conda", "mamba", "micromamba")

Found = tuple[list[Environment], str]
"""Environments, and what is wrong if something is."""


def own_environment() -> Environment:
    """Return the environment that this package is installed in."""
    return Environment(_name_of(sys.prefix), description=f"This server's own environment, {sys.prefix}")


def conda() -> Found:
    """Return the environments that conda, mamba or micromamba knows; without one of them, none.

    Raises
    ------
    EnvironmentsUnknown
        It failed, or did not answer in time.
    """
    program = _conda_program()
    if program is None:
        return [], ""
    answer = _output([program, "env", "list", "--json"], CONDA_SECONDS)
    try:
        listed = json.loads(answer)
        prefixes = [str(prefix) for prefix in listed["envs"]]
    except (ValueError, KeyError, TypeError) as error:
        raise EnvironmentsUnknown(
            f"`{program} env list --json` does not answer with a list of them"
        ) from error
    return [_of_prefix(prefix, "conda") for prefix in prefixes if os.path.isdir(prefix)], ""


def _conda_program() -> str | None:
    programs = [os.environ.get(variable) for variable in _CONDA_VARIABLES]
    programs += [shutil.which(program) for program in _CONDA_PROGRAMS]
    return next((program for program in programs if program and os.access(program, os.X_OK)), None)


def _output(command: list[str], seconds: float) -> bytes:
    """Return what a command prints; ended with all that it started when its time is over."""
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
            code = process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise EnvironmentsUnknown(f"`{' '.join(command)}` did not answer within {seconds:g} s") from error
        if code:
            raise EnvironmentsUnknown(f"`{' '.join(command)}` failed (exit code {code})")
        output.seek(0)
        return output.read()


def folders(patterns: Iterable[str], projects: Iterable[str]) -> Found:
    """Return the environments in the folders that are configured, here and in conda's own configuration.

    Parameters
    ----------
    patterns
        Full paths with ``{name}``.
    projects
        Folders with environments, or with projects that have one.
    """
    found = [
        Environment(one.name, one.prefix, description=f"Environment: {one.prefix}")
        for one in existing([*patterns, *(f"{folder}/{{name}}" for folder in _conda_folders())])
        if is_environment(one.prefix)
    ]
    for folder in projects:
        root = Path(folder).expanduser()
        with contextlib.suppress(OSError):
            for place in [root, *sorted(root.iterdir())]:
                found += _in_project(place)
    return found, ""


def _conda_folders() -> list[str]:
    """Return conda's ``envs_dirs``, without a conda to ask: its variables, its files, and where they are by default."""
    found = [os.path.join(sys.prefix, "envs"), "~/.conda/envs"]
    for variable in ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH"):
        found += os.environ.get(variable, "").split(os.pathsep)
    if root := os.environ.get("MAMBA_ROOT_PREFIX"):
        found.append(os.path.join(root, "envs"))
    for file in ("/etc/conda/.condarc", os.path.join(sys.prefix, ".condarc"), "~/.condarc"):
        found += _envs_dirs(Path(file).expanduser())
    full = [os.path.expanduser(os.path.expandvars(folder)) for folder in found if folder]
    return [folder.rstrip("/") for folder in dict.fromkeys(full) if os.path.isabs(folder)]


def _envs_dirs(file: Path) -> list[str]:
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return []
    listed = content.get("envs_dirs") if isinstance(content, dict) else None
    return [str(folder) for folder in listed] if isinstance(listed, list) else []


def _in_project(place: Path) -> list[Environment]:
    """Return a folder's environment: itself, its virtual one, or pixi's, under the names that their prompts have."""
    if is_environment(str(place)):
        return [_of_prefix(str(place), "environment")]
    found = [
        Environment(place.name, str(place / folder), description=f"Virtual environment: {place / folder}")
        for folder in PROJECT_FOLDERS
        if is_environment(str(place / folder))
    ]
    for prefix in sorted((place / ".pixi" / "envs").glob("*")):
        if is_conda(str(prefix)):
            name = place.name if prefix.name == "default" else f"{place.name}:{prefix.name}"
            found.append(Environment(name, str(prefix), description=f"pixi: {prefix}"))
    return found


def _of_prefix(prefix: str, kind: str) -> Environment:
    prefix = prefix.rstrip("/")
    return Environment(_name_of(prefix), prefix, description=f"{kind}: {prefix}")


def _name_of(prefix: str) -> str:
    """Return what conda calls an environment."""
    is_base = os.path.isdir(os.path.join(prefix, "condabin"))
    return "base" if is_base else os.path.basename(prefix.rstrip("/")) or prefix


def kernel_specs(manager: Any) -> Found:
    """Return the kernels that JupyterLab's launcher offers, but for this environment's own Python.

    Parameters
    ----------
    manager
        The server's kernel spec manager, such as one of ``nb_conda_kernels``; None for Jupyter's own.
    """
    if manager is None:
        from jupyter_client.kernelspec import KernelSpecManager

        manager = KernelSpecManager()
    found, broken = [], []
    for name in sorted(manager.find_kernel_specs()):
        try:
            spec = manager.get_kernel_spec(name)
            if not spec.argv:
                raise ValueError("it has no argv")
        except Exception as error:  # whatever a kernel spec manager stumbles over; the others are offered
            broken.append(f"kernel spec '{name}' is broken ({type(error).__name__}: {error})")
            continue
        if is_own_python(spec):
            continue
        fields = spec.to_dict()
        kernel = {
            "name": name,
            "resource_dir": spec.resource_dir,
            **{key: fields[key] for key in _KERNEL_FIELDS},
        }
        found.append(Environment(name, kernel=kernel, description=f"Kernel: {spec.display_name}"))
    return found, "; ".join(broken)


def is_own_python(spec: Any) -> bool:
    """Return whether a kernel spec starts the Python of this environment, with ipykernel and nothing else."""
    program, *words = spec.argv
    # Only the first module: `python -m nb_conda_kernels.runner … -m ipykernel_launcher` is another environment's.
    module = words[words.index("-m") :][1:2] if "-m" in words else []
    if module not in (["ipykernel_launcher"], ["ipykernel"]) or spec.env:
        return False
    # Jupyter takes a bare one of these for its own interpreter, see KernelManager.format_kernel_cmd.
    bare = ("python", f"python{sys.version_info[0]}", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    return program in bare or os.path.dirname(program) == os.path.dirname(sys.executable)

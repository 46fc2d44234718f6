"""Activates a kernel's environment as conda does it.

Variables, package and user settings and activation scripts are those of ``conda activate`` (see conda's *Deep dive into
activation*). They are read from the environment itself, in one shell that then becomes the kernel. The environment that is active
before, the server's own, is deactivated first. So no conda program is needed, which a pod may not have. ``conda run`` would cost
each run half a second, and stand between the kernel and its signals.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from argo_jupyter_scheduler.environments.locations import is_conda, is_same_folder, is_virtual

UNSET = "***unset***"
"""The value that conda writes for a variable that an environment removes."""

_ACTIVATE = """activate() {
  for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do
    . "$script"
  done
}
activate
exec "$@"
"""
"""Sources the scripts in the order of their names, in a function as conda does; the kernel keeps the shell's pid."""

_DEACTIVATE = """deactivate() {
  for script; do
    . "$script"
  done
}
deactivate "$@" >&2
exec env -0
"""
"""Sources deactivation scripts in the given order, and prints the variables that are left."""

DEACTIVATE_SECONDS = 20
"""How long deactivation scripts may take; usually they take milliseconds."""


def is_active(prefix: str, environ: Mapping[str, str]) -> bool:
    """Return whether an environment is active already, or cannot be activated, such as the system's Python."""
    if not is_conda(prefix) and not is_virtual(prefix):
        return True
    active = environ.get("CONDA_PREFIX" if is_conda(prefix) else "VIRTUAL_ENV")
    return bool(active and is_same_folder(active, prefix))


def variables(prefix: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of a process in an environment, without those that its scripts set.

    Parameters
    ----------
    environ
        The variables outside.
    """
    active = environ.get("CONDA_PREFIX")
    if active and is_conda(prefix) and not is_same_folder(active, prefix):
        environ = _deactivated(active, environ)
    inside = {key: value for key, value in environ.items() if key not in ("PYTHONHOME", "VIRTUAL_ENV")}
    inside["PATH"] = os.pathsep.join([os.path.join(prefix, "bin"), inside.get("PATH", os.defpath)])
    if not is_conda(prefix):
        return {**inside, "VIRTUAL_ENV": prefix} if is_virtual(prefix) else inside
    in_folder = os.path.basename(os.path.dirname(prefix)) == "envs"
    name = os.path.basename(prefix) if in_folder else prefix
    if os.path.isdir(os.path.join(prefix, "condabin")):
        name = "base"
    inside |= {
        "CONDA_PREFIX": prefix,
        "CONDA_DEFAULT_ENV": name,
        "CONDA_SHLVL": "1",
        "CONDA_PROMPT_MODIFIER": f"({name}) ",
    }
    for key, value in _settings(Path(prefix)).items():
        if value == UNSET:
            inside.pop(key, None)
        else:
            inside[key] = value
    return inside


def _deactivated(prefix: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables as they are once an active environment of conda's is left."""
    scripts = sorted(map(str, Path(prefix, "etc", "conda", "deactivate.d").glob("*.sh")), reverse=True)
    outside = _after(scripts, environ) if scripts else dict(environ)
    for name in _settings(Path(prefix)):
        outside.pop(name, None)
    folders = outside.get("PATH", os.defpath).split(os.pathsep)
    outside["PATH"] = os.pathsep.join(folder for folder in folders if folder != os.path.join(prefix, "bin"))
    # Others may be stacked beneath it; conda would return to them.
    return {
        name: value
        for name, value in outside.items()
        if not name.startswith(("CONDA_PREFIX_", "__CONDA_SHLVL_"))
    }


def _after(scripts: list[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables after shell scripts; as they were, if those fail."""
    shell = shutil.which("bash") or "/bin/sh"
    command = [shell, "-c", _DEACTIVATE, shell, *scripts]
    try:
        answer = subprocess.run(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=DEACTIVATE_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return dict(environ)
    pairs = (line.split("=", 1) for line in os.fsdecode(answer.stdout).split("\0") if "=" in line)
    return dict(pairs)


def _settings(prefix: Path) -> dict[str, str]:
    """Return the variables that packages, then the user (``conda env config vars``) set."""
    found: dict[str, str] = {}
    packages = sorted((prefix / "etc" / "conda" / "env_vars.d").glob("*.json"))
    for file in [*packages, prefix / "conda-meta" / "state"]:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            content = json.loads(file.read_text(encoding="utf-8"))
            given = content.get("env_vars", {}) if file.name == "state" else content
            found |= {str(key): str(value) for key, value in given.items()}
    return found


def command(prefix: str, argv: list[str]) -> list[str]:
    """Return the command that starts `argv` after an environment's activation scripts, if it has any."""
    if not is_conda(prefix) or not list(Path(prefix, "etc", "conda", "activate.d").glob("*.sh")):
        return argv
    shell = shutil.which("bash") or "/bin/sh"
    return [shell, "-c", _ACTIVATE, shell, *argv]

"""Folders: environments where the configuration, conda's own configuration, or a project says."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.environments.locations import environment_at, existing, is_conda, is_environment
from argo_jupyter_scheduler.environments.sources.source import Found

PROJECT_FOLDERS = (".venv", "venv")
"""Where projects keep their virtual environment, by the conventions of venv, uv, poetry and pipenv."""


def find_in_folders(patterns: Iterable[str], folders: Iterable[str]) -> Found:
    """Return the environments in configured folders, here and in conda's own configuration.

    Parameters
    ----------
    patterns
        Full paths with ``{name}``.
    folders
        Folders with environments, or with projects that have one.
    """
    found = [
        Environment(environment.name, environment.prefix, description=f"Environment: {environment.prefix}")
        for environment in existing([*patterns, *(f"{folder}/{{name}}" for folder in _conda_folders())])
        if is_environment(environment.prefix)
    ]
    for folder in folders:
        root = Path(folder).expanduser()
        with contextlib.suppress(OSError):
            for path in [root, *sorted(root.iterdir())]:
                found += _find_in_project(path)
    return Found(found)


def _conda_folders() -> list[str]:
    """Return conda's ``envs_dirs`` without asking conda: from its variables, its files, and its defaults."""
    found = [os.path.join(sys.prefix, "envs"), "~/.conda/envs"]
    for variable in ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH"):
        found += os.environ.get(variable, "").split(os.pathsep)
    if root := os.environ.get("MAMBA_ROOT_PREFIX"):
        found.append(os.path.join(root, "envs"))
    for file in ("/etc/conda/.condarc", os.path.join(sys.prefix, ".condarc"), "~/.condarc"):
        found += _read_envs_dirs(Path(file).expanduser())
    full = [os.path.expanduser(os.path.expandvars(folder)) for folder in found if folder]
    return [folder.rstrip("/") for folder in dict.fromkeys(full) if os.path.isabs(folder)]


def _read_envs_dirs(file: Path) -> list[str]:
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return []
    listed = content.get("envs_dirs") if isinstance(content, dict) else None
    return [str(folder) for folder in listed] if isinstance(listed, list) else []


def _find_in_project(path: Path) -> list[Environment]:
    """Return a folder's environment: itself, its virtual one, or pixi's, under the names that their prompts show."""
    if is_environment(str(path)):
        return [environment_at(str(path), "environment")]
    found = [
        Environment(path.name, str(path / folder), description=f"Virtual environment: {path / folder}")
        for folder in PROJECT_FOLDERS
        if is_environment(str(path / folder))
    ]
    for prefix in sorted((path / ".pixi" / "envs").glob("*")):
        if is_conda(str(prefix)):
            name = path.name if prefix.name == "default" else f"{path.name}:{prefix.name}"
            found.append(Environment(name, str(prefix), description=f"pixi: {prefix}"))
    return found

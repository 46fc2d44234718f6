"""What is refused before anything is stored."""

from __future__ import annotations

import json
import keyword
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.run_settings import SlackSettings
from argo_jupyter_scheduler.domain.text import nearest_names
from argo_jupyter_scheduler.environments import kernels
from argo_jupyter_scheduler.environments.locations import is_visible
from argo_jupyter_scheduler.notify import slack

NAME_LENGTH = 256
"""Characters in the column ``name`` (``jupyter_scheduler.orm.CommonColumns``)."""

FILENAME_BYTES = 255
"""The most that a file's name can have on the usual file systems."""


def input_path(root_dir: str, input_uri: str) -> Path:
    """Return the full path of an input within Jupyter's root folder.

    Raises
    ------
    InvalidJob
        It is missing, no file, or lies elsewhere.
    """
    root = Path(root_dir).expanduser()
    path = Path(os.path.normpath(root / (input_uri or "").lstrip("/")))
    if not path.is_relative_to(os.path.normpath(root)):
        raise InvalidJob(f"Input path '{input_uri}' is outside the root folder of this Jupyter server.")
    if not path.is_file():
        raise InvalidJob(f"Input path '{input_uri}' does not exist.")
    return path


def input_filename(name: str) -> str:
    """Return the name under which an input is staged.

    Raises
    ------
    InvalidJob
        It is not a plain file name: it could lead out of the staging folder.
    """
    if name in ("", ".", "..") or any(mark in name for mark in ("/", "\\", "\0")):
        raise InvalidJob(f"'{name[:80]}' is not a plain file name. Give input_filename without a folder.")
    try:
        length = len(os.fsencode(name))
    except UnicodeEncodeError:
        raise InvalidJob("input_filename has characters that no file name can have.") from None
    if length > FILENAME_BYTES:
        raise InvalidJob(f"input_filename has {length} bytes; a file name can have {FILENAME_BYTES}.")
    return name


def fields(
    values: Mapping[str, Any],
    path: Path,
    environments: Any,
    slack_settings: SlackSettings,
    shares_machine: bool,
) -> None:
    """Check what a user asks for; what is not among the values is not looked at.

    Parameters
    ----------
    values
        Fields of a job or a job definition: ``name``, ``output_formats``, ``runtime_environment_name``, ``parameters``.
    path
        The input's full path.
    environments
        The environment manager.
    slack_settings
        What the server's configuration says of messages to Slack.
    shares_machine
        Whether runs are on this server's machine.

    Raises
    ------
    InvalidJob
        With the reason.
    """
    name(values.get("name"))
    _known(values.get("output_formats") or [], environments.output_formats_mapping(), "output format")
    if "runtime_environment_name" in values:
        environment(values["runtime_environment_name"], notebook_metadata(path), environments, shares_machine)
    if "parameters" in values:
        _, language = kernels.notebook_kernel(notebook_metadata(path))
        _parameters(values["parameters"] or {}, python=language in ("", "python"))
        slack.check(values["parameters"] or {}, slack_settings)


def compute_type(name: str, known: Iterable[str]) -> None:
    """Check a compute type.

    Raises
    ------
    InvalidJob
        There is no such one.
    """
    if name:
        _known([name], known, "compute type")


def environment(name: str, metadata: dict[str, Any], environments: Any, shares_machine: bool) -> None:
    """Check an environment, as far as this server sees it: it is there, and has a kernel for the notebook.

    What kernels this package's own environment has elsewhere, in an image of the pods, only a run can tell.

    Raises
    ------
    InvalidJob, EnvironmentUnusable
        With the reason.
    """
    if not hasattr(environments, "find"):  # another environment manager
        _known([name], [one.name for one in environments.list_environments()], "environment")
        return
    found: Environment = environments.find(name)
    if found.is_own:
        if shares_machine:
            kernel, _ = kernels.notebook_kernel(metadata)
            known = environments.run_settings(name, kernel).get("kernel")
            kernels.choose_own(found, metadata, known)
        return
    if found.kernel or os.path.isdir(found.prefix):
        kernels.choose(found, metadata)
    elif is_visible(found.prefix):
        raise InvalidJob(f"Environment '{name}' is not there any more: there is no folder {found.prefix}.")


def name(value: str | None) -> None:
    """Check a job's name.

    Raises
    ------
    InvalidJob
        It is longer than the database takes.
    """
    if value is not None and len(value) > NAME_LENGTH:
        raise InvalidJob(f"The name has {len(value)} characters; {NAME_LENGTH} are possible.")


def notebook_metadata(path: Path) -> dict[str, Any]:
    """Return a notebook's metadata.

    Raises
    ------
    InvalidJob
        It is no notebook, or damaged.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InvalidJob(f"'{path.name}' is not a notebook: {error}") from error
    if not isinstance(notebook, dict) or "nbformat" not in notebook:
        raise InvalidJob(f"'{path.name}' is not a notebook.")
    metadata = _section(notebook, "metadata")
    for key in ("kernelspec", "language_info"):
        _section(metadata, key)
    return metadata


def _section(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key) or {}
    if not isinstance(value, dict):
        raise InvalidJob(f"The notebook is damaged: its {key} is no object.")
    return value


def _known(names: Iterable[str], known: Iterable[str], what: str) -> None:
    known = list(known)
    for one in names:
        if one not in known:
            raise InvalidJob(f"There is no {what} '{one}'. Possible: {nearest_names(one, known)}.")


def _parameters(parameters: dict[str, Any], python: bool) -> None:
    for key, value in parameters.items():
        if not key or "=" in key or "\0" in key or key != key.strip():
            raise InvalidJob(f"'{key}' cannot be the name of a parameter.")
        if python and (not key.isidentifier() or keyword.iskeyword(key)):
            raise InvalidJob(f"'{key}' cannot be the name of a parameter: it is no variable name in Python.")
        if "\0" in str(value):
            raise InvalidJob(f"The value of parameter '{key}' has a NUL character.")

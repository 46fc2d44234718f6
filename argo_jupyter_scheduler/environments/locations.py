"""The places of environments on disk.

The server uses this to offer and check environments, a step to find the environment of its run. What the server knows about that
reaches the step in ``run.json``, together with patterns for an environment that the server did not find.
"""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Iterable, Sequence

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import EnvironmentUnusable
from argo_jupyter_scheduler.domain.run_settings import RunSettings

MAX_NAME_CHARACTERS = 256
"""How many characters fit into the column ``runtime_environment_name`` (``jupyter_scheduler.orm.CommonColumns``)."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def is_same_folder(path: str, other: str) -> bool:
    """Return whether two paths lead to one folder."""
    return os.path.realpath(path) == os.path.realpath(other)


def is_conda(prefix: str) -> bool:
    """Return whether a folder is an environment made by conda, mamba or pixi."""
    return any(os.path.isdir(os.path.join(prefix, *folder)) for folder in (("conda-meta",), ("etc", "conda")))


def is_virtual(prefix: str) -> bool:
    """Return whether a folder is a virtual environment (PEP 405)."""
    return os.path.isfile(os.path.join(prefix, "pyvenv.cfg"))


def is_environment(prefix: str) -> bool:
    """Return whether a folder can be offered as an environment: conda's, a virtual one, or another installation of Python."""
    return is_conda(prefix) or is_virtual(prefix) or os.path.isfile(os.path.join(prefix, "bin", "python"))


def is_python_gone(prefix: str) -> bool:
    """Return whether the Python of an environment that is visible here was removed, as an upgrade of Python leaves a virtual one.

    An environment of conda without Python may have kernels of other languages.
    """
    python = os.path.join(prefix, "bin", "python")
    if os.path.exists(python) or not os.path.isdir(prefix):
        return False
    return os.path.islink(python) or is_virtual(prefix)


def own_environment() -> Environment:
    """Return the environment that this package is installed in."""
    return Environment(_name_of(sys.prefix), description=f"This server's own environment, {sys.prefix}")


def environment_at(prefix: str, kind: str) -> Environment:
    """Return the environment in a folder, under the name that conda would give it.

    Parameters
    ----------
    prefix
        The folder.
    kind
        The dialog's words for environments of this kind.
    """
    prefix = prefix.rstrip("/")
    return Environment(_name_of(prefix), prefix, description=f"{kind}: {prefix}")


def _name_of(prefix: str) -> str:
    is_base = os.path.isdir(os.path.join(prefix, "condabin"))
    return "base" if is_base else os.path.basename(prefix.rstrip("/")) or prefix


def is_name(text: str) -> bool:
    """Return whether `text` can be one part of a path, and leads nowhere else."""
    return (
        text not in ("", ".", "..")
        and "/" not in text
        and text.isprintable()
        and len(text) <= MAX_NAME_CHARACTERS
    )


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that cannot name an environment.

    Raises
    ------
    ValueError
        It is not a full path, or does not have the right placeholders.
    """
    known = {"name", "namespace"}
    names = set(_PLACEHOLDER.findall(pattern))
    if not os.path.isabs(pattern) or "name" not in names or not names <= known:
        raise ValueError(
            f"'{pattern}' must be a full path with {{name}} in it, such as /opt/conda/envs/{{name}}; "
            "{namespace} is allowed too, for conda-store."
        )


def expand(pattern: str, **values: str) -> str:
    """Return a pattern with its placeholders replaced by values."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], pattern)


def candidates(patterns: Iterable[str], name: str) -> list[str]:
    """Return where an environment of this name can lie.

    conda-store's environments are shown as ``{namespace}-{name}``, and either part may have hyphens. Ambiguous ones are shown as
    ``{namespace}/{name}``.
    """
    found = []
    for pattern in patterns:
        if "{namespace}" in pattern:
            separator = "/" if "/" in name else "-"
            parts = name.split(separator)
            for cut in range(1, len(parts)):
                namespace, rest = separator.join(parts[:cut]), separator.join(parts[cut:])
                if is_name(namespace) and is_name(rest):
                    found.append(expand(pattern, namespace=namespace, name=rest))
        elif is_name(name):
            found.append(expand(pattern, name=name))
    return found


def existing(patterns: Iterable[str]) -> list[Environment]:
    """Return the environments on disk that match the patterns. Several may have the same name."""
    found = []
    for pattern in patterns:
        expression, wildcard = "", ""
        seen: list[str] = []
        for number, part in enumerate(_PLACEHOLDER.split(pattern)):  # text and placeholders in turn
            if number % 2 == 0:
                expression += re.escape(part)
                wildcard += glob.escape(part)
            else:  # a placeholder that appears twice must match the same text both times
                expression += f"(?P={part})" if part in seen else f"(?P<{part}>[^/]+)"
                wildcard += "*"
                seen.append(part)
        for prefix in sorted(glob.glob(wildcard)):
            match = re.fullmatch(expression, prefix)
            if match and os.path.isdir(prefix):
                name = "-".join(match[part] for part in ("namespace", "name") if part in seen)
                found.append(Environment(name, prefix))
    return found


def is_visible(prefix: str) -> bool:
    """Return whether this machine sees the folder above an environment, so an environment missing here is missing everywhere."""
    return os.path.isdir(os.path.dirname(prefix.rstrip("/")))


def locate(name: str, settings: RunSettings) -> Environment:
    """Return a run's environment, on the machine where it runs.

    Parameters
    ----------
    name
        The row's ``runtime_environment_name``.
    settings
        The run's settings.

    Raises
    ------
    EnvironmentUnusable
        It is not there. The message has its name, where it was looked for, and the nearest names.
    """
    found = settings.environment
    if found is not None and found.name == name:
        if found.kernel or found.is_own or os.path.isdir(found.prefix):
            return found
        paths = [found.prefix]
    elif settings.own_environment in (None, name):
        return Environment(name)
    else:
        paths = candidates(settings.environment_patterns, name)
        prefixes = [path for path in paths if os.path.isdir(path)]
        if len(prefixes) > 1:
            raise EnvironmentUnusable(messages.environments.environment_ambiguous(name, prefixes))
        if prefixes:
            return Environment(name, prefixes[0])
    raise EnvironmentUnusable(_not_found(name, paths, settings))


def _not_found(name: str, paths: Sequence[str], settings: RunSettings) -> str:
    others = [environment.name for environment in existing(settings.environment_patterns)]
    for path in paths:
        folder = os.path.dirname(path.rstrip("/"))
        if os.path.isdir(folder):
            others += [entry for entry in os.listdir(folder) if os.path.isdir(os.path.join(folder, entry))]
    if settings.own_environment:
        others.append(settings.own_environment)
    return messages.environments.environment_not_found_by_run(name, paths, others)

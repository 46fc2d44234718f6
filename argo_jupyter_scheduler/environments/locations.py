"""Runtime environments and where they lie on disk.

Server and steps both use this: the server offers and checks environments, a step finds the one of its run. What the server
knows of it reaches the step in ``run.json``; the patterns come along for a run whose definition has changed meanwhile.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import EnvironmentUnusable
from argo_jupyter_scheduler.domain.text import nearest_names

NAME_LENGTH = 256
"""Characters in the column ``runtime_environment_name`` (``jupyter_scheduler.orm.CommonColumns``)."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def same(one: str, other: str) -> bool:
    """Return whether two paths lead to one folder."""
    return os.path.realpath(one) == os.path.realpath(other)


def is_conda(prefix: str) -> bool:
    """Return whether a folder is an environment made by conda, mamba or pixi."""
    return any(os.path.isdir(os.path.join(prefix, *folder)) for folder in (("conda-meta",), ("etc", "conda")))


def is_virtual(prefix: str) -> bool:
    """Return whether a folder is a virtual environment (PEP 405)."""
    return os.path.isfile(os.path.join(prefix, "pyvenv.cfg"))


def is_environment(prefix: str) -> bool:
    """Return whether a folder can be offered as an environment: one of these, or another installation of Python."""
    return is_conda(prefix) or is_virtual(prefix) or os.path.isfile(os.path.join(prefix, "bin", "python"))


def is_name(text: str) -> bool:
    """Return whether `text` can be a part of a path and leads nowhere else."""
    return text not in ("", ".", "..") and "/" not in text and text.isprintable() and len(text) <= NAME_LENGTH


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that names no environment.

    Raises
    ------
    ValueError
        With the reason.
    """
    known = {"name", "namespace"}
    names = set(_PLACEHOLDER.findall(pattern))
    if not os.path.isabs(pattern) or "name" not in names or not names <= known:
        raise ValueError(
            f"'{pattern}' must be a full path with {{name}} in it, such as /opt/conda/envs/{{name}}; "
            "{namespace} is possible for conda-store."
        )


def expand(pattern: str, **values: str) -> str:
    """Return a pattern with its placeholders replaced, each by a value as it is."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], pattern)


def candidates(patterns: Iterable[str], name: str) -> list[str]:
    """Return where an environment of this name can lie.

    conda-store's environments are shown as ``{namespace}-{name}``, in which either part may have hyphens, or as
    ``{namespace}/{name}`` where that is ambiguous.
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
    """Return the environments that the patterns find on disk; several may have the same name."""
    found = []
    for pattern in patterns:
        expression, wildcard = "", ""
        seen: list[str] = []
        for number, part in enumerate(_PLACEHOLDER.split(pattern)):  # text and placeholders in turn
            if number % 2 == 0:
                expression += re.escape(part)
                wildcard += glob.escape(part)
            else:  # one that stands twice must be the same text both times
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
    """Return whether this machine sees where an environment lies, so that its absence here tells that it is nowhere."""
    return os.path.isdir(os.path.dirname(prefix.rstrip("/")))


def settings_of(environment: Environment) -> dict[str, Any]:
    """Return what ``run.json`` has of an environment, for `locate`."""
    return {key: value for key, value in asdict(environment).items() if key != "description"}


def locate(name: str, settings: Mapping[str, Any]) -> Environment:
    """Return a run's environment, on the machine where it runs.

    Parameters
    ----------
    name
        The row's ``runtime_environment_name``.
    settings
        The content of ``run.json``.

    Raises
    ------
    EnvironmentUnusable
        It is not there: with its name, where it was looked for, and the nearest names.
    """
    found = settings.get("environment") or {}
    if found.get("name") == name:
        environment = Environment(**found)
        if environment.kernel or environment.is_own or os.path.isdir(environment.prefix):
            return environment
        places = [environment.prefix]
    elif name == settings.get("own_environment", name):
        return Environment(name)
    else:
        places = candidates(settings.get("environment_patterns", []), name)
        prefixes = [place for place in places if os.path.isdir(place)]
        if len(prefixes) > 1:
            raise EnvironmentUnusable(f"Environment '{name}' is ambiguous: it is {' and '.join(prefixes)}.")
        if prefixes:
            return Environment(name, prefixes[0])
    raise EnvironmentUnusable(_not_found(name, places, settings))


def _not_found(name: str, places: Sequence[str], settings: Mapping[str, Any]) -> str:
    others = [one.name for one in existing(settings.get("environment_patterns", []))]
    for place in places:
        folder = os.path.dirname(place.rstrip("/"))
        if os.path.isdir(folder):
            others += [one for one in os.listdir(folder) if os.path.isdir(os.path.join(folder, one))]
    if settings.get("own_environment"):
        others.append(settings["own_environment"])
    looked = " and ".join(places) or "a folder of this name, which cannot be one's"
    return (
        f"Environment '{name}' is not there: looked for {looked}. It may have been removed or renamed, or is not mounted where "
        f"the notebook runs. There: {nearest_names(name, others)}."
    )

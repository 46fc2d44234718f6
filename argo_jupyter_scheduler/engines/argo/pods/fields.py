"""Reads parts of a pod, whose types and names of fields are those of hera's models.

A field that these models do not know, such as that of a newer Kubernetes, is passed on as it is: the cluster judges it. Fields may
also have Python's names (``env_from``), as in KubeSpawner. A ``ValueError`` says what is wrong, and where in the part.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject

_AMOUNTS = frozenset({"limits", "requests", "sizeLimit", "size_limit"})
"""Fields whose numbers hera's models want as texts; Kubernetes takes both."""

_ABBREVIATIONS = {"hostIpc": "hostIPC", "hostPid": "hostPID", "setHostnameAsFqdn": "setHostnameAsFQDN"}
"""Names of fields that do not follow from Python's."""


def to_list(value: Any) -> list[Any]:
    """Return a list, or the values of a mapping in the order of its keys: KubeSpawner takes either."""
    if isinstance(value, Mapping):
        return [value[key] for key in sorted(value, key=str)]
    if isinstance(value, (list, tuple)):
        return list(value)
    raise ValueError(f"{value!r} is not a list")


def to_field_name(key: str) -> str:
    """Return ``env_from`` as ``envFrom``; Kubernetes' own names stay as they are."""
    name = re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), key)
    return _ABBREVIATIONS.get(name, name)


def read_fields(value: Any, refused: Collection[str] = ()) -> KubernetesObject:
    """Return a mapping with Kubernetes' names of fields.

    Parameters
    ----------
    refused
        Fields that a configuration cannot have.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is not a mapping")
    found = {to_field_name(str(key)): content for key, content in value.items()}
    for name in found:
        if name in refused:
            raise ValueError(f"'{name}' cannot be set here: this package or Argo sets it")
    return found


def read_parts(kind: type[BaseModel], value: Any, unique: str = "") -> list[KubernetesObject]:
    """Return parts of one kind; an error names the place of the wrong one.

    Parameters
    ----------
    unique
        The field in which no two parts may have the same value; empty for none.
    """
    found: list[KubernetesObject] = []
    for place, content in enumerate(to_list(value)):
        try:
            part = read_part(kind, content)
        except ValueError as error:
            raise ValueError(f"[{place}]: {error}") from None
        if unique and any(part[unique] == other[unique] for other in found):
            raise ValueError(f"two have the {unique} '{part[unique]}'")
        found.append(part)
    return found


def read_part(kind: type[BaseModel], value: Any) -> KubernetesObject:
    """Return a part of a pod as Kubernetes writes it, without the fields that are None."""
    try:
        model = kind.model_validate(_with_amounts(value))
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(str(part) for part in wrong["loc"])
        problem = f"{wrong['msg'][:1].lower()}{wrong['msg'][1:]}"
        raise ValueError(f"{where}: {problem}" if where else problem) from None
    written = model.model_dump(by_alias=True, exclude_unset=True, mode="json")
    return {key: content for key, content in _with_unknown(value, written).items() if content is not None}


def _with_amounts(value: Any, is_amount: bool = False) -> Any:
    """Return a part in which amounts are texts.

    Parameters
    ----------
    is_amount
        Whether `value` is an amount, or a mapping of resources to amounts.
    """
    if isinstance(value, Mapping):
        return {key: _with_amounts(content, is_amount or key in _AMOUNTS) for key, content in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_amounts(element) for element in value]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value) if is_amount and is_number else value


def _with_unknown(given: Any, written: Any) -> Any:
    """Return what a model has written, with the given fields that it does not know."""
    if isinstance(given, Mapping) and isinstance(written, Mapping):
        found = dict(written)
        for key, content in given.items():
            name = key if key in written else to_field_name(str(key))
            found[name] = _with_unknown(content, written[name]) if name in written else content
        return found
    if isinstance(given, (list, tuple)) and isinstance(written, list):
        return [
            _with_unknown(one_given, one_written)
            for one_given, one_written in zip(given, written, strict=True)
        ]
    return written

"""How a part of a pod is read: with hera's models, which have Kubernetes' types, and without what they do not know.

A ``ValueError`` says what is wrong, and where in the part.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from argo_jupyter_scheduler.engines.argo.pods.names import DNS_LABEL, DNS_SUBDOMAIN, LABEL_VALUE


def listed(value: Any) -> list[Any]:
    """Return a list, or the values of a mapping in the order of its keys: KubeSpawner takes either."""
    if isinstance(value, Mapping):
        return [value[key] for key in sorted(value, key=str)]
    if isinstance(value, (list, tuple)):
        return list(value)
    raise ValueError(f"{value!r} is no list")


def models(
    kind: type[BaseModel], value: Any, check: Callable[[dict[str, Any]], object]
) -> list[dict[str, Any]]:
    """Return parts of a pod of one kind, each checked; an error says which one it is about."""
    found = []
    for place, one in enumerate(listed(value)):
        try:
            found.append(model(kind, one))
            check(found[-1])
        except ValueError as error:
            raise ValueError(f"[{place}]: {error}") from None
    return found


def model(kind: type[BaseModel], value: Any) -> dict[str, Any]:
    """Return a part of a pod as Kubernetes writes it."""
    try:
        written = kind.model_validate(_with_amounts(value)).model_dump(
            by_alias=True, exclude_unset=True, mode="json"
        )
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(str(part) for part in wrong["loc"])
        raise ValueError(
            f"{where}: {wrong['msg'][:1].lower()}{wrong['msg'][1:]}".removeprefix(": ")
        ) from None
    _no_other_keys(value, written, "")
    return {key: content for key, content in written.items() if content is not None}


def _with_amounts(value: Any, here: bool = False) -> Any:
    """Return a part in which amounts are texts, as hera's models want them: Kubernetes takes numbers too.

    Parameters
    ----------
    here
        Whether `value` is an amount, or a mapping of resources to such.
    """
    if isinstance(value, Mapping):
        return {
            key: _with_amounts(one, here or key in ("limits", "requests", "sizeLimit", "size_limit"))
            for key, one in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_with_amounts(one) for one in value]
    return str(value) if here and isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _no_other_keys(given: Any, written: Any, where: str) -> None:
    """Refuse what hera's models, which take anything, have left out."""
    if isinstance(given, Mapping) and isinstance(written, Mapping):
        for key, one in given.items():
            known = key if key in written else camel(str(key))
            if known not in written:
                raise ValueError(f"Kubernetes knows no field '{where}{key}' there")
            _no_other_keys(one, written[known], f"{where}{known}.")
    elif isinstance(given, (list, tuple)) and isinstance(written, list):
        for place, (one, other) in enumerate(zip(given, written, strict=False)):
            _no_other_keys(one, other, f"{where}{place}.")


def with_known_keys(value: Any, known: Iterable[str]) -> dict[str, Any]:
    """Return a mapping with Kubernetes' names of fields, which may be written as Python's."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is no mapping")
    names = {snake(key): key for key in known}
    found = {}
    for key, one in value.items():
        if snake(str(key)) not in names:
            near = difflib.get_close_matches(str(key), names.values()) or sorted(names.values())
            raise ValueError(f"'{key}' is no field that can be set here. Possible: {', '.join(near)}")
        found[names[snake(str(key))]] = one
    return found


def snake(text: str) -> str:
    """Return ``envFrom`` or ``hostIPC`` as ``env_from``, ``host_ipc``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()


def camel(text: str) -> str:
    """Return ``env_from`` as ``envFrom``."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), text)


def unique(found: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Return parts of which no two may have the same name."""
    seen = set()
    for one in found:
        if one[key] in seen:
            raise ValueError(f"there are two with the {key} '{one[key]}'")
        seen.add(one[key])
    return found


def one_of(value: Any, *allowed: str) -> str:
    """Return a word that must be one of the allowed."""
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
    return str(value)


def name(value: Any) -> str:
    """Return the name of a Kubernetes object."""
    if not isinstance(value, str) or not DNS_SUBDOMAIN.fullmatch(value):
        raise ValueError(
            f"{value!r} is no name of an object: it takes lower-case letters, digits, '-' and '.', and begins and ends "
            "with a letter or digit"
        )
    return value


def absolute_path(value: Any) -> str:
    """Return a full path in a container."""
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise ValueError(f"{value!r} is no full path: it must begin with '/'")
    return value.rstrip("/") or "/"


def config_key(value: Any) -> str:
    """Return a key of a Secret or ConfigMap."""
    if not isinstance(value, str) or not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", value):
        raise ValueError(f"{value!r} is no key of a Secret or ConfigMap")
    return value


def needed(part: Mapping[str, Any], *fields: str) -> None:
    """Refuse a part in which one of these fields is empty."""
    for field in fields:
        if not part.get(field):
            raise ValueError(f"it needs {field}")


def whole(value: Any, low: int, high: int) -> int:
    """Return a whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{value!r} is no whole number from {low} to {high}")
    return value


def label_mapping(value: Any) -> dict[str, str]:
    """Return labels."""
    found = annotation_mapping(value)
    for key, text in found.items():
        qualified(key)
        if not LABEL_VALUE.fullmatch(text):
            raise ValueError(
                f"{text!r}, the value of '{key}', is no label's: it takes up to 63 letters, digits, '-', '_' and '.', "
                "and begins and ends with a letter or digit"
            )
    return found


def annotation_mapping(value: Any) -> dict[str, str]:
    """Return annotations."""
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value.values()):
        raise ValueError(f"{value!r} is no mapping of texts to texts")
    for key in value:
        qualified(str(key).lower())  # Kubernetes minds no capitals there
    return dict(value)


def qualified(value: Any) -> str:
    """Return a name that may have a domain in front, as keys of labels and names of resources have."""
    domain, slash, last = str(value).rpartition("/")
    good = last and LABEL_VALUE.fullmatch(last) and (not slash or DNS_SUBDOMAIN.fullmatch(domain))
    if not isinstance(value, str) or not good:
        raise ValueError(f"{value!r} is no key such as 'team' or 'example.org/team'")
    return value


def dns_label(value: str) -> None:
    """Refuse what cannot be the name of a volume, a container or a namespace."""
    if not DNS_LABEL.fullmatch(value):
        raise ValueError(
            f"'{value}' is no name: it takes up to 63 lower-case letters, digits and '-', and begins and ends with a "
            "letter or digit"
        )

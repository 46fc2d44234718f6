"""Names and labels as Kubernetes takes them, and KubeSpawner's templates.

`make_label_value` and `make_slug` take any text. `make_slug` and `escape_name` write a user's name as KubeSpawner does, so that a
template such as ``claim-{username}`` names what the hub has made. A test compares them with the values of KubeSpawner 7.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Mapping
from typing import Any

LABEL_LENGTH = 63
"""Characters of a label's value, and of a DNS label (RFC 1123)."""

SLUG_LENGTH = 48
"""Characters of a user's slug in KubeSpawner: with what a template adds, it must stay a label."""

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
DNS_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")

_HASH_LENGTH = 8

_HUB_NAMES = {
    "pvc_name": "only the hub knows it. Write the claim's name, such as claim-{user_server}, or inherit it (inherit_pod)",
    "hubnamespace": "only the hub knows it. Write it out; {namespace} is that of the runs",
    "userid": "only the hub knows it. Use {username}",
}
"""KubeSpawner's other names, and what to do without them."""


def make_label_value(text: str) -> str:
    """Return `text` as a label's value, as Argo's server writes a user's name (``workflow/creator/creator.go``)."""
    value = re.sub(r"[^-_.a-zA-Z0-9]", "-", text)[-LABEL_LENGTH:]
    return re.sub(r"^[^a-zA-Z0-9]+|[^a-zA-Z0-9]+$", "", value)


def escape_name(text: str) -> str:
    """Return KubeSpawner's old form of a name (``slug_scheme = "escape"``), with all but letters and digits in hexadecimal."""
    kept = (string.ascii_lowercase + string.digits).encode()
    return "".join(chr(byte) if byte in kept else f"-{byte:x}" for byte in text.encode())


def make_slug(text: str, length: int = SLUG_LENGTH) -> str:
    """Return KubeSpawner's form of a name: itself where it is a DNS label, else what is left of it and a hash."""
    fits = re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", text) and len(text) <= length
    if fits and "--" not in text:
        return text
    return f"{_readable(text, length - _HASH_LENGTH - 3)}---{_hash(text)}"


def _both_slugs(user: str, server: str) -> str:
    """Return KubeSpawner's form of a user and a named server."""
    names = make_slug(user), make_slug(server) if server else ""
    if len("--".join(names)) <= SLUG_LENGTH:
        return "--".join(names) if server else names[0]
    each = (SLUG_LENGTH - _HASH_LENGTH - 1) // 2 - 2
    return f"{_readable(user, each)}--{_readable(server, each)}---{_hash(user, server)}"


def _readable(text: str, length: int) -> str:
    found = re.sub(r"[^a-z0-9]+", "-", text.lower()).lstrip("-")[:length].rstrip("-")
    if found and not found[0].isalpha():
        found = f"x-{found[: length - 2]}"
    return found or "x"


def _hash(*names: str) -> str:
    return hashlib.sha256(b"\xff".join(name.encode() for name in names)).hexdigest()[:_HASH_LENGTH]


def make_template_names(
    user: str, server: str = "", namespace: str = "", pod: str = "", scheme: str = "safe"
) -> dict[str, str]:
    """Return what KubeSpawner's templates may name, without what is not known here.

    Parameters
    ----------
    user, server
        The hub's names of the user and of the named server, as they are.
    namespace, pod
        Where this server runs, and its pod.
    scheme
        KubeSpawner's ``slug_scheme``: ``safe``, or ``escape`` for what was made before KubeSpawner 7.
    """
    names = {"namespace": namespace, "pod_name": pod} if pod else {"namespace": namespace}
    if not user:
        return names
    escaped_both = f"{escape_name(user)}--{escape_name(server)}" if server else escape_name(user)
    safe = {"username": make_slug(user), "servername": make_slug(server) if server else ""}
    safe["user_server"] = _both_slugs(user, server)
    old = {"username": escape_name(user), "servername": escape_name(server), "user_server": escaped_both}
    return {
        **names,
        "unescaped_username": user,
        "unescaped_servername": server,
        **{f"safe_{name}": value for name, value in safe.items()},
        # KubeSpawner's own `escaped_user_server` keeps the hyphens of an empty server name; a template's end loses them.
        **{f"escaped_{name}": value for name, value in old.items()},
        "escaped_user_server": f"{escape_name(user)}--{escape_name(server)}",
        **(safe if scheme == "safe" else old),
    }


def expand_templates(value: Any, names: Mapping[str, str], where: str = "") -> Any:
    """Return `value` with the templates in all its texts expanded, as KubeSpawner does it.

    Raises
    ------
    ValueError
        A text has braces that name nothing known. The text may be a secret, and is not shown.
    """
    if isinstance(value, Mapping):
        return {
            key: expand_templates(inner, names, f"{where}.{key}" if where else str(key))
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [expand_templates(inner, names, f"{where}[{place}]") for place, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    doubled = "Write a literal brace twice"
    try:
        found = value.format_map(names)
    except KeyError as error:
        name = str(error.args[0])
        if name in _HUB_NAMES:
            raise ValueError(f"{where or 'it'} names {{{name}}}: {_HUB_NAMES[name]}") from None
        why = "" if "username" in names else " (the environment variable JUPYTERHUB_USER is not set)"
        available = ", ".join(sorted(names))
        raise ValueError(
            f"{where or 'it'} names {{{name}}}, which is unknown here{why}. Available: {available}. {doubled}"
        ) from None
    except (ValueError, IndexError, AttributeError, TypeError) as error:
        raise ValueError(f"{where or 'it'} is not a template ({error}). {doubled}") from None
    # `{username}--{servername}` without a named server leaves no hyphens.
    return found if value.endswith("-") else found.rstrip("-")

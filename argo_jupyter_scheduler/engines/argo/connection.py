"""The address of Argo's server, and the token for it."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import EngineRefused


@dataclass(frozen=True)
class Token:
    """The token for Argo's server.

    Attributes
    ----------
    origin
        The source of the token, for messages; empty without a token.
    value
        The token, with or without ``Bearer``.
    file
        The file that has it instead. It is read for each call: Kubernetes renews such a file before the token expires.
    """

    origin: str = ""
    value: str = field(default="", repr=False)
    file: str = ""

    def header(self) -> str:
        """Return the value of the header ``Authorization``; empty without a token.

        Raises
        ------
        EngineRefused
            The file cannot be read, or its content is not a token.
        """
        token = self.value
        if self.file:
            try:
                token = Path(self.file).read_text(encoding="ascii", errors="replace")
            except OSError as error:
                raise EngineRefused(
                    messages.argo.argo_token_file_unreadable(self.file, error.strerror)
                ) from error
            if not token.strip():
                raise EngineRefused(messages.argo.argo_token_file_empty(self.file))
        if not token.strip():
            return ""
        parts = re.fullmatch(r"(?:([A-Za-z]+) +)?([!-~]+)", token.strip())
        if not parts:
            raise EngineRefused(messages.argo.argo_token_not_valid(self.origin))
        scheme = parts[1] or "Bearer"
        if scheme.lower() == "bearer":
            scheme = "Bearer"  # Argo compares letter by letter
        return f"{scheme} {parts[2]}"

    def claims(self) -> dict[str, Any]:
        """Return the token's claims (``exp``, ``sub``, …), unverified; empty where it is not a signed JWT (RFC 7519).

        Raises
        ------
        EngineRefused
            As `header`.
        """
        parts = self.header().partition(" ")[2].split(".")
        if len(parts) != 3:  # an encrypted one has five, such as that of Argo's single sign-on
            return {}
        try:
            found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def check_ui_url(template: str) -> None:
    """Refuse what cannot be the address of a run's page in a browser; an empty one is accepted.

    Raises
    ------
    ValueError
        Says what is wrong.
    """
    if not template:
        return
    parts = urlsplit(template)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it does not begin with https:// and a host")
    begun = (
        part for part in template.split("}")[:-1] if "{" in part
    )  # a pattern would take the square of the length
    placeholders = {part[part.index("{") :] + "}" for part in begun}
    if unknown := placeholders - {"{namespace}", "{workflow}"}:
        raise ValueError(f"{min(unknown)} is not known")
    if "{workflow}" not in template:
        raise ValueError("{workflow} is missing")


@dataclass(frozen=True)
class Connection:
    """How Argo's server is reached.

    Attributes
    ----------
    url
        The full address, see `make_url`.
    namespace
        Kubernetes namespace of the workflows.
    token
        The token that each call sends.
    verify
        Whether the server's certificate is verified, or the file or folder with the certificates of authorities to trust.
    timeout
        Seconds for one call, all attempts together.
    """

    url: str
    namespace: str
    token: Token
    verify: bool | str
    timeout: float


def make_url(server: str, base_href: str, secure: bool) -> str:
    """Return the full address of a server; it ends with a slash.

    Parameters
    ----------
    server
        ``host``, ``host:port``, an IPv6 address, or any of them with a scheme and perhaps a path.
    base_href
        The path below which Argo is.
    secure
        Whether the scheme is https where none is given.

    Raises
    ------
    ValueError
        With what is wrong in it.
    """
    text = server.strip()
    if "://" not in text:
        if text.count(":") > 1 and "[" not in text:  # IPv6 without a port
            text = f"[{text}]"
        text = f"{'https' if secure else 'http'}://{text}"
    parts = urlsplit(text)
    if parts.scheme not in ("https", "http"):
        raise ValueError(f"the scheme must be https or http, not '{text.partition('://')[0]}'")
    if not parts.hostname or re.search(r"\s", text):
        raise ValueError("it has no host name, or contains a space")
    if parts.port == 0:  # `port` raises ValueError for others that are not ports
        raise ValueError("0 is not a port")
    if "@" in parts.netloc:
        raise ValueError("it must not contain a user or password")
    if parts.query or parts.fragment:
        raise ValueError("it has a query or a fragment after its path")
    path = "/".join(part.strip("/") for part in (parts.path, base_href) if part.strip("/"))
    return f"{parts.scheme}://{parts.netloc}/{path}/" if path else f"{parts.scheme}://{parts.netloc}/"

"""How Argo is reached, and as whom."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from argo_jupyter_scheduler.domain.errors import EngineRefused


@dataclass(frozen=True)
class Token:
    """What a server knows its caller by.

    Attributes
    ----------
    origin
        Where it comes from, for messages; empty where there is none.
    value
        The token, with or without ``Bearer``.
    file
        Where it is read from instead, each time it is needed: Kubernetes writes a new one into the file before the old one expires.
    """

    origin: str = ""
    value: str = field(default="", repr=False)
    file: str = ""

    def header(self) -> str:
        """Return the value of the header ``Authorization``; empty without a token.

        Raises
        ------
        EngineRefused
            The file cannot be read, or what it is cannot be sent.
        """
        token = self.value
        if self.file:
            try:
                token = Path(self.file).read_text(encoding="ascii", errors="replace")
            except OSError as error:
                raise EngineRefused(
                    f"The file with the token for Argo, '{self.file}', cannot be read: {error.strerror}. "
                    "See c.ArgoScheduler.argo_token_file."
                ) from error
            if not token.strip():
                raise EngineRefused(f"The file with the token for Argo, '{self.file}', is empty.")
        if not token.strip():
            return ""
        parts = re.fullmatch(r"(?:([A-Za-z]+) +)?([!-~]+)", token.strip())
        if not parts:
            raise EngineRefused(f"The token for Argo has characters that no token has; see {self.origin}.")
        scheme = parts[1] or "Bearer"
        if scheme.lower() == "bearer":
            scheme = "Bearer"  # Argo compares letter by letter
        return f"{scheme} {parts[2]}"

    def claims(self) -> dict[str, Any]:
        """Return what the token says of itself, unverified: ``exp``, ``sub``, …; empty where it is no signed JWT (RFC 7519).

        Raises
        ------
        EngineRefused
            As `header`.
        """
        parts = self.header().partition(" ")[2].split(".")
        if len(parts) != 3:  # five are an encrypted one, as Argo's single sign-on gives
            return {}
        try:
            found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Connection:
    """The address of Argo's server and what it asks for.

    Attributes
    ----------
    url
        The full address, see `address`.
    namespace
        Where the workflows live.
    token
        As whom it is called.
    verify
        Whether its certificate is checked, or the file or folder with the certificates to check it against.
    timeout
        Seconds for one call, all tries together.
    """

    url: str
    namespace: str
    token: Token
    verify: bool | str
    timeout: float


def address(server: str, base_href: str, secure: bool) -> str:
    """Return the full address of a server; ends with a slash.

    Parameters
    ----------
    server
        ``host``, ``host:port``, an IPv6 address, or any of them with a scheme and perhaps a path.
    base_href
        The path under which it is found.
    secure
        Whether https is meant where no scheme is given.

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
        raise ValueError(f"the scheme must be https or http, not {parts.scheme}")
    if not parts.hostname or re.search(r"\s", text):
        raise ValueError("it has no host name, or a space in it")
    if parts.port == 0:  # `port` raises ValueError for what is no port
        raise ValueError("0 is no port")
    if "@" in parts.netloc:
        raise ValueError("a user or password has no place in it")
    if parts.query or parts.fragment:
        raise ValueError("it has something behind its path")
    path = "/".join(part.strip("/") for part in (parts.path, base_href) if part.strip("/"))
    return f"{parts.scheme}://{parts.netloc}/{path}/" if path else f"{parts.scheme}://{parts.netloc}/"

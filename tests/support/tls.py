"""Tokens and certificates."""

from __future__ import annotations

import base64
import json
import ssl
from typing import Any

import trustme

SECRET = "s3cr3t-t0ken"


def jwt(**claims: Any) -> str:
    """Return a token as Kubernetes makes them."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in [*parts, b"signature"])


def tls(authority: trustme.CA, host: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host).configure_cert(context)
    return context

"""Addresses of Argo's server."""

from __future__ import annotations

import pytest

from argo_jupyter_scheduler.engines.argo.connection import make_url


@pytest.mark.parametrize(
    ("server", "base_href", "url"),
    [
        ("argo-server.argo:2746", "/", "https://argo-server.argo:2746/"),
        ("argo.example.org", "", "https://argo.example.org/"),
        ("http://argo:2746", "/", "http://argo:2746/"),
        ("https://example.org/", "/argo/", "https://example.org/argo/"),
        ("example.org:443", "argo", "https://example.org:443/argo/"),
        ("https://example.org/tools", "/argo", "https://example.org/tools/argo/"),
        ("[::1]:2746", "/", "https://[::1]:2746/"),
        ("fd00::17", "/", "https://[fd00::17]/"),
        ("http://[fd00::17]:2746", "/", "http://[fd00::17]:2746/"),
        (" 10.0.0.1:2746\n", "/", "https://10.0.0.1:2746/"),
    ],
)
def test_addresses(server: str, base_href: str, url: str) -> None:
    assert make_url(server, base_href, secure=True) == url

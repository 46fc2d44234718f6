"""The traits of the connection to Argo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError

from argo_jupyter_scheduler.config.argo import ArgoTraits
from argo_jupyter_scheduler.engines.argo.connection import Connection


@pytest.mark.parametrize(
    "server",
    [
        "",
        "ftp://x",
        "a b:1",
        "host:port",
        "host:70000",
        "host:0",
        "me:pw@host",
        "https://host/?q",
        "[::1",
        "https://",
    ],
)
def test_what_is_no_address_is_refused_with_the_trait(server: str) -> None:
    with pytest.raises(TraitError, match=r"c.ArgoScheduler.argo_server \(or ARGO_SERVER\) is"):
        ArgoTraits(argo_server=server).connection()


def test_http_is_meant_where_argos_own_variable_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGO_SECURE", "false")
    assert ArgoTraits(argo_server="argo:2746").connection().url == "http://argo:2746/"
    assert ArgoTraits(argo_server="https://argo:2746").connection().url == "https://argo:2746/"


def test_what_is_not_configured_is_the_pods_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ARGO_SERVER", "argo:2746")

    def connection(**traits: Any) -> Connection:
        return ArgoTraits(service_account_path=str(tmp_path / "account"), **traits).connection()

    assert (connection().namespace, connection().token.header()) == ("dev", "")
    (tmp_path / "account").mkdir()
    (tmp_path / "account" / "namespace").write_text("jupyter")
    (tmp_path / "account" / "token").write_text("pod's\n".replace("'", ""))
    assert (connection().namespace, connection().token.header()) == ("jupyter", "Bearer pods")
    assert connection(argo_namespace=" jobs\n").namespace == "jobs"
    for wrong in ("My NS", "a.b", "-a", "a" * 64):
        with pytest.raises(
            TraitError, match=rf"c.ArgoScheduler.argo_namespace .* is '{wrong}', which is not a namespace"
        ):
            connection(argo_namespace=wrong)
    monkeypatch.setenv("ARGO_NAMESPACE", "argo")
    for given in ("Bearer abc", "abc", " bearer  abc\n"):
        monkeypatch.setenv("ARGO_TOKEN", given)
        assert (connection().namespace, connection().token.header()) == ("argo", "Bearer abc")
    (tmp_path / "file").write_text("Bearer file")
    monkeypatch.setenv("ARGO_TOKEN_FILE", str(tmp_path / "file"))
    assert connection().token.header() == "Bearer file"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("argo.example.org/workflows/{workflow}", "does not begin with https://"),
        ("javascript:alert('{workflow}')", "does not begin with https://"),
        ("https:///workflows/{workflow}", "does not begin with https://"),
        ("https://[::1/{workflow}", "IPv6"),
        ("https://argo.example.org/{namespace}", "{workflow} is missing"),
        ("https://argo.example.org/{user}/{workflow}", "{user} is not known"),
    ],
)
def test_what_is_no_page_of_a_run_is_refused_with_the_trait(url: str, reason: str) -> None:
    with pytest.raises(TraitError, match=r"c\.ArgoScheduler\.argo_ui_url is") as refused:
        ArgoTraits(argo_ui_url=url)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    "url", ["", " https://argo.example.org:8443/argo/workflows/{namespace}/{workflow}?tab=x "]
)
def test_a_page_of_a_run(url: str) -> None:
    assert ArgoTraits(argo_ui_url=url).argo_ui_url == url.strip()

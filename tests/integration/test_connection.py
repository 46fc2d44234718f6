"""How Argo is reached: addresses, tokens, certificates, and answers that do not come or come broken."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
import traceback
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from argo_jupyter_scheduler.config.argo import ArgoTraits
from argo_jupyter_scheduler.domain.errors import EngineError, EngineRefused, EngineUnavailable
from argo_jupyter_scheduler.engines.argo.api import WORKFLOWS, ArgoApi
from argo_jupyter_scheduler.engines.argo.connection import Connection, Token, make_url
from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine
from argo_jupyter_scheduler.storage.database import Database
from tests.stand_ins.argo import ArgoStandIn
from tests.support.eventually import eventually
from tests.support.manifests import DEFINITION, JOB, argo_settings
from tests.support.tls import SECRET, jwt, tls


def list_workflows(api: ArgoApi) -> dict[str, Any]:
    return api.call("GET", WORKFLOWS, "")


# Addresses


# Certificates


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[ArgoStandIn]:
    with ArgoStandIn(SECRET, tls=tls(authority), base_href="/argo/") as argo:
        yield argo


@pytest.fixture
def plain() -> Iterator[ArgoStandIn]:
    with ArgoStandIn(SECRET) as argo:
        yield argo


def api_of(
    argo: ArgoStandIn, verify: bool | str = True, token: Token | None = None, timeout: float = 8.0
) -> ArgoApi:
    token = token or Token("the environment variable ARGO_TOKEN", argo.token)
    return ArgoApi(Connection(make_url(argo.url, argo.base_href, True), "dev", token, verify, timeout))


def test_a_private_authority_is_trusted_once_it_is_configured(
    secure: ArgoStandIn, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list_workflows(api_of(secure, bundle))["items"] is None
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    monkeypatch.setenv("ARGO_TOKEN", SECRET)
    configured = ArgoTraits(argo_server=secure.url, argo_base_href="argo").connection()
    assert list_workflows(ArgoApi(configured))["items"] is None
    assert secure.requests[-1] == ("GET", "/argo/api/v1/workflows/dev")


def test_a_certificate_that_is_not_trusted_is_told_at_once(secure: ArgoStandIn, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    for verify in (True, str(tmp_path / "other.pem")):
        begun = time.monotonic()
        with pytest.raises(EngineUnavailable, match=r"is not trusted: .*argo_ca_bundle") as error:
            api_of(secure, verify, timeout=60).call("POST", WORKFLOWS, "", {})
        assert time.monotonic() - begun < 20  # it is not tried again
        assert not error.value.half_done
    assert secure.requests == []


def test_a_certificate_of_another_host(authority: trustme.CA, bundle: str) -> None:
    mismatch = pytest.raises(EngineUnavailable, match="not trusted: IP address mismatch")
    with ArgoStandIn(tls=tls(authority, "example.org")) as argo, mismatch:
        list_workflows(api_of(argo, bundle))


@pytest.mark.parametrize("content", [None, "garbage"])
def test_certificates_that_cannot_be_read(secure: ArgoStandIn, tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "none.pem").write_text(content)
    with pytest.raises(
        EngineUnavailable, match=r"none.pem', cannot be read: .* c.ArgoScheduler.argo_ca_bundle"
    ):
        list_workflows(api_of(secure, str(tmp_path / "none.pem")))


def test_a_certificate_that_is_not_checked_is_said_once(
    secure: ArgoStandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ARGO_INSECURE_SKIP_VERIFY", "true")
    monkeypatch.setenv("ARGO_TOKEN", SECRET)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        api = ArgoApi(ArgoTraits(argo_server=secure.url, argo_base_href="argo").connection())
        for _ in range(3):
            list_workflows(api)
    [record] = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert "is not verified (argo_verify_ssl)" in record.message


def test_http_and_https_mixed_up(secure: ArgoStandIn, plain: ArgoStandIn) -> None:
    plain.url = plain.url.replace("http:", "https:")
    with pytest.raises(EngineUnavailable, match="does not speak https"):
        list_workflows(api_of(plain))
    secure.url = secure.url.replace("https:", "http:")
    with pytest.raises(EngineUnavailable, match="broke off its answer"):
        list_workflows(api_of(secure))


# Tokens


def test_a_token_file_is_read_again_when_it_changes(plain: ArgoStandIn, tmp_path: Path) -> None:
    file = tmp_path / "token"
    api = api_of(plain, token=Token(f"the file '{file}'", file=str(file)))
    for token in ("first", "second"):
        plain.token = token
        file.write_text(token)
        list_workflows(api)
    plain.token = "third"
    with pytest.raises(EngineRefused, match=rf"refused the token \(401\) of the file '{file}'") as error:
        list_workflows(api)
    assert "restart" not in str(error.value)
    file.write_text("third")
    list_workflows(api)
    for wrong, words in (("\n", "is empty"), ("a\nb c", "characters that a token cannot have")):
        file.write_text(wrong)
        with pytest.raises(EngineRefused, match=words):
            list_workflows(api)
    file.unlink()
    with pytest.raises(EngineRefused, match="cannot be read: No such file or directory"):
        list_workflows(api)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (Token(), r"asks for a token \(401\), but none is configured. Set ARGO_TOKEN"),
        (Token("ARGO_TOKEN", jwt(exp=1_000_000_000)), r"\(401\) of ARGO_TOKEN. It expired at 2001-09-0"),
        (
            Token("ARGO_TOKEN", jwt(exp=time.time() + 900)),
            r"It may have expired: restart your JupyterLab server",
        ),
        (Token("ARGO_TOKEN", "v2:encrypted"), r"It may have expired: restart your JupyterLab server"),
    ],
)
def test_a_token_that_is_refused(plain: ArgoStandIn, token: Token, words: str) -> None:
    with pytest.raises(EngineRefused, match=words) as error:
        list_workflows(api_of(plain, token=token))
    assert error.value.status == 401


# Answers that do not come, or come broken


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_passes_is_tried_again(plain: ArgoStandIn, status: int) -> None:
    plain.fail_next(status, "busy", times=2)
    list_workflows(api_of(plain))
    assert len(plain.requests) == 3
    plain.fail_next(status, "<html>busy</html>", times=9)
    with pytest.raises(EngineUnavailable, match=rf"has a problem \({status}\): ") as error:
        api_of(plain).call("POST", WORKFLOWS, "", {})
    assert (len(plain.requests), error.value.half_done, error.value.status) == (6, True, status)


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_what_stays_is_not_tried_again(plain: ArgoStandIn, status: int) -> None:
    plain.fail_next(status, {"message": "no."})
    with pytest.raises(EngineError, match=rf"\({status}\): no\.") as error:
        list_workflows(api_of(plain))
    assert (len(plain.requests), error.value.status) == (1, status)


@pytest.mark.parametrize("encrypted", [False, True])
def test_an_answer_that_breaks_off_is_asked_for_again(
    plain: ArgoStandIn, secure: ArgoStandIn, bundle: str, encrypted: bool
) -> None:
    argo = secure if encrypted else plain
    argo.cuts = 2
    list_workflows(api_of(argo, bundle))
    assert len(argo.requests) == 3
    argo.cuts = 9
    with pytest.raises(EngineUnavailable, match=r"broke off its answer: .*(reset|Incomplete)"):
        list_workflows(api_of(argo, bundle))


def engine_of(argo: ArgoStandIn, database: Database) -> ArgoEngine:
    settings = replace(argo_settings(image="stand-in"), connection=api_of(argo).connection)
    return ArgoEngine(settings, database, "/staging")


def test_a_submission_whose_answer_breaks_off_starts_one_run(plain: ArgoStandIn, database: Database) -> None:
    engine = engine_of(plain, database)
    assert engine.api.version == (4, 1, 2)
    plain.cuts = 1
    plain.requests.clear()
    engine.submit(JOB)
    assert [method for method, _ in plain.requests] == ["POST", "POST"]
    assert list(plain.runs) == [JOB.workflow_name]


def test_an_empty_answer_does_not_say_that_an_object_is_there_or_gone(
    plain: ArgoStandIn, database: Database
) -> None:
    engine = engine_of(plain, database)
    plain.fail_next(200, {}, times=1000, path="/workflows/dev")
    for call in (engine.submit, engine.exists, engine.is_executing, engine.stop):
        with pytest.raises(EngineUnavailable, match="is not Argo's API"):
            call(JOB)


@pytest.mark.parametrize("trouble", ["hangs", "stalls", "hangs, then fails"])
def test_all_tries_together_end_in_time(plain: ArgoStandIn, trouble: str) -> None:
    if trouble == "stalls":
        plain.stalls = True
    else:
        plain.hang_seconds = 30 if trouble == "hangs" else 0.7
    if "fails" in trouble:
        plain.fail_next(503, "busy", times=9)
    begun = time.monotonic()
    with pytest.raises(EngineUnavailable, match=r"within 2 s|busy"):
        list_workflows(api_of(plain, timeout=2))
    assert time.monotonic() - begun < 4  # each try alone may take 2 s
    assert len(plain.requests) == 2
    plain.hang_seconds = 0  # threads of the stand-in


def test_nobody_there() -> None:
    with ArgoStandIn(SECRET) as argo:
        api = api_of(argo)
    with pytest.raises(EngineUnavailable, match=r"cannot be reached: .*Connection refused") as error:
        api.call("POST", WORKFLOWS, "", {})
    assert not error.value.half_done
    with pytest.raises(EngineUnavailable, match=r"cannot be reached: .*[Nn]ame"):
        list_workflows(ArgoApi(Connection("https://no-such-host.invalid/", "dev", Token(), True, 2)))


# Versions


def test_what_argo_is_too_old_for_is_refused_with_its_name(database: Database, plain: ArgoStandIn) -> None:
    for version, old in {
        "v3.3.10": True,
        "v3.4.0": False,
        "v3.10.1": False,
        "latest+abc": False,
        "v0.0.0+unknown": False,
    }.items():
        plain.version = version
        engine = engine_of(plain, database)
        calls: dict[str, Callable[[], Any]] = {
            "running notebooks": lambda: engine.submit(JOB),  # noqa: B023 (called at once)
            "job definitions": lambda: engine.build_cron_workflow(DEFINITION),  # noqa: B023
        }
        for feature, call in calls.items():
            if old:
                with pytest.raises(EngineRefused, match=f"Argo 3.3.10 .* {feature} needs 3.4 or later"):
                    call()
            else:
                call()
        assert plain.requests.count(("GET", "/api/v1/version")) == 1
        plain.requests.clear()


# Secrets


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"message": f"token {SECRET} is not valid"}),
        (403, {"message": f"{SECRET} may not"}),
        (500, f"panic: {SECRET}"),
        (503, f"<html>{SECRET}</html>"),
        (302, SECRET),
        (200, SECRET),
    ],
)
def test_a_token_is_in_no_error_and_no_log(
    plain: ArgoStandIn, caplog: pytest.LogCaptureFixture, status: int, body: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    plain.fail_next(status, body, times=9)
    api = api_of(plain)
    with pytest.raises(EngineError) as error:
        list_workflows(api)
    told = "".join(traceback.format_exception(error.value)) + repr(vars(error.value)) + caplog.text
    assert SECRET not in told + repr(api.connection) + repr(vars(api)) + str(api.connection.token)


@pytest.mark.parametrize("body", ["Not allowed: Bearer {}", {"message": "Not allowed: Bearer {}"}])
def test_no_part_of_the_token_that_was_sent_is_in_an_error(
    plain: ArgoStandIn, tmp_path: Path, body: Any
) -> None:
    sent = jwt(who=[str(uuid.uuid4()) for _ in range(20)])
    (tmp_path / "token").write_text(sent)
    plain.fail_next(403, json.loads(json.dumps(body).replace("{}", sent)))
    plain.hang_seconds = 0.3

    def renew() -> None:
        eventually(lambda: plain.requests)
        (tmp_path / "token").write_text("another")

    renewal = threading.Thread(target=renew)
    renewal.start()
    with pytest.raises(EngineRefused, match="Not allowed: Bearer …") as error:
        list_workflows(api_of(plain, token=Token("a file", file=str(tmp_path / "token"))))
    renewal.join()
    told = "".join(traceback.format_exception(error.value))
    assert not [start for start in range(len(sent) - 8) if sent[start : start + 8] in told]


@pytest.mark.parametrize("token", [f"{SECRET}\n{SECRET}", f"{SECRET}ü", f"Basic {SECRET} x"])
def test_a_token_that_cannot_be_sent_is_not_shown(plain: ArgoStandIn, token: str) -> None:
    with pytest.raises(
        EngineRefused, match=r"characters that a token cannot have\. Check ARGO_TOKEN"
    ) as error:
        list_workflows(api_of(plain, token=Token("ARGO_TOKEN", token)))
    assert SECRET not in "".join(traceback.format_exception(error.value))
    assert os.environ.get("ARGO_TOKEN") is None

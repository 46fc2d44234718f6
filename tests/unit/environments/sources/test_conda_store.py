"""A conda-store server that does not answer as conda-store does; what the real one offers is in tests/e2e."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from argo_jupyter_scheduler.domain.errors import EnvironmentsUnknown
from argo_jupyter_scheduler.environments.catalog import EnvironmentCatalog, make_sources
from argo_jupyter_scheduler.environments.settings import EnvironmentSettings
from argo_jupyter_scheduler.environments.sources.conda_store import CondaStore
from tests.support.logs import recorded_log


class Answering:
    """A server that answers each request in the same way."""

    def __init__(self, status: int, body: str, seconds: float = 0.0) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                time.sleep(seconds)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/conda-store"

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self.url

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()


GARBAGE = [
    "<html>",
    "[]",
    "{}",
    '{"data": 3}',
    '{"data": {"authenticated": true}}',
    '{"data": [{"name": 1}]}',
]


@pytest.mark.parametrize(
    ("status", "body"), [(500, "{}"), (403, "no"), (404, "{}"), *((200, body) for body in GARBAGE)]
)
def test_a_server_that_does_not_tell_is_said_once_and_the_dialog_opens(
    tmp_path: Path, status: int, body: str
) -> None:
    (tmp_path / "a" / "envs" / "a-kept").mkdir(parents=True)
    prefix = f"{tmp_path}/{{namespace}}/envs/{{namespace}}-{{name}}"
    with Answering(status, body) as url:
        store = CondaStore(url, "secret-token", prefix)
        with pytest.raises(EnvironmentsUnknown):
            store.find_environments()
        catalog, messages = watched(EnvironmentSettings(conda_store=store))
        for _ in range(3):
            catalog.wait(10)
            assert "a-kept" in catalog.list_offered()  # what lies on disk is offered meanwhile
            catalog.refresh()
        catalog.wait(10)
    [message] = [message for message in messages() if "conda-store" in message]
    assert url in message
    assert "secret-token" not in message


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_a_server_that_hangs_or_is_not_there(seconds: float) -> None:
    with Answering(200, "{}", seconds) as url:
        address = url if seconds else "http://127.0.0.1:9/conda-store"
        catalog, _ = watched(EnvironmentSettings(conda_store=CondaStore(address, "t", "/nowhere/{name}")))
        begun = time.monotonic()
        assert catalog.list_offered()
        assert time.monotonic() - begun < 5


def watched(settings: EnvironmentSettings) -> tuple[EnvironmentCatalog, Callable[[], list[str]]]:
    """Return a catalog, and what returns what it reports."""
    log, messages = recorded_log()
    catalog = EnvironmentCatalog(settings, make_sources(settings, None, log), log)
    catalog.refresh()
    return catalog, messages


@pytest.mark.parametrize("token", ["a\nb", "tökén…"])
def test_a_token_that_is_none_is_not_shown(token: str) -> None:
    with Answering(200, "{}") as url, pytest.raises(EnvironmentsUnknown) as error:
        CondaStore(url, token, "/x/{name}").find_environments()
    assert token not in str(error.value)
    assert token not in repr(CondaStore(url, token, "/x/{name}"))

"""What all routes below ``/argo-scheduler/`` have in common."""

from __future__ import annotations

from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado.httpclient import HTTPClientError
from tornado.web import RequestHandler

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.storage.database import Database
from tests.support.jobs import Jobs, notebook, refusal
from tests.support.routes import ID, OWN_ROUTES, fill_ids, has_method, list_requests

pytestmark = pytest.mark.parametrize("place", ["local"], indirect=True)

REQUESTS = [(method, path) for method, path in list_requests() if method != "OPTIONS"]  # CORS' preflight


class Fetch:
    """Requests that are refused. Their paths are sent as they are, unlike those of `jp_fetch`."""

    def __init__(self, client: Any, server: Any) -> None:
        self._client, self._server = client, server

    async def refuse(
        self, method: str, path: str, query: str = "", **headers: str
    ) -> pytest.ExceptionInfo[HTTPClientError]:
        """Send a request; return the refusal."""
        with pytest.raises(HTTPClientError) as error:
            await self._client.fetch(
                f"{self._server.base_url}{path}?{query}",
                method=method,
                body="{}" if method in ("POST", "PATCH", "PUT") else None,
                headers={"Authorization": f"token {self._server.identity_provider.token}", **headers},
            )
        return error


@pytest.fixture
def fetch(http_server_client: Any, jp_serverapp: Any) -> Fetch:
    return Fetch(http_server_client, jp_serverapp)


class TestAuthorization:
    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> dict[str, Any]:
        class Refusing(Authorizer):  # type: ignore[misc]
            """Refuses what a header names."""

            def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
                refused: str = handler.request.headers.get("Refused", "")
                return refused != f"{resource} {action}"

        jp_server_config["ServerApp"]["authorizer_class"] = Refusing
        return jp_server_config

    async def test_each_route_needs_the_right_to_read_or_to_write(self, jobs: Jobs, fetch: Fetch) -> None:
        actions = {"GET": "read", "POST": "write"}
        for method, path in REQUESTS:
            error = await fetch.refuse(method, path, Refused=f"argo-scheduler {actions[method]}")
            assert error.value.code == 403, path
        other = {"GET": "write", "POST": "read"}
        for method, path in REQUESTS:
            if ID in path:
                error = await fetch.refuse(method, path, Refused=f"argo-scheduler {other[method]}")
                assert error.value.code == 404, path


@pytest.mark.parametrize("id_", [ID, "a-b", "%2e%2e", "%2e%2e%2Fetc", "x" * 300, "%00", "%ED%A0%80"])
async def test_unknown_ids_are_refused_with_one_line_in_the_log(
    jobs: Jobs, fetch: Fetch, id_: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = sorted(jobs.root.rglob("*"))
    requests = [(method, path) for method, path in list_requests(id_=id_) if id_ in path]
    codes = {}
    for method, path in requests:
        if method != "OPTIONS":
            error = await fetch.refuse(method, path)
            codes[method, path] = error.value.code
            if id_ == ID:
                missing = (
                    messages.requests.definition_not_found(ID)
                    if "definitions" in path
                    else messages.requests.job_not_found(ID)
                )
                assert refusal(error) == missing
    assert len(codes) >= 6
    assert {request: code for request, code in codes.items() if code not in (400, 404)} == {}
    assert "Traceback" not in caplog.text
    assert "Uncaught exception" not in caplog.text
    assert sorted(jobs.root.rglob("*")) == before


async def test_other_methods_are_refused(jobs: Jobs, fetch: Fetch, database: Database) -> None:
    job_id = await jobs.create("n.ipynb", notebook("1"))
    before = await jobs.wait(job_id)
    for route, handler in OWN_ROUTES:
        for method in RequestHandler.SUPPORTED_METHODS:
            if not has_method(handler, method):
                error = await fetch.refuse(method, fill_ids(route, job_id))
                assert error.value.code == 405, (method, route)
    assert await jobs.get(job_id) == before
    assert len(database.list_stored_jobs()) == 1


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "does not exist"),
        ("..%2Foutside.ipynb", "outside the root folder"),
        ("a%2F..%2F..%2Foutside.ipynb", "outside the root folder"),
        ("%2F..%2Foutside.ipynb", "outside the root folder"),
        ("%2Fetc%2Fpasswd", "does not exist"),
        ("folder", "does not exist"),
        ("x" * 5000, "at most 4096"),
        ("%ED%A0%80", "path"),
        ("%FF", "path"),
        ("text.ipynb", "not a notebook"),
    ],
)
async def test_notebooks_that_cannot_be_read(jobs: Jobs, fetch: Fetch, path: str, reason: str) -> None:
    (jobs.root / "folder").mkdir()
    jobs.write("text.ipynb", "text")
    (jobs.root.parent / "outside.ipynb").write_text(notebook("1", parameters="secret = 1"))
    error = await fetch.refuse("GET", "argo-scheduler/notebook/parameters", f"path={path}")
    assert error.value.code == 400
    assert reason in refusal(error)
    assert "secret" not in refusal(error)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("changes", "wait=soon"),
        ("changes", "wait=26"),
        ("changes", "wait=-1"),
        ("changes", "since=%FF"),
        ("schedule/preview", "schedule=%FF"),
        ("schedule/preview", "timezone=%FF"),
        (f"jobs/{ID}/log", "offset=1e3"),
        (f"jobs/{ID}/log", "limit=0"),
    ],
)
async def test_malformed_queries_are_refused(jobs: Jobs, fetch: Fetch, path: str, query: str) -> None:
    error = await fetch.refuse("GET", f"argo-scheduler/{path}", query)
    assert error.value.code == 400
    assert refusal(error)


class TestWithoutThisScheduler:
    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> dict[str, Any]:
        jp_server_config["SchedulerApp"]["scheduler_class"] = "jupyter_scheduler.scheduler.Scheduler"
        return jp_server_config

    async def test_there_is_nothing(self, fetch: Fetch) -> None:
        for method, path in REQUESTS:
            error = await fetch.refuse(method, path)
            assert (error.value.code, refusal(error)) == (404, messages.server.OTHER_SCHEDULER), path

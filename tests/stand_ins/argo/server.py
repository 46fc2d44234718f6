"""Argo's server: HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.stand_ins.argo.cron import CronController, mutate
from tests.stand_ins.argo.rules import NAME, Refused, check


@dataclass
class Failure:
    """An answer that a test asked for."""

    status: int
    body: str
    times: int
    path: str
    method: str
    done: bool


class ArgoStandIn(CronController):
    """Argo's server and controller.

    Attributes
    ----------
    requests
        Method and path of every call.
    posted
        The bodies of those that are POST.
    hang_seconds
        How long each answer takes.
    forbidden
        What the token's account may not do: verbs and kinds, such as ``("delete", "workflows")``.
    cuts
        How many of the next answers break off in the middle.
    stalls
        Whether answers stop in the middle and stay so.

    Parameters
    ----------
    tls
        With what https is spoken; without, it is http.
    base_href
        The path under which the API is found.
    """

    def __init__(
        self,
        token: str = "test-token",
        version: str = "v4.1.2",
        tls: ssl.SSLContext | None = None,
        base_href: str = "/",
    ) -> None:
        super().__init__(version)
        self.token, self.base_href = token, base_href
        self.requests: list[tuple[str, str]] = []
        self.posted: list[dict[str, Any]] = []
        self.hang_seconds = 0.0
        self.forbidden: set[tuple[str, str]] = set()
        self.cuts = 0
        self.stalls = False
        self._failures: list[Failure] = []
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                stand_in.handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = _answer

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> ArgoStandIn:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._closing = True
        for name in list(self.runs):
            self._end(name)
        self._server.shutdown()
        self._server.server_close()

    def fail_next(
        self, status: int, body: Any, times: int = 1, path: str = "", method: str = "", done: bool = False
    ) -> None:
        """Answer the next calls whose path contains `path` with an error; with `done`, do what they ask for all the same."""
        text = body if isinstance(body, str) else json.dumps(body)
        self._failures.append(Failure(status, text, times, path, method, done))

    def forget_failures(self) -> None:
        """Take back what `fail_next` asked for."""
        self._failures.clear()

    def handle(self, http: BaseHTTPRequestHandler) -> None:
        length = int(http.headers.get("Content-Length") or 0)
        body = http.rfile.read(length)
        self.requests.append((http.command, http.path))
        if http.command == "POST":
            self.posted.append(json.loads(body))
        time.sleep(self.hang_seconds)
        status, answer = self._answer(http.command, http.path, http.headers.get("Authorization", ""), body)
        data = answer.encode()
        with contextlib.suppress(OSError):  # the caller may have given up
            http.send_response(status)
            http.send_header("Content-Type", "application/json")
            http.send_header("Content-Length", str(len(data)))
            http.end_headers()
            broken = self.stalls or self.cuts > 0
            http.wfile.write(data[: len(data) // 2] if broken else data)
            if self.stalls:
                time.sleep(30)
            elif broken:
                self.cuts -= 1
                time.sleep(0.1)  # what was sent is to arrive; then no orderly end, but a reset
                http.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                os.close(http.connection.detach())
                http.close_connection = True

    def _answer(self, method: str, target: str, authorization: str, body: bytes) -> tuple[int, str]:
        for failure in self._failures:
            if failure.path in target and failure.method in ("", method) and failure.times > 0:
                failure.times -= 1
                if failure.done:
                    with self._lock:
                        self._route(method, target, body)
                return failure.status, failure.body
        try:
            if not authorization.startswith("Bearer "):
                raise Refused(
                    401, 16, "token not valid. see https://argo-workflows.readthedocs.io/en/latest/faq/"
                )
            # Argo itself does not look at a token: Kubernetes does, when Argo calls it.
            if authorization != f"Bearer {self.token}":
                if "/userinfo" in target:
                    return 200, "{}"
                if not target.endswith(("/version", "/info")):
                    raise Refused(401, 16, "Unauthorized")
            if target.partition("?")[0].endswith("/log"):
                return 200, self._log(target)
            with self._lock:
                return 200, json.dumps(self._route(method, target, body))
        except Refused as refused:
            return refused.status, json.dumps(refused.body)

    def _route(self, method: str, target: str, body: bytes) -> dict[str, Any]:
        parts = urlsplit(target)
        inner = parts.path.removeprefix(self.base_href.rstrip("/"))
        if not parts.path.startswith(self.base_href):
            raise Refused(404, 5, "Not Found")
        path = [unquote(part) for part in inner.strip("/").split("/")]
        if path == ["api", "v1", "version"]:
            return {"version": self.version}
        if path == ["api", "v1", "info"]:
            return {"managedNamespace": "dev"}
        if path == ["api", "v1", "userinfo"]:
            return {"subject": "system:serviceaccount:dev:argo-developer"}
        if path[:2] != ["api", "v1"] or path[2] not in ("workflows", "cron-workflows") or len(path) < 4:
            raise Refused(404, 5, "Not Found")
        namespace, rest = path[3], path[4:]
        if namespace != "dev":
            raise Refused(
                403, 7, f"Permission denied, you are not allowed to use workflows in namespace {namespace}"
            )
        self._check_right(method, path[2].replace("-", ""), rest)
        if path[2] == "cron-workflows":
            return self._cron(method, rest, target, body)
        if method == "POST" and not rest:
            sent = json.loads(body)
            return self._create(sent["workflow"], dry_run=sent.get("serverDryRun", False))
        if method == "GET" and not rest:
            return self._list(parse_qs(parts.query))
        if rest[0] not in self.runs:
            raise Refused(404, 5, f'workflows.argoproj.io "{rest[0]}" not found')
        if method == "PUT" and rest[1:] == ["stop"]:
            return self._stop(rest[0])
        if method == "DELETE":
            self.collect(rest[0])
            return {}
        return self.runs[rest[0]].workflow

    def _check_right(self, method: str, kind: str, rest: list[str]) -> None:
        """Refuse what Kubernetes refuses the token's account, in the order in which Argo asks it."""
        changed = {"POST": ["create"], "GET": ["get" if rest else "list"], "DELETE": ["get", "delete"]}
        verbs = changed.get(method, ["get", "update"])
        if rest[1:]:
            verbs = ["get", "patch"] if kind == "workflows" else ["patch"]  # stop; suspend and resume
        for verb in verbs:
            if (verb, kind) in self.forbidden:
                who = 'User "system:serviceaccount:dev:argo-developer"'
                what = f'{kind}.argoproj.io is forbidden: {who} cannot {verb} resource "{kind}"'
                raise Refused(403, 7, f'{what} in API group "argoproj.io" in the namespace "dev"')
            known = self.runs if kind == "workflows" else self.crons
            if verb == "get" and rest and rest[0] not in known:
                raise Refused(404, 5, f'{kind}.argoproj.io "{rest[0]}" not found')

    def _log(self, target: str) -> str:
        name = target.partition("/log")[0].rpartition("/")[2]
        lines = [(pod, line) for pod, log in self.runs[name].logs.items() for line in log.splitlines()]
        return "\n".join(
            json.dumps({"result": {"content": line, "podName": f"{name}-{pod}"}}) for pod, line in lines
        )

    def _list(self, query: dict[str, list[str]]) -> dict[str, Any]:
        label = query.get("listOptions.labelSelector", [""])[0]
        key, _, value = label.partition("=")
        found = [r.workflow for r in self.runs.values()]
        if label:
            found = [workflow for workflow in found if workflow["metadata"]["labels"].get(key) == value]
        items = [
            {
                "metadata": {
                    key: w["metadata"][key] for key in ("name", "uid", "labels", "creationTimestamp")
                },
                "spec": {"arguments": {}, "shutdown": w["spec"].get("shutdown", "")},
                "status": {
                    key: w["status"].get(key)
                    for key in ("phase", "message", "startedAt", "finishedAt", "nodes")
                },
            }
            for w in found
        ]
        return {"metadata": {"resourceVersion": "1"}, "items": items or None}

    def _create(self, workflow: dict[str, Any], dry_run: bool) -> dict[str, Any]:
        name = workflow["metadata"]["name"]
        if not NAME.fullmatch(name):
            raise Refused(
                400, 3, f'Workflow.argoproj.io "{name}" is invalid: metadata.name: Invalid value: "{name}"'
            )
        if name in self.runs:
            raise Refused(409, 6, f'workflows.argoproj.io "{name}" already exists')
        check(workflow["spec"])
        if self.nebari:
            mutate(workflow, workflow["spec"], self.users_environment)
        return workflow if dry_run else self._start(workflow, time.time())

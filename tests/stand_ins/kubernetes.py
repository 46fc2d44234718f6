"""A stand-in for Kubernetes' API: a real HTTPS server that shows pods and claims as a real one did (``data/pods``)."""

from __future__ import annotations

import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

TOKEN = "kubernetes-token"
PODS = Path(__file__).parents[1] / "data" / "pods"


class KubernetesStandIn:
    """Kubernetes' API, and the folder in which a pod finds its service account.

    Attributes
    ----------
    objects
        What there is, by the last two parts of its path: ``pods/jupyter-alice``.
    refused
        Kinds that the service account may not get.
    silent
        Kinds of which nothing is told: the connection ends without an answer.
    hang_seconds
        How long each answer takes.
    requests
        The paths that were asked for.
    rules
        What the service account may do, as Kubernetes tells it.
    """

    def __init__(self, folder: Path, token: str = TOKEN) -> None:
        self.token = token
        self.rules: list[dict[str, Any]] = []
        self.objects: dict[str, dict[str, Any]] = {}
        self.refused: set[str] = set()
        self.silent: set[str] = set()
        self.hang_seconds = 0.0
        self.requests: list[str] = []
        self.service_account = folder
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stand_in.answer(self)

            def do_POST(self) -> None:
                stand_in.review(self)

            def log_message(self, *args: object) -> None:
                pass

        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = str(self._server.server_port)
        folder.mkdir()
        authority.cert_pem.write_to_path(str(folder / "ca.crt"))
        (folder / "token").write_text(token)
        (folder / "namespace").write_text("jhub")

    def __enter__(self) -> KubernetesStandIn:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def run_pod(self, recorded: str, *claims: str, modes: tuple[str, ...] = ("ReadWriteOnce",)) -> str:
        """Make a recorded pod, and claims with these access modes, be there; return the pod's name."""
        pod = json.loads((PODS / f"{recorded}.json").read_text())
        (self.service_account / "namespace").write_text(pod["metadata"]["namespace"])
        self.objects[f"pods/{pod['metadata']['name']}"] = pod
        for claim in claims:
            spec = {"accessModes": list(modes), "volumeName": "pvc-1"}
            self.objects[f"persistentvolumeclaims/{claim}"] = {"kind": "PersistentVolumeClaim", "spec": spec}
        return str(pod["metadata"]["name"])

    def answer(self, http: BaseHTTPRequestHandler) -> None:
        self.requests.append(http.path)
        time.sleep(self.hang_seconds)
        *_, namespace, kind, name = http.path.split("/")
        if kind in self.silent:
            return
        account = f"system:serviceaccount:{namespace}:user"
        if http.headers.get("Authorization") != f"Bearer {self.token}":
            self._send(http, 401, _status(401, "Unauthorized"))
        elif kind in self.refused:
            words = f'User "{account}" cannot get resource "{kind}" in API group "" in the namespace "{namespace}"'
            self._send(http, 403, _status(403, f'{kind} "{name}" is forbidden: {words}'))
        elif f"{kind}/{name}" not in self.objects:
            self._send(http, 404, _status(404, f'{kind} "{name}" not found'))
        else:
            self._send(http, 200, self.objects[f"{kind}/{name}"])

    def review(self, http: BaseHTTPRequestHandler) -> None:
        """Tell the caller what it may do."""
        sent = json.loads(http.rfile.read(int(http.headers["Content-Length"])))
        if http.headers.get("Authorization") != f"Bearer {self.token}":
            self._send(http, 401, _status(401, "Unauthorized"))
        else:
            assert http.path == "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
            assert (sent["kind"], list(sent["spec"])) == ("SelfSubjectRulesReview", ["namespace"])
            status = {"resourceRules": self.rules, "nonResourceRules": [], "incomplete": False}
            self._send(http, 201, {**sent, "status": status})

    def _send(self, http: BaseHTTPRequestHandler, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        http.send_response(status)
        http.send_header("Content-Type", "application/json")
        http.send_header("Content-Length", str(len(data)))
        http.end_headers()
        http.wfile.write(data)


def _status(code: int, message: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "code": code,
    }

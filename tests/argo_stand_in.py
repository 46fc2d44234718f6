"""A stand-in for Argo's server and controller: a real HTTP server that runs the submitted templates' commands as processes.

Its clock stands still for cron workflows until a test moves it (`tick`).

It answers as a real Argo did (the recordings in ``data/argo``), refuses what Argo refuses, and keeps the objects. A pod is a
process with the manifest's environment and nothing of the tests', so a manifest must carry what its command needs.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import available_timezones

from argo_jupyter_scheduler.pods import quantities

from . import cron_reference

VARIABLE = re.compile(r"\{\{\s*([^}\s]+)\s*\}\}")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABELS = "workflows.argoproj.io"


class Refused(Exception):
    """An answer that is an error, as Argo's gateway writes it."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.body = status, {"code": code, "message": message}


@dataclass
class Failure:
    """An answer that a test asked for."""

    status: int
    body: str
    times: int
    path: str
    method: str
    done: bool


@dataclass
class Run:
    """A workflow that is under way."""

    workflow: dict[str, Any]
    thread: threading.Thread | None = None
    pods: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    over: bool = False


class ArgoStandIn:
    """Argo's server and controller.

    Attributes
    ----------
    requests
        Method and path of every call.
    posted
        The bodies of those that are POST.
    hang_seconds
        How long each answer takes.
    pending
        While set, no pod starts: its node is Pending with this message.
    broken
        While set, no pod can even be made: its node is an Error with this message.
    controller_is_up
        While not, no cron workflow fires; what a restarted one makes up for, ``startingDeadlineSeconds`` says.
    nebari
        Whether Nebari's admission controller is there.
    users_environment
        The environment of the user's JupyterLab pod, for that one.
    secrets
        Values of Kubernetes Secrets by name and key.
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
        self.token, self.version = token, version
        self.base_href = base_href
        self.forbidden: set[tuple[str, str]] = set()
        self.cuts = 0
        self.stalls = False
        self.requests: list[tuple[str, str]] = []
        self.posted: list[dict[str, Any]] = []
        self.hang_seconds = 0.0
        self.pending = ""
        self.broken = ""
        self.controller_is_up = True
        self.nebari = False
        self.users_environment = {"NEBARI": "1"}
        self.secrets: dict[tuple[str, str], str] = {}
        self.runs: dict[str, Run] = {}
        self.crons: dict[str, dict[str, Any]] = {}
        self.clock = time.time()
        self._versions = itertools.count(1)
        self._failures: list[Failure] = []
        self._lock = threading.RLock()
        self._closing = False
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

    # What tests do to it

    def fail_next(
        self, status: int, body: Any, times: int = 1, path: str = "", method: str = "", done: bool = False
    ) -> None:
        """Answer the next calls whose path contains `path` with an error; with `done`, do what they ask for all the same."""
        text = body if isinstance(body, str) else json.dumps(body)
        self._failures.append(Failure(status, text, times, path, method, done))

    def kill_pod(self, name: str, reason: str = "OOMKilled (exit code 137)") -> None:
        """Kill the pod's processes, as the kernel does when memory is short."""
        run = self.runs[name]
        for node, pod in list(run.pods.items()):
            run.reasons[node] = reason
            _signal(pod, signal.SIGKILL)

    def delete_pod(self, name: str) -> None:
        """Lose a pod without its command having ended, so that Argo takes it for a success (``kubectl delete --force``)."""
        self.kill_pod(name, "")

    def wait(self, name: str, timeout: float = 60) -> dict[str, Any]:
        """Return a workflow once it is over, exit handler included."""
        run = self.runs[name]
        assert run.thread
        run.thread.join(timeout)
        assert not run.thread.is_alive(), run.workflow["status"]
        return run.workflow

    def end_pod(self, name: str, reason: str) -> None:
        """Tell the pod's processes to end, as Kubernetes does at a deadline or when a node is drained."""
        run = self.runs[name]
        for node, pod in list(run.pods.items()):
            run.reasons[node] = reason
            _signal(pod, signal.SIGTERM)

    def terminate(self, name: str) -> None:
        """Terminate a workflow, as Argo's UI can: no exit handler runs."""
        self._end(name)

    def collect(self, name: str) -> None:
        """Delete a workflow with its pods, as a user of kubectl or Argo's garbage collection does."""
        self._end(name)
        del self.runs[name]

    def runs_of(self, cron: str) -> list[str]:
        """Return the names of a cron workflow's runs, oldest first."""
        return sorted(name for name in self.runs if name.startswith(f"{cron}-"))

    def tick(self, minutes: int = 1) -> None:
        """Move the clock on by whole minutes, one by one; the controller does what is due at each."""
        for _ in range(minutes):
            with self._lock:
                self.clock = (self.clock // 60 + 1) * 60
                for cron in list(self.crons.values()):
                    self._fire(cron)

    # Cron workflows

    def _fire(self, cron: dict[str, Any]) -> None:
        spec, seen = cron["spec"], cron["_seen"]
        if not self.controller_is_up:
            return
        text = spec["schedule"] if self._major_minor() < (3, 6) else spec["schedules"][0]
        due = _due(text, spec.get("timezone") or "UTC", seen, self.clock)
        cron["_seen"] = self.clock
        missed = due and due[-1] < self.clock
        if (
            not due
            or spec.get("suspend")
            or (missed and self.clock - due[-1] > spec.get("startingDeadlineSeconds", 0))
        ):
            return
        name = cron["metadata"]["name"]
        uid = cron["metadata"]["uid"]
        active = [
            run
            for run in list(self.runs.values())
            if run.workflow["status"]["phase"] == "Running" and _owner(run.workflow) == uid
        ]
        if active and spec.get("concurrencyPolicy") == "Forbid":
            return
        if spec.get("concurrencyPolicy") == "Replace":
            for run in active:
                self._end(run.workflow["metadata"]["name"])
        denied = self.nebari and self._denied(cron)
        metadata = cron["metadata"]
        metadata["resourceVersion"] = str(next(self._versions))
        metadata.setdefault("annotations", {})["cronworkflows.argoproj.io/last-used-schedule"] = text
        cron["_fired"], cron["_touched"] = True, False
        if denied:
            return
        labels = {**spec.get("workflowMetadata", {}).get("labels", {}), f"{LABELS}/cron-workflow": name}
        child = {"metadata": {"name": f"{name}-{int(due[-1])}", "namespace": "dev", "labels": labels}}
        child["metadata"]["ownerReferences"] = [
            {"kind": "CronWorkflow", "name": name, "uid": metadata["uid"]}
        ]
        self._start({**child, "spec": json.loads(json.dumps(spec["workflowSpec"]))}, self.clock)

    def _denied(self, cron: dict[str, Any]) -> bool:
        """Return whether Nebari's admission controller denies a cron workflow's next run."""
        containers = [t["container"] for t in cron["spec"]["workflowSpec"]["templates"] if t.get("container")]
        return bool(cron.get("_fired") and cron.get("_touched")) or any(
            c["image"] != "users" for c in containers
        )

    def _major_minor(self) -> tuple[int, int]:
        major, minor, *_ = self.version.removeprefix("v").split(".")
        return int(major), int(minor)

    def _cron(self, method: str, rest: list[str], target: str, body: bytes) -> dict[str, Any]:
        if method == "POST":
            return self._create_cron(json.loads(body)["cronWorkflow"])
        if not rest:
            return {"items": [_public(cron) for cron in self.crons.values()] or None}
        name = rest[0]
        if name not in self.crons:
            raise Refused(404, 5, f'cronworkflows.argoproj.io "{name}" not found')
        cron = self.crons[name]
        if method == "GET":
            return _public(cron)
        if method == "DELETE":
            del self.crons[name]
            for run in self.runs_of(name):
                if _owner(self.runs[run].workflow) == cron["metadata"]["uid"]:
                    if "propagationPolicy=Orphan" in target:
                        del self.runs[run].workflow["metadata"]["ownerReferences"]
                    else:
                        self.collect(run)
            return {}
        if rest[1:] in (["suspend"], ["resume"]):
            cron["spec"]["suspend"] = rest[1] == "suspend"
            self._touch(cron)
            return _public(cron)
        sent = json.loads(body)["cronWorkflow"]
        version = sent["metadata"].get("resourceVersion")
        if not version:
            text = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
            raise Refused(400, 3, f'cronworkflows.argoproj.io "{name}" is invalid: {text}')
        if version != cron["metadata"]["resourceVersion"]:
            words = (
                "the object has been modified; please apply your changes to the latest version and try again"
            )
            text = f'Operation cannot be fulfilled on cronworkflows.argoproj.io "{name}": {words}'
            raise Refused(500, 2, text) if self._major_minor() < (3, 6) else Refused(409, 6, text)
        self._check_cron(sent["spec"])
        cron.update(metadata=sent["metadata"], spec=sent["spec"])
        cron["_seen"] = self.clock
        self._touch(cron)
        return _public(cron)

    def _touch(self, cron: dict[str, Any]) -> None:
        cron["metadata"]["resourceVersion"] = str(next(self._versions))
        cron["_touched"] = True

    def _create_cron(self, cron: dict[str, Any]) -> dict[str, Any]:
        metadata, name = cron["metadata"], cron["metadata"]["name"]
        if not NAME.fullmatch(name):
            text = f'metadata.name: Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of'
            raise Refused(400, 3, f'CronWorkflow.argoproj.io "{name}" is invalid: {text}')
        if len(name) > 52:
            raise Refused(400, 3, f'cron workflow name "{name}" must not be more than 52 characters long')
        if name in self.crons:
            raise Refused(409, 6, f'cronworkflows.argoproj.io "{name}" already exists')
        self._check_cron(cron["spec"])
        if self.nebari:
            _mutate(cron, cron["spec"]["workflowSpec"], self.users_environment)
        metadata.setdefault("labels", {})[f"{LABELS}/creator"] = "system-serviceaccount-dev-argo-developer"
        metadata.update(uid=str(uuid.uuid4()), resourceVersion=str(next(self._versions)))
        metadata["creationTimestamp"] = _stamp(self.clock)
        cron["_seen"] = self.clock
        self.crons[name] = cron
        return _public(cron)

    def _check_cron(self, spec: dict[str, Any]) -> None:
        _check(spec["workflowSpec"])
        version = self._major_minor()
        one, several = spec.get("schedule"), spec.get("schedules")
        code = (500, 2) if version < (3, 6) else (400, 3)
        if version < (3, 6) and not one:
            raise Refused(*code, "cron schedule is malformed: empty spec string")
        if version >= (3, 6) and not several:
            raise Refused(*code, "cron workflow must have at least one schedule")
        if (3, 6) <= version < (4, 0) and one and several:
            raise Refused(
                *code, "cron workflow cant be configured with both Spec.Schedule and Spec.Schedules"
            )
        text = one if version < (3, 6) else several[0]
        try:
            cron_reference.check(text)
        except ValueError as error:
            raise Refused(*code, f"cron schedule {text} is malformed: {error}") from error
        if version >= (3, 6) and spec.get("timezone") not in available_timezones():
            raise Refused(*code, f'invalid timezone "{spec.get("timezone")}": unknown time zone')
        # Written by Argo's own types: what is false or empty is dropped, containers get their defaults.
        if not spec.get("suspend"):
            spec.pop("suspend", None)
        for template in spec["workflowSpec"]["templates"]:
            template.update(inputs=template.get("inputs", {}), outputs={}, metadata={})
            if "container" in template:
                template["container"] = {"name": "", "resources": {}, **template["container"]}

    # HTTP

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
        _check(workflow["spec"])
        if self.nebari:
            _mutate(workflow, workflow["spec"], self.users_environment)
        return workflow if dry_run else self._start(workflow, time.time())

    def _start(self, workflow: dict[str, Any], created: float) -> dict[str, Any]:
        labels = workflow["metadata"].setdefault("labels", {})
        labels[f"{LABELS}/creator"] = "system-serviceaccount-dev-argo-developer"
        workflow["metadata"]["uid"] = str(uuid.uuid4())
        workflow["metadata"]["creationTimestamp"] = _stamp(created)
        workflow["status"] = {"phase": "Running", "startedAt": _stamp(time.time()), "nodes": {}}
        run = self.runs[workflow["metadata"]["name"]] = Run(workflow)
        run.thread = threading.Thread(target=self._execute, args=(run,), daemon=True)
        run.thread.start()
        return json.loads(json.dumps(workflow))

    def _stop(self, name: str) -> dict[str, Any]:
        run = self.runs[name]
        if run.workflow["status"]["phase"] != "Running":
            raise Refused(
                500, 13, f'cannot shutdown a completed workflow: workflow: "{name}", namespace: "dev"'
            )
        run.workflow["spec"]["shutdown"] = "Stop"
        for node, pod in list(run.pods.items()):
            run.reasons[node] = "workflow shutdown with strategy:  Stop"
            _signal(pod, signal.SIGTERM)
        return run.workflow

    def _end(self, name: str) -> None:
        run = self.runs[name]
        run.workflow["spec"]["shutdown"] = "Terminate"
        for pod in list(run.pods.values()):
            _signal(pod, signal.SIGKILL)

    # The controller

    def _execute(self, run: Run) -> None:
        spec, status = run.workflow["spec"], run.workflow["status"]
        variables = {
            "workflow.name": run.workflow["metadata"]["name"],
            "workflow.uid": run.workflow["metadata"]["uid"],
            "workflow.creationTimestamp": run.workflow["metadata"]["creationTimestamp"],
        }
        deadline = threading.Timer(spec.get("activeDeadlineSeconds", 0), self._deadline, [run])
        if spec.get("activeDeadlineSeconds"):
            deadline.start()
        ok = self._template(run, spec["entrypoint"], spec["entrypoint"], variables, {})
        deadline.cancel()
        ended = "Succeeded" if ok else "Failed"
        if spec.get("shutdown") != "Terminate" and spec.get("onExit"):
            failed = [n for n in status["nodes"].values() if n["phase"] in ("Failed", "Error")]
            keys = ("displayName", "message", "phase")
            listed = json.dumps([{key: node.get(key, "") for key in keys} for node in failed])
            variables |= {"workflow.status": ended, "workflow.failures": json.dumps(listed)}
            self._template(run, spec["onExit"], f"{run.workflow['metadata']['name']}.onExit", variables, {})
        shutdown = spec.get("shutdown")
        if shutdown:
            ended, status["message"] = "Failed", f"Stopped with strategy '{shutdown}'"
        elif not ok:
            status["message"] = f"child '{run.workflow['metadata']['name']}-1' failed"
        status.update(phase=ended, finishedAt=_stamp(time.time()))

    def _deadline(self, run: Run) -> None:
        run.over = True
        self.end_pod(
            run.workflow["metadata"]["name"],
            "Pod was active on the node longer than the specified deadline",
        )

    def _template(
        self, run: Run, name: str, display: str, variables: dict[str, str], arguments: dict[str, str]
    ) -> bool:
        template = next(t for t in run.workflow["spec"]["templates"] if t["name"] == name)
        inputs = {
            f"inputs.parameters.{p['name']}": arguments.get(p["name"], _expand(p.get("value", ""), variables))
            for p in template.get("inputs", {}).get("parameters", [])
        }
        if "retryStrategy" in template:
            return self._attempts(run, display, template, {**variables, **inputs})
        if "container" in template:
            return self._pod(run, display, template["container"], {**variables, **inputs})
        return self._steps(run, template["steps"], dict(variables))

    def _attempts(self, run: Run, display: str, template: dict[str, Any], variables: dict[str, str]) -> bool:
        node = run.workflow["status"]["nodes"].setdefault(
            display, {**_node(display, "Running"), "type": "Retry"}
        )
        for attempt in range(int(template["retryStrategy"]["limit"]) + 1):
            name = f"{display}({attempt})"
            if self._pod(run, name, template["container"], {**variables, "retries": str(attempt)}):
                node["phase"] = "Succeeded"
                return True
            if run.over or run.workflow["spec"].get("shutdown"):
                node.update(phase="Failed", message="")
                return False
        node.update(phase="Failed", message="No more retries left")
        return False

    def _steps(self, run: Run, groups: list[list[dict[str, Any]]], variables: dict[str, str]) -> bool:
        for group in groups:
            for step in group:
                if not _holds(_expand(step.get("when", ""), variables)):
                    run.workflow["status"]["nodes"][step["name"]] = _node(step["name"], "Skipped")
                    continue
                ok = self._template(run, step["template"], step["name"], variables, {})
                variables[f"steps.{step['name']}.status"] = "Succeeded" if ok else "Failed"
                if not ok and not (step.get("continueOn") or {}).get("failed"):
                    return False
        return True

    def _pod(self, run: Run, display: str, container: dict[str, Any], variables: dict[str, str]) -> bool:
        node = run.workflow["status"]["nodes"].setdefault(display, _node(display, "Pending"))
        if self.broken:
            node.update(phase="Error", message=self.broken)
            return False
        while self.pending and not self._closing and not run.workflow["spec"].get("shutdown"):
            node["message"] = self.pending
            time.sleep(0.02)
        if self._closing or run.workflow["spec"].get("shutdown") == "Terminate":
            return False
        command = [_expand(word, variables) for word in [*container["command"], *container.get("args", [])]]
        if not shutil.which(command[0]):
            node.update(
                phase="Failed",
                message=f"main: Error (exit code 64): failed to find name in PATH: {command[0]}",
            )
            return False
        environment = {"PATH": os.defpath}
        for one in container.get("env", []):
            reference = one.get("valueFrom", {}).get("secretKeyRef")
            if reference is None:
                environment[one["name"]] = one.get("value", "")
            elif (reference["name"], reference["key"]) in self.secrets:
                environment[one["name"]] = self.secrets[reference["name"], reference["key"]]
            elif not reference.get("optional"):
                self.pending = f'CreateContainerConfigError: secret "{reference["name"]}" not found'
                return self._pod(run, display, container, variables)  # for ever
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
            pod = subprocess.Popen(
                command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
            )
            _limit(pod, container.get("resources", {}).get("limits", {}))
            node.update(phase="Running", message="")
            run.pods[display] = pod
            code = pod.wait()
            del run.pods[display]
            log.seek(0)
            run.logs[display] = log.read().decode(errors="replace")
        reason = run.reasons.pop(display, None)
        if reason == "":
            node.update(phase="Succeeded", message="pod deleted")
        elif reason or code:
            words = (
                f"main: {reason}" if reason else f"main: Error (exit code {code if code > 0 else 128 - code})"
            )
            node.update(phase="Failed", message=words)
        else:
            node.update(phase="Succeeded")
        return bool(node["phase"] == "Succeeded")


def _owner(workflow: dict[str, Any]) -> str | None:
    """Return the uid of the cron workflow that a run belongs to, None if it belongs to none or is orphaned."""
    [owner] = workflow["metadata"].get("ownerReferences") or [{}]
    return owner.get("uid")


def _check(spec: dict[str, Any]) -> None:
    """Refuse what Argo refuses of a workflow's specification."""
    templates = {template["name"]: template for template in spec["templates"]}
    used = [spec.get("entrypoint"), spec.get("onExit", spec.get("entrypoint"))]
    used += [s["template"] for t in templates.values() for group in t.get("steps", []) for s in group]
    for name in used:
        if name not in templates:
            raise Refused(400, 3, f"template name '{name}' undefined")
    known = r"(workflow\.(name|uid|status|failures|creationTimestamp(\.s)?)|steps\.[\w-]+\.status|inputs\.parameters\..+)"
    for template in templates.values():
        if "container" in template and not template["container"].get("image"):
            raise Refused(400, 3, f"templates.{template['name']}.container.image may not be empty")
        for variable in VARIABLE.findall(json.dumps(template)):
            retries = variable == "retries" and "retryStrategy" in template
            if not retries and not re.fullmatch(known, variable):
                raise Refused(400, 3, f"templates.{template['name']}: failed to resolve {{{{{variable}}}}}")
    mounts = {m["name"] for t in templates.values() for m in t.get("container", {}).get("volumeMounts", [])}
    for name in mounts - {volume["name"] for volume in spec.get("volumes", [])}:
        raise Refused(400, 3, f"volume '{name}' not found in workflow spec")


def _expand(text: str, variables: dict[str, str]) -> str:
    return VARIABLE.sub(lambda match: variables.get(match[1], match[0]), text)


def _holds(condition: str) -> bool:
    if not condition:
        return True
    left, operator, right = re.split(r"\s+(==|!=)\s+", condition)
    return (left == right) == (operator == "==")


def _node(display: str, phase: str) -> dict[str, Any]:
    kind = "Skipped" if phase == "Skipped" else "Pod"
    return {"displayName": display, "type": kind, "phase": phase, "message": ""}


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _due(schedule: str, zone: str, after: float, until: float) -> list[int]:
    """Return the minutes in which a schedule was due; ``@every`` is taken, but not played."""
    if schedule.startswith("@every"):
        return []
    minutes = range((int(after) // 60 + 1) * 60, int(until) + 1, 60)
    return [minute for minute in minutes if cron_reference.matches(schedule, zone, minute)]


def _public(cron: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a cron workflow as Argo shows it."""
    shown = {key: value for key, value in cron.items() if not key.startswith("_")}
    return dict(json.loads(json.dumps(shown)))


def _mutate(thing: dict[str, Any], spec: dict[str, Any], environment: dict[str, str]) -> None:
    """Do what Nebari's admission controller does on CREATE to objects with its label; each time it is done, it adds."""
    if "jupyterflow-override" not in thing["metadata"].get("labels", {}):
        return
    for template in spec["templates"]:
        if template.get("container"):
            container = template["container"]
            container["image"] = "users"
            container["env"] = [
                *(container.get("env") or []),
                *({"name": name, "value": value} for name, value in environment.items()),
            ]


def _limit(pod: subprocess.Popen[bytes], limits: dict[str, str]) -> None:
    """Limit a pod's memory and cores, as Kubernetes does with control groups."""
    if sys.platform != "linux":
        return
    if "memory" in limits:
        amount = int(quantities.amount(limits["memory"]))
        resource.prlimit(pod.pid, resource.RLIMIT_DATA, (amount, amount))
    if "cpu" in limits:
        os.sched_setaffinity(
            pod.pid, sorted(os.sched_getaffinity(pod.pid))[: math.ceil(quantities.amount(limits["cpu"]))]
        )


def _signal(pod: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal all of a pod: the end of its first process is the end of the others, also of a kernel's own session."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        family = psutil.Process(pod.pid).children(recursive=True)
        os.killpg(pod.pid, number)
        if number == signal.SIGKILL:
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()

"""Argo's controller: workflows, and pods that are processes."""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from argo_jupyter_scheduler.engines.argo.pods import quantities
from tests.stand_ins.argo.rules import LABELS, Refused, expand, holds
from tests.support.eventually import PATIENCE_SECONDS


@dataclass
class Run:
    """A workflow that is under way."""

    workflow: dict[str, Any]
    thread: threading.Thread | None = None
    pods: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    over: bool = False


class Controller:
    """Runs workflows.

    Attributes
    ----------
    pending
        While set, no pod starts: its node is Pending with this message.
    broken
        While set, no pod can even be made: its node is an Error with this message.
    secrets
        Values of Kubernetes Secrets by name and key.
    """

    def __init__(self) -> None:
        self.pending = ""
        self.broken = ""
        self.secrets: dict[tuple[str, str], str] = {}
        self.runs: dict[str, Run] = {}
        self._closing = False

    # What tests do to it

    def kill_pod(self, name: str, reason: str = "OOMKilled (exit code 137)") -> None:
        """Kill the pod's processes, as the kernel does when memory is short."""
        run = self.runs[name]
        for node, pod in list(run.pods.items()):
            run.reasons[node] = reason
            _signal(pod, signal.SIGKILL)

    def delete_pod(self, name: str) -> None:
        """Lose a pod without its command having ended, so that Argo takes it for a success (``kubectl delete --force``)."""
        self.kill_pod(name, "")

    def wait(self, name: str, timeout: float = PATIENCE_SECONDS) -> dict[str, Any]:
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

    # What it does

    def _start(self, workflow: dict[str, Any], created: float) -> dict[str, Any]:
        labels = workflow["metadata"].setdefault("labels", {})
        labels[f"{LABELS}/creator"] = "system-serviceaccount-dev-argo-developer"
        workflow["metadata"]["uid"] = str(uuid.uuid4())
        workflow["metadata"]["creationTimestamp"] = stamp(created)
        workflow["status"] = {"phase": "Running", "startedAt": stamp(time.time()), "nodes": {}}
        run = self.runs[workflow["metadata"]["name"]] = Run(workflow)
        run.thread = threading.Thread(target=self._execute, args=(run,), daemon=True)
        run.thread.start()
        return dict(json.loads(json.dumps(workflow)))

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
        status.update(phase=ended, finishedAt=stamp(time.time()))

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
            f"inputs.parameters.{p['name']}": arguments.get(p["name"], expand(p.get("value", ""), variables))
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
                if not holds(expand(step.get("when", ""), variables)):
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
        command = [expand(word, variables) for word in [*container["command"], *container.get("args", [])]]
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


def _node(display: str, phase: str) -> dict[str, Any]:
    kind = "Skipped" if phase == "Skipped" else "Pod"
    return {"displayName": display, "type": kind, "phase": phase, "message": ""}


def stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


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

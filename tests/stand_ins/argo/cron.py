"""Cron workflows, by a clock that stands still until a test moves it, and Nebari's admission controller."""

from __future__ import annotations

import itertools
import json
import threading
import time
import uuid
from typing import Any
from zoneinfo import available_timezones

from tests.stand_ins.argo.controller import Controller, stamp
from tests.stand_ins.argo.rules import LABELS, NAME, Refused, check
from tests.support import cron_reference


class CronController(Controller):
    """Runs cron workflows.

    Attributes
    ----------
    clock
        Seconds since 1970.
    controller_is_up
        While not, no cron workflow fires; what a restarted one makes up for, ``startingDeadlineSeconds`` says.
    nebari
        Whether Nebari's admission controller is there.
    users_environment
        The environment of the user's JupyterLab pod, for that one.

    Parameters
    ----------
    version
        Of Argo.
    """

    def __init__(self, version: str) -> None:
        super().__init__()
        self.version = version
        self.controller_is_up = True
        self.nebari = False
        self.users_environment = {"NEBARI": "1"}
        self.crons: dict[str, dict[str, Any]] = {}
        self.clock = time.time()
        self._versions = itertools.count(1)
        self._lock = threading.RLock()

    # What tests do to it

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

    # What it does

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
            mutate(cron, cron["spec"]["workflowSpec"], self.users_environment)
        metadata.setdefault("labels", {})[f"{LABELS}/creator"] = "system-serviceaccount-dev-argo-developer"
        metadata.update(uid=str(uuid.uuid4()), resourceVersion=str(next(self._versions)))
        metadata["creationTimestamp"] = stamp(self.clock)
        cron["_seen"] = self.clock
        self.crons[name] = cron
        return _public(cron)

    def _check_cron(self, spec: dict[str, Any]) -> None:
        check(spec["workflowSpec"])
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
        text: str = spec["schedule"] if version < (3, 6) else spec["schedules"][0]
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


def _owner(workflow: dict[str, Any]) -> str | None:
    """Return the uid of the cron workflow that a run belongs to, None if it belongs to none or is orphaned."""
    [owner] = workflow["metadata"].get("ownerReferences") or [{}]
    uid: str | None = owner.get("uid")
    return uid


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


def mutate(thing: dict[str, Any], spec: dict[str, Any], environment: dict[str, str]) -> None:
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

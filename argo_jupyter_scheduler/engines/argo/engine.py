"""The engine of Argo Workflows: a Workflow a run, a CronWorkflow a definition."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from argo_jupyter_scheduler.domain.argo_failures import join_messages
from argo_jupyter_scheduler.domain.clock import milliseconds, now_ms
from argo_jupyter_scheduler.domain.errors import EngineError, EngineRefused, EngineUnavailable, InvalidJob
from argo_jupyter_scheduler.domain.identity import cron_workflow_name
from argo_jupyter_scheduler.domain.messages import REPLACED, STOPPED_IN_ARGO, WAITED
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.domain.status import WAITING
from argo_jupyter_scheduler.engines.argo import live_objects
from argo_jupyter_scheduler.engines.argo.api import CRON_WORKFLOWS, OLDEST, WORKFLOWS, ArgoApi
from argo_jupyter_scheduler.engines.argo.connection import Connection
from argo_jupyter_scheduler.engines.argo.manifests import Site, build_cron_workflow, build_workflow, for_run
from argo_jupyter_scheduler.engines.argo.pods import visibility as places
from argo_jupyter_scheduler.engines.argo.pods.names import DEFINITION_LABEL, JOB_LABEL, MANAGER
from argo_jupyter_scheduler.engines.base import Engine, Observation, ScheduledRun, Snapshot
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow, ScheduleRow

FIELDS = ",".join(
    f"items.{name}"
    for name in (
        *("metadata.name", "metadata.uid", "metadata.labels", "metadata.creationTimestamp"),
        *("spec.shutdown", "status.phase", "status.message", "status.nodes"),
    )
)
"""What a list answers with; everything else (each run's whole manifest) would make it slow."""

OURS = ",".join("=".join(label) for label in MANAGER.items())

PATIENCE = 60_000
"""Milliseconds that a job may wait before its row tells why, or be without a workflow before it counts as gone."""

ROW_PATIENCE = 10_000
"""Milliseconds after which a scheduled run's pod should have written its row; it takes one or two seconds."""

TRIES = 5
"""How often a change of a live object is tried again when somebody else changed it in between."""

LINGERS = 5.0
"""Seconds that a deleted object may still be seen (Argo 4.1: a moment)."""

GONE = "The workflow of this run no longer exists in Argo: it was deleted before the notebook had finished."
NO_REASON = "Argo ended the run without saying why."
CONFIRMATIONS = 20
"""How many workflows that a list does not have are asked for one by one, a cycle."""

ENDED = ("Failed", "Error", "Succeeded")


class ArgoEngine(Engine):
    """Runs notebooks as Argo Workflows.

    Parameters
    ----------
    connection
        How Argo's server is reached.
    database
        Where the rows are.
    site
        What all runs share.
    """

    name = "argo"
    keeps_schedules = True

    def __init__(self, connection: Connection, database: Database, site: Site) -> None:
        self.api = ArgoApi(connection)
        self._database = database
        self._site = site
        self.longest_run_seconds = site.policy.active_deadline_seconds
        # Only told: another admission controller than Nebari's may mount what is missing.
        self.unshared = "" if site.nebari else places.unshared(site.shape, site.staging_path, site.db_url)
        self.no_images = "Nebari gives each run the image of your JupyterLab." if site.nebari else ""

    def owns(self, job: JobRow) -> bool:  # noqa: D102 (the base class says it)
        return job.pid is None

    def complete_settings(self, settings: RunSettings) -> RunSettings:  # noqa: D102
        site = self._site
        policy = site.policy.concurrency
        return replace(settings, engine="argo", namespace=site.namespace, concurrency_policy=policy)

    def workflow(self, job: JobRow) -> dict[str, Any]:
        """Return the manifest of a run (its row).

        Raises
        ------
        EngineRefused, InvalidJob
            It asks for what is not known here, or the pods' shape is not complete.
        """
        return build_workflow(job, self._site_of(job))

    def cron_workflow(self, definition: DefinitionRow, one_schedule: bool | None = None) -> dict[str, Any]:
        """Return the manifest of a definition (its row), which says of itself what was sent; raises as `schedule`.

        Parameters
        ----------
        one_schedule
            Whether Argo knows ``schedule`` only, as before 3.6; None to ask the server for its version.
        """
        if one_schedule is None:
            self.api.require("job definitions", since=OLDEST)
            one_schedule = self.api.version < (3, 6)
        manifest = build_cron_workflow(definition, self._site_of(definition), one_schedule)
        return live_objects.annotated(manifest, self._configuration_of(definition.get("compute_type")))

    def reason(self, job: JobRow) -> str:
        """Return what Argo says of pods that failed or cannot start; raises as `stop`."""
        return _reason(self.api.call("GET", WORKFLOWS, f"/{job.workflow_name}", accepted=(404,)))

    def log(self, job: JobRow) -> list[str]:
        """Return the lines that a run's pods have printed, as far as they are still there; raises as `stop`."""
        return self.api.log(job.workflow_name)

    def submit(self, job: JobRow) -> None:  # noqa: D102
        body = {"workflow": self.workflow(job)}
        self.api.require("running notebooks", since=OLDEST)
        # The name is derived: one that exists is this call's own earlier try, whose answer was lost.
        self.api.call("POST", WORKFLOWS, "", body, accepted=(409,))

    def stop(self, job: JobRow) -> None:  # noqa: D102
        self._stop(job.workflow_name)

    def _stop(self, name: str) -> None:
        # A finished workflow cannot be stopped: 500 with these words (Argo 3.4 and 4.1).
        body = {"name": name, "namespace": self._site.namespace}
        words = "completed workflow"
        self.api.call("PUT", WORKFLOWS, f"/{name}/stop", body, accepted=(404,), accepted_words=words)

    def delete(self, job: JobRow) -> None:  # noqa: D102
        self.api.call("DELETE", WORKFLOWS, f"/{job.workflow_name}", accepted=(404,))

    def _site_of(self, row: JobRow | DefinitionRow) -> Site:
        """Return what a job's or a definition's runs are made of.

        Raises
        ------
        EngineRefused, InvalidJob
            It asks for what is not known here.
        """
        site = for_run(self._site, row)
        if not site.shape.image:
            raise EngineRefused(
                "It is not known what the run's pods look like. Set c.ArgoScheduler.image to an image that has "
                "argo-jupyter-scheduler, with c.ArgoScheduler.volumes and c.ArgoScheduler.volume_mounts for the home; or give "
                "this server's pod a service account that may get pods, so that they are like it (c.ArgoScheduler.inherit_pod)."
            )
        return site

    # Schedules

    def schedule(self, definition: DefinitionRow) -> None:
        """Make a definition's cron workflow what its row says.

        The live object is read, changed and written back, so that what others put into it stays. Where an admission controller
        rewrote it on its way in (Nebari's), it is replaced by our own manifest instead, since such a controller sees only what is
        created; to pause is Argo's suspend in either case.
        """
        name = cron_workflow_name(definition["job_definition_id"])
        try:
            wanted = self.cron_workflow(definition)
        except (InvalidJob, EngineRefused):
            if definition["active"]:
                raise
            self._pause(name)  # what cannot run, can be paused
            return
        for _ in range(TRIES):
            live = self.api.call("GET", CRON_WORKFLOWS, f"/{name}", accepted=(404,))
            if not live:
                self._create(wanted)
                return
            edited, suspended = live_objects.edited(live, wanted), wanted["spec"]["suspend"]
            if not edited and suspended == bool(live["spec"].get("suspend")):
                return
            if live_objects.rewritten(live, wanted) and (edited or not suspended):
                self._replace(live, wanted)
                return
            body: dict[str, Any] = {"name": name, "namespace": self._site.namespace}
            if edited:
                path = f"/{name}"
                body["cronWorkflow"] = live_objects.merged(live, wanted)
            else:
                path = f"/{name}/{'suspend' if suspended else 'resume'}"
            # Changed or deleted since it was read; Argo 3.4 says 500 for a change. It is read again.
            words = "the object has been modified"
            if self.api.call("PUT", CRON_WORKFLOWS, path, body, accepted=(404, 409), accepted_words=words):
                return
        raise EngineUnavailable(
            f"Argo's cron workflow {name} is changed by others all the time. Try again later."
        )

    def _configuration_of(self, compute_type: str | None) -> str:
        """Return a hash of what is configured of the runs of a compute type."""
        traits = self._site.compute_types.get(compute_type or "")
        text = json.dumps([self._site.configured, traits], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def find_outdated(self, schedules: Sequence[ScheduleRow]) -> list[str]:  # noqa: D102
        sent = {
            name: (metadata.get("annotations") or {}).get(live_objects.CONFIGURATION)
            for name, metadata in self._cron_workflows("annotations").items()
        }
        return [
            one.job_definition_id
            for one in schedules
            if sent.get(cron_workflow_name(one.job_definition_id)) != self._configuration_of(one.compute_type)
        ]

    def _cron_workflows(self, *fields: str) -> dict[str, dict[str, Any]]:
        """Return the metadata of all our cron workflows by their name: of it, these fields only."""
        names = ",".join(f"items.metadata.{field}" for field in ("name", *fields))
        query = {"listOptions.labelSelector": OURS, "fields": names}
        items = self.api.call("GET", CRON_WORKFLOWS, "", query=query).get("items") or []
        return {item["metadata"]["name"]: item["metadata"] for item in items}

    def _pause(self, name: str) -> None:
        body = {"name": name, "namespace": self._site.namespace}
        self.api.call("PUT", CRON_WORKFLOWS, f"/{name}/suspend", body, accepted=(404,))

    def _create(self, wanted: dict[str, Any]) -> None:
        # One that exists is this call's own earlier try, as in `submit`.
        body = {"namespace": self._site.namespace, "cronWorkflow": wanted}
        self.api.call("POST", CRON_WORKFLOWS, "", body, accepted=(409,))

    def _replace(self, live: dict[str, Any], wanted: dict[str, Any]) -> None:
        """Delete the live object without its runs, and create ours; interrupted, the definition's row is the truth."""
        name, old = live["metadata"]["name"], live["metadata"]["uid"]
        others = {
            key: value
            for key, value in live["metadata"].get("labels", {}).items()
            if not key.startswith("workflows.argoproj.io/")  # Argo's own, of the one that goes
        }
        wanted["metadata"]["labels"] = {**others, **wanted["metadata"]["labels"]}
        orphan = {"deleteOptions.propagationPolicy": "Orphan"}
        self.api.call("DELETE", CRON_WORKFLOWS, f"/{name}", query=orphan, accepted=(404,))
        give_up = time.monotonic() + LINGERS
        while True:
            try:
                self._create(wanted)
            except EngineError as error:
                error.half_done = True  # there is none now, and there should be one
                raise
            there = self.api.call("GET", CRON_WORKFLOWS, f"/{name}", accepted=(404,))
            if there and there["metadata"]["uid"] != old:
                return
            if time.monotonic() > give_up:
                raise EngineUnavailable(f"Argo's cron workflow {name} could not be replaced.", half_done=True)
            time.sleep(0.2)

    def unschedule(self, job_definition_id: str) -> None:  # noqa: D102
        path = f"/{cron_workflow_name(job_definition_id)}"
        self.api.call("DELETE", CRON_WORKFLOWS, path, accepted=(404,))

    def end_runs(self, job_definition_id: str) -> None:  # noqa: D102
        query = {"listOptions.labelSelector": f"{DEFINITION_LABEL}={job_definition_id}", "fields": FIELDS}
        for item in self.api.call("GET", WORKFLOWS, "", query=query).get("items") or []:
            if _phase(item) not in ENDED:  # Argo collects those that belong to the cron workflow
                self._stop(item["metadata"]["name"])

    def find_unscheduled(self, definition_ids: Sequence[str]) -> list[str]:  # noqa: D102
        known = self._cron_workflows()
        return [one for one in definition_ids if cron_workflow_name(one) not in known]

    # What became of the runs

    def observe(
        self, jobs: Sequence[JobRow], definition_ids: Sequence[str], look_for_others: bool = False
    ) -> Snapshot:
        """Return what Argo knows, from one slim list."""
        mine = [job for job in jobs if job["pid"] is None]
        if not (mine or definition_ids or look_for_others):
            return Snapshot()
        query = {"listOptions.labelSelector": OURS, "fields": FIELDS}
        items = self.api.call("GET", WORKFLOWS, "", query=query).get("items") or []
        by_name = {item["metadata"]["name"]: item for item in items}
        newest: dict[str, int] = {}
        runs, others = [], []
        asked = {job["job_id"] for job in mine}
        ours = frozenset(definition_ids)
        for item in items:
            run = _scheduled_run(item)
            job_id = run.job_id if run else item["metadata"]["labels"].get(JOB_LABEL)
            is_told = (item.get("spec") or {}).get("shutdown")  # to end
            if job_id not in asked and _phase(item) not in ENDED and not is_told:
                others.append(job_id)
            if run is None:
                continue
            newest[run.job_definition_id] = max(newest.get(run.job_definition_id, 0), run.create_time)
            due = now_ms() - run.create_time > ROW_PATIENCE
            if run.job_definition_id in ours and (due or _phase(item) in ENDED):
                runs.append(run)
        found = {}
        missing = []
        for job in mine:
            item = by_name.get(job.workflow_name)
            if item is None:
                missing.append(job)
                continue
            replaced = job.is_scheduled and newest.get(job["job_definition_id"], 0) > job["create_time"]
            observation = _observation(job, item, replaced)
            if observation and observation.ended and job["status"] in WAITING and not observation.stopped:
                message = (
                    f"{observation.message} {self.unshared}".rstrip()
                )  # it could not even say that it began
                observation = replace(observation, message=message)
            if observation:
                found[job["job_id"]] = observation
        late = [job for job in missing if _has_waited(job)]
        for job in late[:CONFIRMATIONS]:  # a list may be that of a server that has just begun
            if not self.exists(job["job_id"]):
                found[job["job_id"]] = Observation(ended=True, message=GONE)
        return Snapshot(found, runs, others)

    def exists(self, job: JobRow) -> bool:  # noqa: D102
        query = {"fields": "metadata.name"}
        path = f"/{job.workflow_name}"
        return bool(self.api.call("GET", WORKFLOWS, path, query=query, accepted=(404,)))


def _has_waited(job: JobRow) -> bool:
    return bool(now_ms() - job["create_time"] > PATIENCE)


def _phase(item: dict[str, Any]) -> str:
    return str((item.get("status") or {}).get("phase") or "")


def _scheduled_run(item: dict[str, Any]) -> ScheduledRun | None:
    metadata = item["metadata"]
    definition_id = metadata.get("labels", {}).get(DEFINITION_LABEL)
    if not definition_id:
        return None
    created = milliseconds(metadata["creationTimestamp"])
    return ScheduledRun(metadata["uid"], definition_id, created, metadata["name"])


def _observation(job: JobRow, item: dict[str, Any], replaced: bool) -> Observation | None:
    if _phase(item) in ENDED:
        shutdown = str(item["status"].get("message"))
        if shutdown.startswith("Stopped with strategy"):
            waited = job["status_message"]  # a live row has one only while it waits
            message = f"{WAITED}{waited}" if waited else REPLACED
            if not (replaced and "Terminate" in shutdown):
                message = STOPPED_IN_ARGO
            return Observation(ended=True, message=message, stopped=True)
        return Observation(ended=True, message=_reason(item) or NO_REASON)
    if job["status"] in WAITING and _has_waited(job):
        reason = _reason(item, phase="Pending")  # once its time is over, why it had waited stands in its row
        return Observation(ended=False, message=reason) if reason else None
    return None


def _reason(item: dict[str, Any], phase: str = "") -> str:
    """Return what Argo says of the pods that failed or cannot start, or of those of one phase."""
    status = item.get("status") or {}
    nodes = (status.get("nodes") or {}).values()
    pods = [
        (node.get("displayName", ""), str(node.get("message") or ""))
        for node in nodes
        if node.get("type") == "Pod" and phase in ("", node.get("phase"))
    ]
    return join_messages(pods) or str(status.get("message") or "").removeprefix("main: ")

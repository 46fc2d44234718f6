"""The engine of Argo Workflows: a Workflow a run, a CronWorkflow a definition."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from argo_jupyter_scheduler.domain.argo_failures import join_messages
from argo_jupyter_scheduler.domain.clock import milliseconds, now_ms
from argo_jupyter_scheduler.domain.errors import (
    EngineError,
    EngineRefused,
    EngineUnavailable,
    InvalidJob,
    InvalidPod,
)
from argo_jupyter_scheduler.domain.identity import cron_workflow_name
from argo_jupyter_scheduler.domain.messages import REPLACED, STOPPED_IN_ARGO, WAITED, WORKFLOW_GONE
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.domain.status import WAITING
from argo_jupyter_scheduler.engines.argo import live_objects, phases
from argo_jupyter_scheduler.engines.argo.api import CRON_WORKFLOWS, OLDEST, WORKFLOWS, ArgoApi
from argo_jupyter_scheduler.engines.argo.manifests import (
    ManifestSettings,
    build_cron_workflow,
    build_workflow,
    settings_for,
    slack_token_references,
)
from argo_jupyter_scheduler.engines.argo.pods import shape_sources, visibility
from argo_jupyter_scheduler.engines.argo.pods.names import DEFINITION_LABEL, JOB_LABEL, MANAGER
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape
from argo_jupyter_scheduler.engines.argo.settings import ArgoSettings
from argo_jupyter_scheduler.engines.base import Engine, Observation, ScheduledRun, Snapshot
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow, ScheduleRow

FIELDS = ",".join(
    f"items.{name}"
    for name in (
        "metadata.name",
        "metadata.uid",
        "metadata.labels",
        "metadata.creationTimestamp",
        "spec.shutdown",
        "status.phase",
        "status.message",
        "status.nodes",
    )
)
"""What a list answers with; everything else (each run's whole manifest) would make it slow."""

log = logging.getLogger("argo_jupyter_scheduler")

OURS = ",".join("=".join(label) for label in MANAGER.items())

WAIT_BEFORE_EXPLAINING_MS = 60_000
"""Milliseconds that a job may wait before its row tells why, or be without a workflow before it counts as gone."""

WAIT_FOR_ROW_MS = 10_000
"""Milliseconds after which a scheduled run's pod should have written its row; it takes one or two seconds."""

ATTEMPTS = 5
"""How often a change of a live object is tried again when somebody else changed it in between."""

DELETED_LINGERS_SECONDS = 5.0
"""Seconds that a deleted object may still be seen (Argo 4.1: a moment)."""

NO_REASON = "Argo ended the run without giving a reason."
MAX_CONFIRMATIONS = 20
"""How many workflows that a list does not have are asked for one by one, a cycle."""


class ArgoEngine(Engine):
    """Runs notebooks as Argo Workflows.

    Parameters
    ----------
    settings
        The configuration.
    database
        Where the rows are.
    staging_path
        The staging area.

    Raises
    ------
    InvalidPod
        A trait of the pods is not valid. What fits only together with this server's own pod is judged when that is read.
    """

    name = "argo"
    keeps_schedules = True

    def __init__(self, settings: ArgoSettings, database: Database, staging_path: str) -> None:
        self.api = ArgoApi(settings.connection)
        self.settings = settings
        self._database = database
        self._staging_path = staging_path
        self.longest_run_seconds = settings.policy.active_deadline_seconds
        self.no_images = "Nebari gives each run the image of your JupyterLab." if settings.pods.nebari else ""
        self._lock = threading.Lock()
        self._manifest_settings: ManifestSettings | None = None
        if not shape_sources.needs_own_pod(settings.pods):
            self._manifest_settings = self._build_manifest_settings()

    def start(self) -> None:
        """Read this server's own pod, where runs inherit from it."""
        if self.unshared:
            log.warning(self.unshared)

    def close(self) -> None:  # noqa: D102
        self.api.close()

    @property
    def manifest_settings(self) -> ManifestSettings:
        """What all manifests share; this server's own pod is read once, when it is first needed.

        Raises
        ------
        EngineRefused
            A trait does not fit what is inherited.
        """
        with self._lock:
            if self._manifest_settings is None:
                try:
                    self._manifest_settings = self._build_manifest_settings()
                except InvalidPod as error:
                    raise EngineRefused(f"c.ArgoScheduler.{error}") from error
            return self._manifest_settings

    def _build_manifest_settings(self) -> ManifestSettings:
        settings, pods = self.settings, self.settings.pods
        shape = shape_sources.build_shape(pods, shape_sources.inherit_shape(pods))
        return ManifestSettings(
            namespace=settings.connection.namespace,
            db_url=self._database.url,
            staging_path=self._staging_path,
            pod_per_step=settings.pod_per_step,
            shape=shape,
            policy=settings.policy,
            helper_resources=shape_sources.helper_resources(pods),
            creator=settings.creator,
            nebari=pods.nebari,
            compute_types=shape_sources.expand_compute_types(pods, shape),
            slack=replace(settings.slack, has_token=_has_slack_token(settings, shape)),
            slack_token_secret=settings.slack_token_secret,
            configured=settings.configured,
        )

    @property
    def has_slack_token(self) -> bool:  # type: ignore[override]
        """Whether pods get a token for Slack, from a Secret or from the server's own environment."""
        return self.manifest_settings.slack.has_token

    @property
    def unshared(self) -> str:
        """Why pods cannot use this server's files, and what to do; empty if they can, or Nebari gives them their volumes.

        It is only reported: another admission controller than Nebari's may mount what is missing.
        """
        known = self.manifest_settings
        if known.nebari:
            return ""
        return visibility.unshared(known.shape, known.staging_path, known.db_url)

    def owns(self, job: JobRow) -> bool:  # noqa: D102 (the base class says it)
        return job.pid is None

    def complete_settings(self, settings: RunSettings) -> RunSettings:  # noqa: D102
        return replace(
            settings,
            engine="argo",
            namespace=self.settings.connection.namespace,
            concurrency_policy=self.settings.policy.concurrency,
        )

    def workflow(self, job: JobRow) -> dict[str, Any]:
        """Return the manifest of a run (its row).

        Raises
        ------
        EngineRefused, InvalidJob
            It asks for what is not known here, or the pods' shape is not complete.
        """
        return build_workflow(job, self._settings_for(job))

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
        manifest = build_cron_workflow(definition, self._settings_for(definition), one_schedule)
        return live_objects.annotated(manifest, self._configuration_of(definition.compute_type))

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
        body = {"name": name, "namespace": self.settings.connection.namespace}
        words = "completed workflow"
        self.api.call("PUT", WORKFLOWS, f"/{name}/stop", body, accepted=(404,), accepted_words=words)

    def delete(self, job: JobRow) -> None:  # noqa: D102
        self.api.call("DELETE", WORKFLOWS, f"/{job.workflow_name}", accepted=(404,))

    def _settings_for(self, row: JobRow | DefinitionRow) -> ManifestSettings:
        """Return what a job's or a definition's runs are made of.

        Raises
        ------
        EngineRefused, InvalidJob
            It asks for what is not known here.
        """
        settings = settings_for(self.manifest_settings, row)
        if not settings.shape.image:
            raise EngineRefused(
                "It is not known what the run's pods look like. Set c.ArgoScheduler.image to an image that has "
                "argo-jupyter-scheduler, with c.ArgoScheduler.volumes and c.ArgoScheduler.volume_mounts for the home; or give "
                "this server's pod a service account that may get pods, so that they are like it (c.ArgoScheduler.inherit_pod)."
            )
        return settings

    # Schedules

    def schedule(self, definition: DefinitionRow) -> None:
        """Make a definition's cron workflow what its row says.

        The live object is read, changed and written back, so that what others put into it stays. Where an admission controller
        rewrote it on its way in (Nebari's), it is replaced by our own manifest instead, since such a controller sees only what is
        created; to pause is Argo's suspend in either case.
        """
        name = cron_workflow_name(definition.job_definition_id)
        try:
            wanted = self.cron_workflow(definition)
        except (InvalidJob, EngineRefused):
            if definition.active:
                raise
            self._pause(name)  # what cannot run, can be paused
            return
        for _ in range(ATTEMPTS):
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
            body: dict[str, Any] = {"name": name, "namespace": self.settings.connection.namespace}
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
        traits = self.manifest_settings.compute_types.get(compute_type or "")
        text = json.dumps([self.settings.configured, traits], sort_keys=True, default=str)
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
        body = {"name": name, "namespace": self.settings.connection.namespace}
        self.api.call("PUT", CRON_WORKFLOWS, f"/{name}/suspend", body, accepted=(404,))

    def _create(self, wanted: dict[str, Any]) -> None:
        # One that exists is this call's own earlier try, as in `submit`.
        body = {"namespace": self.settings.connection.namespace, "cronWorkflow": wanted}
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
        give_up = time.monotonic() + DELETED_LINGERS_SECONDS
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
            if not _has_ended(item):  # Argo collects those that belong to the cron workflow
                self._stop(item["metadata"]["name"])

    def find_unscheduled(self, definition_ids: Sequence[str]) -> list[str]:  # noqa: D102
        known = self._cron_workflows()
        return [one for one in definition_ids if cron_workflow_name(one) not in known]

    # What became of the runs

    def observe(
        self, jobs: Sequence[JobRow], definition_ids: Sequence[str], look_for_others: bool = False
    ) -> Snapshot:
        """Return what Argo knows, from one slim list."""
        mine = [job for job in jobs if self.owns(job)]
        if not (mine or definition_ids or look_for_others):
            return Snapshot()
        query = {"listOptions.labelSelector": OURS, "fields": FIELDS}
        items = self.api.call("GET", WORKFLOWS, "", query=query).get("items") or []
        by_name = {item["metadata"]["name"]: item for item in items}
        newest: dict[str, int] = {}
        runs, others = [], []
        asked = {job.job_id for job in mine}
        ours = frozenset(definition_ids)
        for item in items:
            run = _scheduled_run(item)
            job_id = run.job_id if run else item["metadata"]["labels"].get(JOB_LABEL)
            is_told = (item.get("spec") or {}).get("shutdown")  # to end
            if job_id not in asked and not _has_ended(item) and not is_told:
                others.append(job_id)
            if run is None:
                continue
            newest[run.job_definition_id] = max(newest.get(run.job_definition_id, 0), run.create_time)
            due = now_ms() - run.create_time > WAIT_FOR_ROW_MS
            if run.job_definition_id in ours and (due or _has_ended(item)):
                runs.append(run)
        found = {}
        missing = []
        for job in mine:
            item = by_name.get(job.workflow_name)
            if item is None:
                missing.append(job)
                continue
            replaced = job.is_scheduled and newest.get(str(job.job_definition_id), 0) > job.create_time
            observation = _observation(job, item, replaced)
            if observation and observation.ended and job.status in WAITING and not observation.stopped:
                message = (
                    f"{observation.message} {self.unshared}".rstrip()
                )  # it could not even say that it began
                observation = replace(observation, message=message)
            if observation:
                found[job.job_id] = observation
        late = [job for job in missing if _has_waited(job)]
        for job in late[:MAX_CONFIRMATIONS]:  # a list may be that of a server that has just begun
            if not self.exists(job):
                found[job.job_id] = Observation(ended=True, message=WORKFLOW_GONE)
        return Snapshot(found, runs, others)

    def exists(self, job: JobRow) -> bool:  # noqa: D102
        query = {"fields": "metadata.name"}
        path = f"/{job.workflow_name}"
        return bool(self.api.call("GET", WORKFLOWS, path, query=query, accepted=(404,)))


def _has_slack_token(settings: ArgoSettings, shape: PodShape) -> bool:
    return bool(settings.slack_token_secret or slack_token_references(shape.container.get("env") or []))


def _has_waited(job: JobRow) -> bool:
    return bool(now_ms() - job.create_time > WAIT_BEFORE_EXPLAINING_MS)


def _has_ended(item: dict[str, Any]) -> bool:
    return phases.is_end(str((item.get("status") or {}).get("phase") or ""))


def _scheduled_run(item: dict[str, Any]) -> ScheduledRun | None:
    metadata = item["metadata"]
    definition_id = metadata.get("labels", {}).get(DEFINITION_LABEL)
    if not definition_id:
        return None
    created = milliseconds(metadata["creationTimestamp"])
    return ScheduledRun(metadata["uid"], definition_id, created, metadata["name"])


def _observation(job: JobRow, item: dict[str, Any], replaced: bool) -> Observation | None:
    if _has_ended(item):
        shutdown = str(item["status"].get("message"))
        if shutdown.startswith("Stopped with strategy"):
            waited = job.status_message  # a live row has one only while it waits
            message = f"{WAITED}{waited}" if waited else REPLACED
            if not (replaced and "Terminate" in shutdown):
                message = STOPPED_IN_ARGO
            return Observation(ended=True, message=message, stopped=True)
        return Observation(ended=True, message=_reason(item) or NO_REASON)
    if job.status in WAITING and _has_waited(job):
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

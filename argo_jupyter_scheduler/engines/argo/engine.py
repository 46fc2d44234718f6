"""The engine of Argo Workflows: a Workflow a run, a CronWorkflow a definition."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.clock import milliseconds
from argo_jupyter_scheduler.domain.errors import EngineRefused, InvalidJob, InvalidPod
from argo_jupyter_scheduler.domain.identity import cron_workflow_name
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.domain.status import WAITING
from argo_jupyter_scheduler.engines.argo import live_objects, manifests, observations
from argo_jupyter_scheduler.engines.argo.api import OLDEST_VERSION, WORKFLOWS, ArgoApi
from argo_jupyter_scheduler.engines.argo.cron_workflows import CronWorkflows
from argo_jupyter_scheduler.engines.argo.labels import (
    DATABASE_LABEL,
    DEFINITION_LABEL,
    JOB_LABEL,
    MANAGER_SELECTOR,
)
from argo_jupyter_scheduler.engines.argo.manifest_settings import (
    ManifestSettings,
    make_manifest_settings,
    settings_for,
)
from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject, Part
from argo_jupyter_scheduler.engines.argo.pods import shape_sources, visibility
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape
from argo_jupyter_scheduler.engines.argo.settings import ArgoSettings
from argo_jupyter_scheduler.engines.base import (
    CRON_WORKFLOW,
    WORKFLOW,
    Engine,
    EngineObject,
    ObjectKind,
    Observation,
    Snapshot,
)
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow, ScheduleRow

log = logging.getLogger("argo_jupyter_scheduler")

KNOWS_SCHEDULES = (3, 6)
"""The version of Argo since which a cron workflow has ``schedules``."""

MAX_CONFIRMATIONS = 20
"""How many workflows that are missing in a list are asked for one by one, each time."""


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
        A trait of the pods is not valid. What depends on this server's own pod is checked when that is read.
    """

    name = "argo"
    keeps_schedules = True

    def __init__(self, settings: ArgoSettings, database: Database, staging_path: str) -> None:
        self.api = ArgoApi(settings.connection)
        self.settings = settings
        self._cron_workflows = CronWorkflows(self.api)
        self._database = database
        self._staging_path = staging_path
        at = settings.connection
        self.description = f"Argo Workflows at {at.url}, namespace {at.namespace}"
        self.longest_run_seconds = settings.policy.active_deadline_seconds
        self.no_images = "Nebari gives each run the image of your JupyterLab." if settings.pods.nebari else ""
        self._lock = threading.Lock()
        self._manifest_settings: ManifestSettings | None = None
        if not shape_sources.needs_own_pod(settings.pods):
            self._manifest_settings = self._make_manifest_settings(PodShape())

    def start(self) -> None:
        """Read this server's own pod, where runs inherit from it.

        Raises
        ------
        EngineRefused
            A trait does not fit what is inherited.
        """
        if problem := self.find_visibility_problem():
            log.warning(problem)

    def close(self) -> None:  # noqa: D102
        self.api.close()

    @property
    def manifest_settings(self) -> ManifestSettings:
        """The settings that all manifests share. This server's own pod is read once, when it is first needed.

        Raises
        ------
        EngineRefused
            A trait does not fit what is inherited.
        """
        with self._lock:
            if self._manifest_settings is None:
                try:
                    inherited = shape_sources.inherit_shape(self.settings.pods)
                    self._manifest_settings = self._make_manifest_settings(inherited)
                except InvalidPod as error:
                    raise EngineRefused(f"c.ArgoScheduler.{error}") from error
            return self._manifest_settings

    def _make_manifest_settings(self, inherited: PodShape) -> ManifestSettings:
        return make_manifest_settings(self.settings, inherited, self._database.url, self._staging_path)

    @property
    def has_slack_token(self) -> bool:
        """Whether pods get a token for Slack, from a Secret or from the server's own environment."""
        return bool(self.settings.slack_token_secret) or self.manifest_settings.slack.has_token

    @property
    def notification_targets(self) -> tuple[str, ...]:  # noqa: D102 (the base class says it)
        return tuple(self.settings.notification_secrets)

    def find_visibility_problem(self) -> str:
        """Return why pods cannot use this server's files, and what to do; empty if they can, or Nebari gives them their volumes.

        This is only reported: another admission controller than Nebari's may mount what is missing.

        Raises
        ------
        EngineRefused
            A trait does not fit what is inherited.
        """
        known = self.manifest_settings
        if known.nebari:
            return ""
        return visibility.find_problem(known.shape, known.staging_path, known.db_url)

    def find_url(self, job: JobRow) -> str | None:
        """Return the address of a run's page in Argo's user interface; None where that is not configured."""
        url = self.settings.ui_url.replace("{namespace}", quote(self.settings.connection.namespace, safe=""))
        return url.replace("{workflow}", quote(job.workflow_name, safe="")) or None

    def count_errors(self) -> Mapping[str, int]:  # noqa: D102 (the base class says it)
        return dict(self.api.errors)

    def owns(self, job: JobRow) -> bool:  # noqa: D102
        return job.pid is None

    def complete_settings(self, settings: RunSettings) -> RunSettings:  # noqa: D102
        return replace(
            settings,
            engine="argo",
            namespace=self.settings.connection.namespace,
            concurrency_policy=self.settings.policy.concurrency,
        )

    # Runs

    def build_workflow(self, job: JobRow) -> KubernetesObject:
        """Return the manifest of a run.

        Raises
        ------
        EngineRefused, InvalidJob
            It asks for something unknown here, or the pods' shape is not complete.
        """
        return manifests.build_workflow(job, self._settings_for(job))

    def find_reason(self, job: JobRow) -> str:
        """Return what Argo says of pods that failed or cannot start; raises as `stop`."""
        workflow = self.api.call("GET", WORKFLOWS, f"/{job.workflow_name}", accepted=(404,))
        with self.api.read_answers():
            return observations.find_reason(workflow)

    def read_log(self, job: JobRow) -> list[str]:
        """Return the lines that a run's pods have printed, as far as they are still there; raises as `stop`."""
        return self.api.read_log(job.workflow_name)

    def submit(self, job: JobRow) -> None:  # noqa: D102
        body = {"workflow": self.build_workflow(job)}
        self.api.require("running notebooks", since=OLDEST_VERSION)
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
        self._delete(job.workflow_name)

    def _delete(self, name: str) -> None:
        self.api.call("DELETE", WORKFLOWS, f"/{name}", accepted=(404,))

    def exists(self, job: JobRow) -> bool:  # noqa: D102
        query = {"fields": "metadata.name"}
        path = f"/{job.workflow_name}"
        return bool(self.api.call("GET", WORKFLOWS, path, query=query, accepted=(404,)))

    def is_executing(self, job: JobRow) -> bool:  # noqa: D102
        query = {"fields": "metadata.name,status.phase"}
        workflow = self.api.call("GET", WORKFLOWS, f"/{job.workflow_name}", query=query, accepted=(404,))
        return bool(workflow) and not observations.has_ended(workflow)

    def _settings_for(self, row: JobRow | DefinitionRow) -> ManifestSettings:
        """Return the settings for the manifest of one job or definition; raises as `build_workflow`."""
        settings = settings_for(self.manifest_settings, row)
        if not settings.shape.image:
            raise EngineRefused(messages.argo.POD_SHAPE_UNKNOWN)
        return replace(settings, database_id=self._database.id)

    # Schedules

    def build_cron_workflow(
        self, definition: DefinitionRow, one_schedule: bool | None = None
    ) -> KubernetesObject:
        """Return the manifest of a definition, with a note in it of what was sent; raises as `schedule`.

        Parameters
        ----------
        one_schedule
            Whether Argo only knows ``schedule``, as before 3.6; None to ask the server for its version.
        """
        if one_schedule is None:
            self.api.require("job definitions", since=OLDEST_VERSION)
            one_schedule = self.api.version < KNOWS_SCHEDULES
        manifest = manifests.build_cron_workflow(definition, self._settings_for(definition), one_schedule)
        return live_objects.annotate(manifest, self._hash_configuration(definition.compute_type))

    def schedule(self, definition: DefinitionRow) -> None:  # noqa: D102
        try:
            wanted = self.build_cron_workflow(definition)
        except (InvalidJob, EngineRefused):
            if definition.active:
                raise
            # A definition that cannot run can still be paused.
            self._cron_workflows.pause(cron_workflow_name(definition.job_definition_id))
            return
        self._cron_workflows.apply(wanted)

    def unschedule(self, job_definition_id: str) -> None:  # noqa: D102
        self._cron_workflows.delete(cron_workflow_name(job_definition_id))

    def end_runs(self, job_definition_id: str) -> None:  # noqa: D102
        workflows = self._list_workflows(f"{DEFINITION_LABEL}={job_definition_id}")
        with self.api.read_answers():
            for workflow in workflows:
                if not observations.has_ended(
                    workflow
                ):  # Argo deletes those that belong to the cron workflow
                    self._stop(str(workflow["metadata"]["name"]))

    def find_outdated(self, schedules: Sequence[ScheduleRow]) -> list[str]:  # noqa: D102
        with self.api.read_answers():
            sent = {
                name: live_objects.read_configuration(metadata)
                for name, metadata in self._cron_workflows.list_metadata("annotations").items()
            }
        return [
            row.job_definition_id
            for row in schedules
            if sent.get(cron_workflow_name(row.job_definition_id))
            != self._hash_configuration(row.compute_type)
        ]

    def find_unscheduled(self, definition_ids: Sequence[str]) -> list[str]:  # noqa: D102
        known = self._cron_workflows.list_metadata()
        return [id_ for id_ in definition_ids if cron_workflow_name(id_) not in known]

    def _hash_configuration(self, compute_type: str | None) -> str:
        """Return a hash of what is configured for runs of a compute type."""
        traits = self.manifest_settings.compute_types.get(compute_type or "")
        text = json.dumps([self.settings.configured, traits], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    # Objects

    def list_objects(self) -> list[EngineObject]:
        """Return the workflows and cron workflows whose label names this server's database."""
        workflows = [workflow["metadata"] for workflow in self._list_workflows(MANAGER_SELECTOR)]
        cron_workflows = self._cron_workflows.list_metadata("uid", "labels", "creationTimestamp").values()
        found = [_read_object(WORKFLOW, metadata) for metadata in workflows]
        found += [_read_object(CRON_WORKFLOW, metadata) for metadata in cron_workflows]
        database_id = self._database.id
        return [one for one in found if database_id and one.database_id == database_id]

    def delete_object(self, found: EngineObject) -> None:  # noqa: D102 (the base class says it)
        if found.kind == CRON_WORKFLOW:
            self._cron_workflows.delete(found.name)
        else:
            self._delete(found.name)

    # Observation

    def observe(
        self, jobs: Sequence[JobRow], definition_ids: Sequence[str], look_for_others: bool = False
    ) -> Snapshot:
        """Return what Argo knows, from one slim list."""
        own_jobs = [job for job in jobs if self.owns(job)]
        if not (own_jobs or definition_ids or look_for_others):
            return Snapshot()
        workflows = self._list_workflows(MANAGER_SELECTOR)
        with self.api.read_answers():
            return self._read_snapshot(workflows, own_jobs, definition_ids)

    def _read_snapshot(
        self, workflows: Sequence[KubernetesObject], own_jobs: Sequence[JobRow], definition_ids: Sequence[str]
    ) -> Snapshot:
        """Return what a list of Argo's workflows says of jobs and of definitions."""
        by_name = {workflow["metadata"]["name"]: workflow for workflow in workflows}
        newest_runs = observations.find_newest_runs(workflows)
        found = {}
        for job in own_jobs:
            workflow = by_name.get(job.workflow_name)
            observation = workflow and observations.observe_job(job, workflow, newest_runs)
            if observation:
                found[job.job_id] = self._with_advice(job, observation)
        found |= self._find_gone(job for job in own_jobs if job.workflow_name not in by_name)
        return Snapshot(
            jobs=found,
            runs=observations.find_runs(workflows, frozenset(definition_ids)),
            others=observations.find_others(workflows, {job.job_id for job in own_jobs}),
        )

    def _list_workflows(self, selector: str) -> list[KubernetesObject]:
        query = {"listOptions.labelSelector": selector, "fields": observations.LISTED_FIELDS}
        return self.api.call("GET", WORKFLOWS, "", query=query).get("items") or []

    def _with_advice(self, job: JobRow, observation: Observation) -> Observation:
        """Return an observation; of a run that could not even report its begin, with what may have kept it from that."""
        if observation.stopped or not observation.ended or job.status not in WAITING:
            return observation
        try:
            problem = self.find_visibility_problem()
        except EngineRefused:  # this concerns new runs
            return observation
        return replace(observation, message=f"{observation.message} {problem}".rstrip())

    def _find_gone(self, missing: Iterable[JobRow]) -> dict[str, Observation]:
        """Return the end of jobs whose workflow no longer exists, of those that are missing in a list."""
        # A run that had begun had a workflow. One that still waits may have been submitted a moment ago.
        wait = observations.WAIT_FOR_WORKFLOW_MS
        late = [job for job in missing if job.status not in WAITING or observations.has_waited(job, wait)]
        return {
            job.job_id: Observation(ended=True, message=messages.runs.WORKFLOW_GONE)
            for job in late[:MAX_CONFIRMATIONS]
            if not self.exists(job)  # the list may be that of a server that has just begun
        }


def _read_object(kind: ObjectKind, metadata: Part) -> EngineObject:
    """Return an object of Argo's by its metadata."""
    labels = metadata.get("labels") or {}
    definition_id = labels.get(DEFINITION_LABEL)
    job_id = None if kind == CRON_WORKFLOW else labels.get(JOB_LABEL) or metadata["uid"]
    return EngineObject(
        kind=kind,
        name=metadata["name"],
        job_id=job_id,
        job_definition_id=definition_id,
        create_time=milliseconds(metadata["creationTimestamp"]),
        database_id=labels.get(DATABASE_LABEL, ""),
    )

"""Observations about runs in a list of Argo's workflows. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.argo_failures import join_messages, last_attempt
from argo_jupyter_scheduler.domain.clock import milliseconds, now_ms
from argo_jupyter_scheduler.domain.identity import is_job_id, is_run_token
from argo_jupyter_scheduler.domain.status import WAITING
from argo_jupyter_scheduler.engines.argo import phases
from argo_jupyter_scheduler.engines.argo.labels import DEFINITION_LABEL, JOB_LABEL
from argo_jupyter_scheduler.engines.base import Observation, ScheduledRun
from argo_jupyter_scheduler.storage.schema import JobRow

Workflow = Mapping[str, Any]
"""A workflow as Argo lists it, with `LISTED_FIELDS`."""

LISTED_FIELDS = ",".join(
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
"""The fields that a list answers with; everything else (each run's whole manifest) would make it slow."""

WAIT_BEFORE_EXPLAINING_MS = 60_000
"""Milliseconds that a job may wait before its row says why."""

WAIT_FOR_WORKFLOW_MS = 10_000
"""Milliseconds that a job may be without a workflow before it counts as gone; one that is being created is not looked at."""

WAIT_FOR_ROW_MS = 10_000
"""Milliseconds after which a scheduled run's pod should have written its row; it takes one or two seconds."""

SHUT_DOWN = "Stopped with strategy"
"""How Argo begins the message of a workflow that was stopped, terminated or replaced (3.4 to 4.1)."""


def has_ended(workflow: Workflow) -> bool:
    """Return whether a workflow has ended."""
    return phases.has_ended(str((workflow.get("status") or {}).get("phase") or ""))


def has_waited(job: JobRow, milliseconds: int = WAIT_BEFORE_EXPLAINING_MS) -> bool:
    """Return whether a job is so old that its row should say why nothing has happened."""
    return now_ms() - job.create_time > milliseconds


def read_scheduled_run(workflow: Workflow) -> ScheduledRun | None:
    """Return the run of a definition that a workflow is; None for a job that a person has created.

    A label alone proves nothing: others in the namespace can give it to their workflows. The uid names a folder, so it must be one.
    """
    metadata = workflow["metadata"]
    definition_id = (metadata.get("labels") or {}).get(DEFINITION_LABEL)
    uid, name = str(metadata.get("uid")), str(metadata.get("name"))
    if not (definition_id and is_job_id(uid) and is_run_token(name, definition_id)):
        return None
    return ScheduledRun(uid, definition_id, milliseconds(metadata["creationTimestamp"]), name)


def find_runs(workflows: Iterable[Workflow], definition_ids: Collection[str]) -> list[ScheduledRun]:
    """Return the runs of these definitions that should have written their row by now."""
    found = []
    for workflow in workflows:
        run = read_scheduled_run(workflow)
        if run is None or run.job_definition_id not in definition_ids:
            continue
        if has_ended(workflow) or now_ms() - run.create_time > WAIT_FOR_ROW_MS:
            found.append(run)
    return found


def find_others(workflows: Iterable[Workflow], job_ids: Collection[str]) -> list[str]:
    """Return the ids of runs in progress that are not among these, and that nobody has stopped."""
    found = []
    for workflow in workflows:
        run = read_scheduled_run(workflow)
        job_id = run.job_id if run else (workflow["metadata"].get("labels") or {}).get(JOB_LABEL)
        is_shut_down = bool((workflow.get("spec") or {}).get("shutdown"))
        if job_id and job_id not in job_ids and not is_shut_down and not has_ended(workflow):
            found.append(job_id)
    return found


def find_newest_runs(workflows: Iterable[Workflow]) -> dict[str, int]:
    """Return when the newest run of each definition was created, in milliseconds since 1970, by the definition's id."""
    newest: dict[str, int] = {}
    for run in map(read_scheduled_run, workflows):
        if run:
            newest[run.job_definition_id] = max(newest.get(run.job_definition_id, 0), run.create_time)
    return newest


def observe_job(job: JobRow, workflow: Workflow, newest_runs: Mapping[str, int]) -> Observation | None:
    """Return what a workflow says about its job that the job's row does not; None for nothing.

    Parameters
    ----------
    newest_runs
        See `find_newest_runs`.
    """
    if has_ended(workflow):
        shutdown = str(workflow["status"].get("message"))
        if not shutdown.startswith(SHUT_DOWN):
            reason = find_reason(workflow) or messages.runs.NO_REASON
            return Observation(ended=True, message=reason, attempts=count_attempts(workflow))
        is_replaced = job.is_scheduled and newest_runs.get(str(job.job_definition_id), 0) > job.create_time
        message = messages.runs.STOPPED_IN_ARGO
        if is_replaced and "Terminate" in shutdown:
            # A live row has a message only while it waits.
            message = (
                f"{messages.runs.WAITED}{job.status_message}"
                if job.status_message
                else messages.runs.REPLACED
            )
        return Observation(ended=True, message=message, stopped=True)
    if job.status in WAITING and has_waited(job):
        reason = find_reason(workflow, waiting_only=True)
        return Observation(ended=False, message=reason) if reason else None
    return None


def count_attempts(workflow: Workflow) -> int:
    """Return how many attempts a workflow had."""
    nodes = ((workflow.get("status") or {}).get("nodes") or {}).values()
    return last_attempt(str(node.get("displayName") or "") for node in nodes) + 1


def find_reason(workflow: Workflow, waiting_only: bool = False) -> str:
    """Return what Argo says of the pods that failed or cannot start; empty for nothing.

    Parameters
    ----------
    waiting_only
        Whether only pods that cannot start are of interest.
    """
    status = workflow.get("status") or {}
    pods = [
        (node.get("displayName", ""), str(node.get("message") or ""))
        for node in (status.get("nodes") or {}).values()
        if node.get("type") == "Pod" and (not waiting_only or phases.is_waiting(str(node.get("phase") or "")))
    ]
    return join_messages(pods) or str(status.get("message") or "").removeprefix("main: ")

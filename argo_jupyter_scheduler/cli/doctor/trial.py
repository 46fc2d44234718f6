"""What ``doctor --run`` does: a tiny notebook, a run that is stopped, and a schedule, as a user would, all deleted again."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from jupyter_scheduler.exceptions import SchedulerError
from jupyter_scheduler.models import CreateJob, CreateJobDefinition, UpdateJobDefinition

from argo_jupyter_scheduler import __version__
from argo_jupyter_scheduler.cli.doctor.finding import Finding, ok, problem, warning
from argo_jupyter_scheduler.cli.progress_bar import wait
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError
from argo_jupyter_scheduler.domain.status import COMPLETED

NOTEBOOK = "doctor.ipynb"

VERSION = re.compile(r"argo-jupyter-scheduler (\d\S*)")
"""How the steps say in the log which version of this package they are."""

ENDS = 30.0
"""Seconds in which a workflow ends whose notebook has; where its exit handler runs, that takes a pod."""

ACCOUNT = (
    "The pods' service account (c.ArgoScheduler.service_account) must be allowed to create and patch workflowtaskresults of "
    "argoproj.io, see docs/kubernetes.md."
)

LINES = 5
"""How much of a pod's log is shown when it failed."""


def findings(scheduler: Any, folder: Path, timeout: float) -> Iterator[Finding]:
    """Run a notebook, and do what else a user does.

    Parameters
    ----------
    scheduler
        The `ArgoScheduler`.
    folder
        Its root folder.
    timeout
        Seconds that the notebook may take.
    """
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('The doctor was here.')")])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / NOTEBOOK)
    environment = scheduler.jobs.environments.default_name()
    fields = {"name": "argo-scheduler doctor", "input_uri": NOTEBOOK, "runtime_environment_name": environment}
    yield from _run(scheduler, fields, timeout)
    yield _stop(scheduler, fields)
    yield _schedule(scheduler, fields)


def _run(scheduler: Any, fields: dict[str, str], timeout: float) -> Iterator[Finding]:
    begun = time.monotonic()
    try:
        job_id = asyncio.run(
            scheduler.create_job(CreateJob(**fields, output_formats=["ipynb", "html", "log"]))
        )
    except SchedulerError as error:
        yield problem("run", f"a notebook could not be started: {error}")
        return
    try:
        ended = wait(scheduler, job_id, "a tiny notebook", timeout, leave=False)
        row = scheduler.database.get_job(job_id) or {}
        took = time.monotonic() - begun
        if row.get("status") == COMPLETED:
            what = f"a notebook was run in {took:.1f} s"
            failed = _failed_in_argo(scheduler, row)
            if failed:
                advice = ACCOUNT if "workflowtaskresults" in failed else ""
                yield problem("run", f"{what}, but Argo has it as failed: {failed}", advice)
            else:
                yield ok("run", what)
            yield from _image(scheduler, job_id)
        else:
            reason, log = _argos_words(scheduler, job_id)
            why = row.get("status_message") or reason or "no reason was given"
            what = (
                f"failed: {why}"
                if ended
                else f"did not end within {timeout:g} s ({row.get('status')}: {why})"
            )
            yield problem("run", f"a notebook {what}", log)
    finally:
        left = _deleted(scheduler, job_id)
    if left:
        yield problem("delete", f"the run could not be deleted: {left}", "Its workflow is left in Argo.")


def _failed_in_argo(scheduler: Any, row: dict[str, Any]) -> str:
    """Return what Argo says of the pods of a completed run that has failed for it; empty where none has, or not in time."""
    if not scheduler.runs_on.keeps_schedules:
        return ""
    give_up = time.monotonic() + ENDS
    with contextlib.suppress(ArgoSchedulerError):
        while time.monotonic() < give_up:
            seen = scheduler.runs_on.observe([row], []).jobs.get(row["job_id"])
            if seen and seen.ended:
                return str(scheduler.runs_on.reason(row["job_id"]))
            time.sleep(0.3)
    return ""


def _image(scheduler: Any, job_id: str) -> Iterator[Finding]:
    """Compare the version in the pod, which its log tells, with this one."""
    if not scheduler.runs_on.keeps_schedules:
        return
    log = Path(scheduler.get_staging_paths(scheduler.get_job(job_id, False))["log"])
    found = VERSION.search(log.read_text(encoding="utf-8", errors="replace")) if log.is_file() else None
    there = found[1] if found else "an unknown version"
    if there == __version__:
        yield ok("image", f"has argo-jupyter-scheduler {there}, as this server")
    else:
        yield warning(
            "image",
            f"has argo-jupyter-scheduler {there}, this server has {__version__}",
            "Use the same version in both.",
        )


def _argos_words(scheduler: Any, job_id: str) -> tuple[str, str]:
    """Return what Argo says of a run, and the end of its pod's log; empty where there is none."""
    if not scheduler.runs_on.keeps_schedules:
        return "", ""
    reason = log = ""
    with contextlib.suppress(ArgoSchedulerError):
        reason = scheduler.runs_on.reason(job_id)
        lines = list(dict.fromkeys(scheduler.runs_on.log(job_id)))[-LINES:]
        log = f"The pod said: {' | '.join(lines)}" if lines else ""
    return reason, log


def _deleted(scheduler: Any, job_id: str) -> str:
    """Delete a job; return why its workflow could not be deleted, which the scheduler itself only logs of one that has ended."""
    left = ""
    try:
        scheduler.runs_on.delete(job_id)
    except ArgoSchedulerError as error:
        left = str(error)
    try:
        asyncio.run(scheduler.delete_job(job_id))
    except SchedulerError as error:
        left = left or str(error)
    return left


def _stop(scheduler: Any, fields: dict[str, str]) -> Finding:
    what = "started"
    try:
        job_id = asyncio.run(scheduler.create_job(CreateJob(**fields, output_formats=["ipynb"])))
        try:
            what = "stopped"
            asyncio.run(scheduler.stop_job(job_id))
        finally:
            left = _deleted(scheduler, job_id)
    except SchedulerError as error:
        return problem("stop", f"a run could not be {what}: {error}")
    return (
        problem("stop", f"a stopped run could not be deleted: {left}")
        if left
        else ok("stop", "a run was stopped and deleted")
    )


def _schedule(scheduler: Any, fields: dict[str, str]) -> Finding:
    definition = CreateJobDefinition(**fields, schedule="0 0 1 1 *", timezone="UTC", output_formats=["ipynb"])
    try:
        definition_id = asyncio.run(scheduler.create_job_definition(definition))
    except SchedulerError as error:
        return problem("schedule", f"a job definition could not be made: {error}")
    changes: dict[str, Callable[[], Any]] = {
        "changed": lambda: _update(scheduler, definition_id, timezone="Europe/Berlin"),
        "paused": lambda: _update(scheduler, definition_id, active=False),
        "resumed": lambda: _update(scheduler, definition_id, active=True),
        "deleted": lambda: asyncio.run(scheduler.delete_job_definition(definition_id)),
    }
    failed: dict[str, SchedulerError] = {}
    for what, change in changes.items():
        try:
            change()
        except SchedulerError as error:
            failed[what] = error
    if failed:
        why = next(iter(failed.values()))
        left = (
            f"It is left: delete the job definition {definition_id} in JupyterLab."
            if "deleted" in failed
            else ""
        )
        return problem("schedule", f"a job definition could not be {', '.join(failed)}: {why}", left)
    return ok("schedule", f"a job definition was made, {', '.join(changes)}")


def _update(scheduler: Any, definition_id: str, **changes: Any) -> None:
    asyncio.run(scheduler.update_job_definition(definition_id, UpdateJobDefinition(**changes)))

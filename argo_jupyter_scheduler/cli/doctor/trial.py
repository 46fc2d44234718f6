"""``doctor --run``: a tiny notebook, a run that is stopped, and a job definition, as a user would do it. All are deleted again."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
from jupyter_scheduler.exceptions import SchedulerError
from jupyter_scheduler.models import CreateJob, CreateJobDefinition, UpdateJobDefinition

from argo_jupyter_scheduler import __version__
from argo_jupyter_scheduler.cli.doctor.finding import Finding, ok, problem, warning
from argo_jupyter_scheduler.cli.progress import ProgressBar
from argo_jupyter_scheduler.cli.waiting import wait_for_job
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError
from argo_jupyter_scheduler.domain.status import COMPLETED
from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine
from argo_jupyter_scheduler.engines.base import Engine
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.schema import JobRow

NOTEBOOK = "doctor.ipynb"

VERSION = re.compile(r"argo-jupyter-scheduler (\d\S*)")
"""How the steps write their version of this package to the log."""

WORKFLOW_END_SECONDS = 30.0
"""How long a workflow may take to end after its notebook has; an exit handler takes a pod."""

ACCOUNT_ADVICE = (
    "The pods' service account (c.ArgoScheduler.service_account) must be allowed to create and patch workflowtaskresults of "
    "argoproj.io, see docs/kubernetes.md."
)

LOG_LINES = 5
"""How many lines of a failed pod's log are shown."""


def try_everything(scheduler: ArgoScheduler, folder: Path, timeout_seconds: float) -> Iterator[Finding]:
    """Run a notebook, stop a run, and make, change and delete a job definition.

    Parameters
    ----------
    folder
        The scheduler's root folder.
    timeout_seconds
        How long the notebook may take.
    """
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('The doctor was here.')")])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / NOTEBOOK)
    environment = scheduler.jobs.environments.default_name()
    fields = {"name": "argo-scheduler doctor", "input_uri": NOTEBOOK, "runtime_environment_name": environment}
    yield from _try_run(scheduler, fields, timeout_seconds)
    yield _try_stop(scheduler, fields)
    yield _try_definition(scheduler, fields)


def _try_run(scheduler: ArgoScheduler, fields: dict[str, str], timeout_seconds: float) -> Iterator[Finding]:
    begun = time.monotonic()
    try:
        job_id = asyncio.run(
            scheduler.create_job(CreateJob(**fields, output_formats=["ipynb", "html", "log"]))
        )
    except SchedulerError as error:
        yield problem("run", f"a notebook could not be started: {error}")
        return
    try:
        with ProgressBar(NOTEBOOK, 1, leave=False) as bar:
            ended = wait_for_job(scheduler, job_id, bar, timeout_seconds)
        row = scheduler.jobs.get_job(job_id)
        taken = f"a notebook was run in {time.monotonic() - begun:.1f} s"
        if row.status != COMPLETED:
            yield _describe_failure(scheduler, row, ended, timeout_seconds)
        else:
            failure = _failure_in_argo(scheduler.jobs.engine, row)
            advice = ACCOUNT_ADVICE if "workflowtaskresults" in failure else ""
            why = f"{taken}, but its workflow in Argo has failed: {failure}"
            yield problem("run", why, advice) if failure else ok("run", taken)
            yield from _check_image(scheduler, job_id)
    finally:
        trouble = _delete(scheduler, job_id)
    if trouble:
        yield problem("delete", f"the run could not be deleted: {trouble}", "Delete its workflow in Argo.")


def _describe_failure(scheduler: ArgoScheduler, row: JobRow, ended: bool, timeout_seconds: float) -> Finding:
    reason = log = ""
    engine = scheduler.jobs.engine
    if isinstance(engine, ArgoEngine):
        with contextlib.suppress(ArgoSchedulerError):
            reason = engine.find_reason(row)
            lines = list(dict.fromkeys(engine.read_log(row)))[-LOG_LINES:]
            log = f"The pod's log ends with: {' | '.join(lines)}" if lines else ""
    why = row.status_message or reason or "no reason was given"
    failure = f"failed: {why}" if ended else f"did not end within {timeout_seconds:g} s ({row.status}: {why})"
    return problem("run", f"a notebook {failure}", log)


def _failure_in_argo(engine: Engine, row: JobRow) -> str:
    """Return why the workflow of a completed run has failed; empty where it has not, or has not ended in time."""
    if not isinstance(engine, ArgoEngine):
        return ""
    give_up = time.monotonic() + WORKFLOW_END_SECONDS
    with contextlib.suppress(ArgoSchedulerError):
        while time.monotonic() < give_up:
            observed = engine.observe([row], []).jobs.get(row.job_id)
            if observed and observed.ended:
                return engine.find_reason(row)
            time.sleep(0.3)
    return ""


def _check_image(scheduler: ArgoScheduler, job_id: str) -> Iterator[Finding]:
    """Compare this package's version in the pod, which is in its log, with the server's."""
    if not isinstance(scheduler.jobs.engine, ArgoEngine):
        return
    log = Path(scheduler.get_staging_paths(asyncio.run(scheduler.get_job(job_id, False)))["log"])
    found = VERSION.search(log.read_text(encoding="utf-8", errors="replace")) if log.is_file() else None
    version = found[1] if found else "an unknown version"
    if version == __version__:
        yield ok("image", f"has argo-jupyter-scheduler {version}, as this server")
    else:
        difference = f"has argo-jupyter-scheduler {version}, this server has {__version__}"
        yield warning("image", difference, "Install the same version in both.")


def _delete(scheduler: ArgoScheduler, job_id: str) -> str:
    """Delete a job; return why that failed. The scheduler itself only logs it for a workflow that has ended."""
    trouble = ""
    try:
        scheduler.jobs.engine.delete(scheduler.jobs.get_job(job_id))
    except ArgoSchedulerError as error:
        trouble = str(error)
    try:
        asyncio.run(scheduler.delete_job(job_id))
    except SchedulerError as error:
        trouble = trouble or str(error)
    return trouble


def _try_stop(scheduler: ArgoScheduler, fields: dict[str, str]) -> Finding:
    action = "started"
    try:
        job_id = asyncio.run(scheduler.create_job(CreateJob(**fields, output_formats=["ipynb"])))
        try:
            action = "stopped"
            asyncio.run(scheduler.stop_job(job_id))
        finally:
            trouble = _delete(scheduler, job_id)
    except SchedulerError as error:
        return problem("stop", f"a run could not be {action}: {error}")
    if trouble:
        return problem("stop", f"a stopped run could not be deleted: {trouble}")
    return ok("stop", "a run was stopped and deleted")


def _try_definition(scheduler: ArgoScheduler, fields: dict[str, str]) -> Finding:
    definition = CreateJobDefinition(**fields, schedule="0 0 1 1 *", timezone="UTC", output_formats=["ipynb"])
    try:
        definition_id = asyncio.run(scheduler.create_job_definition(definition))
    except SchedulerError as error:
        return problem("schedule", f"a job definition could not be made: {error}")
    changes: dict[str, Callable[[], None]] = {
        "changed": lambda: _update(scheduler, definition_id, timezone="Europe/Berlin"),
        "paused": lambda: _update(scheduler, definition_id, active=False),
        "resumed": lambda: _update(scheduler, definition_id, active=True),
        "deleted": lambda: asyncio.run(scheduler.delete_job_definition(definition_id)),
    }
    failed: dict[str, SchedulerError] = {}
    for action, change in changes.items():
        try:
            change()
        except SchedulerError as error:
            failed[action] = error
    if not failed:
        return ok("schedule", f"a job definition was made, {', '.join(changes)}")
    why = next(iter(failed.values()))
    advice = f"Delete the job definition {definition_id} in JupyterLab." if "deleted" in failed else ""
    return problem("schedule", f"a job definition could not be {', '.join(failed)}: {why}", advice)


def _update(scheduler: ArgoScheduler, definition_id: str, **changes: object) -> None:
    asyncio.run(scheduler.update_job_definition(definition_id, UpdateJobDefinition(**changes)))

"""``jupyter argo-scheduler doctor``: looks at all that runs need, and says what to do about what is missing.

Nothing is changed, here or in Argo, and nothing is left behind; only ``--run`` submits something, and deletes it again. A module
each for what this server is configured with, Argo, and where files and rows are.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler.cli.doctor import configuration, storage
from argo_jupyter_scheduler.cli.doctor.finding import Finding, ok, problem, warning
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, InvalidConfiguration
from argo_jupyter_scheduler.jupyter.environment_manager import ArgoEnvironmentManager

SHOWN = 20
"""How many environments are named."""


def examine(app: Any, run: bool = False, timeout: float = 600.0) -> Iterator[Finding]:
    """Look at everything, one finding after the other.

    Parameters
    ----------
    app
        The `ArgoSchedulerApp`.
    run
        Whether to run a tiny notebook too.
    timeout
        How long that may take, in seconds.
    """
    found = list(configuration.findings(app))
    yield from found
    if any(one.status == "problem" for one in found):
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            with _heard() as warnings:
                scheduler = app.make_scheduler(Path(folder), create=run)
        except InvalidConfiguration as error:
            yield problem("configuration", str(error))
            return
        yield from (warning("configuration", text) for text in warnings)
        yield from _place(scheduler, run)
        yield from _environments(scheduler)
        if run:
            from argo_jupyter_scheduler.cli.doctor import trial

            yield from trial.findings(scheduler, Path(folder), timeout)


def _place(scheduler: Any, run: bool) -> Iterator[Finding]:
    """Look at where notebooks run, and where their files and rows are."""
    if not scheduler.runs_on.keeps_schedules:
        why = "c.ArgoScheduler.engine" if scheduler.argo_server else "no Argo is configured, see ARGO_SERVER"
        yield ok("engine", f"this machine ({why}), up to {scheduler.max_concurrent_runs} runs at once")
        yield from storage.findings(scheduler, None)
        return
    from argo_jupyter_scheduler.cli.doctor import argo

    there = True
    for one in argo.findings(scheduler, run):
        yield one
        there = there and not (one.status == "problem" and one.check in ("argo", "token"))
    try:
        row = {"job_id": argo.NOBODY, "parameters": {}, "compute_type": scheduler.default_compute_type}
        manifest = scheduler.runs_on.workflow(row)
    except ArgoSchedulerError as error:
        yield problem("pods", str(error))
        yield from storage.findings(scheduler, None)
        return
    yield argo.pods(scheduler, manifest, try_it=there)
    if not run:
        yield argo.image(scheduler, manifest)
    yield from storage.findings(scheduler, manifest)


def _environments(scheduler: Any) -> Iterator[Finding]:
    manager = scheduler.environments_manager
    if isinstance(manager, ArgoEnvironmentManager):
        for source, trouble in manager.catalog.find_troubles().items():
            yield warning("environments", f"{source}: {trouble}")
    names = [one.name for one in manager.list_environments()]
    if names:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        yield ok("environments", ", ".join(names[:SHOWN]) + more)
    else:
        yield problem("environments", "none was found, so the dialog has none to offer")


class _Ear(logging.Handler):
    """Collects what is logged as a warning: a server would say it in its log when it starts."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextlib.contextmanager
def _heard() -> Iterator[list[str]]:
    """Collect the warnings that are logged meanwhile."""
    ear, root = _Ear(), logging.getLogger()
    root.addHandler(ear)
    try:
        yield ear.texts
    finally:
        root.removeHandler(ear)

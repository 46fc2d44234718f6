"""The order of the checks, and what follows from one for the next."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

from argo_jupyter_scheduler.cli.command import SchedulerCommand
from argo_jupyter_scheduler.cli.doctor import argo, configuration, storage
from argo_jupyter_scheduler.cli.doctor.finding import PROBLEM, Finding, ok, problem, warning
from argo_jupyter_scheduler.cli.doctor.formats import check_formats
from argo_jupyter_scheduler.cli.doctor.notifications import check_targets
from argo_jupyter_scheduler.cli.doctor.outputs import check_outputs
from argo_jupyter_scheduler.cli.doctor.retention import check_retention
from argo_jupyter_scheduler.cli.doctor.schedules import check_reports, check_schedules
from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, InvalidConfiguration
from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine
from argo_jupyter_scheduler.jupyter.environment_manager import ArgoEnvironmentManager
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.schema import JobRow

SHOWN_ENVIRONMENTS = 20
"""How many environments are named."""


def examine(
    command: SchedulerCommand, run: bool = False, timeout_seconds: float = 600.0
) -> Iterator[Finding]:
    """Check everything, one finding after the other.

    Parameters
    ----------
    command
        Whose configuration counts.
    run
        Whether to run a tiny notebook too.
    timeout_seconds
        How long that may take.
    """
    found = list(configuration.check_configuration(command))
    yield from found
    if any(finding.status == PROBLEM for finding in found):
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            with _collected_warnings() as warnings:
                scheduler = command.make_scheduler(Path(folder), create=run)
                scheduler.jobs.engine.start()
        except (InvalidConfiguration, ArgoSchedulerError) as error:
            yield problem("configuration", str(error))
            return
        try:
            yield from (warning("configuration", text) for text in warnings)
            if scheduler.jobs.settings.slack.channel and not scheduler.jobs.engine.has_slack_token:
                yield warning("configuration", messages.notifications.SLACK_NOT_CONFIGURED)
            yield from _check_engine(scheduler, run)
            yield from check_schedules(scheduler.jobs.database)
            yield from check_reports(scheduler.jobs)
            yield from check_targets(scheduler.jobs)
            yield from check_outputs(scheduler.jobs, _find_root(command), _read_pods(scheduler), run)
            yield from check_retention(scheduler)
            yield from _check_environments(scheduler)
            yield check_formats()
            if run:
                from argo_jupyter_scheduler.cli.doctor import trial

                yield from trial.try_everything(scheduler, Path(folder), timeout_seconds)
        finally:
            scheduler.close()


def _find_root(command: SchedulerCommand) -> Path | None:
    """Return the configured root folder; None where JupyterLab takes the folder that it is started in."""
    configured = command.config.ServerApp.get("root_dir")
    return Path(str(configured)).expanduser() if configured else None


def _read_pods(scheduler: ArgoScheduler) -> storage.RunPods | None:
    """Return the pods of runs; None where runs are not in pods, or the shape of the pods is unknown."""
    engine = scheduler.jobs.engine
    if isinstance(engine, ArgoEngine):
        with contextlib.suppress(ArgoSchedulerError):
            manifest = engine.build_workflow(JobRow(job_id=argo.NO_JOB, parameters={}))
            return storage.read_run_pods(manifest, engine.settings.pods)
    return None


def _check_engine(scheduler: ArgoScheduler, run: bool) -> Iterator[Finding]:
    """Check where notebooks run, and where their files and rows are."""
    engine = scheduler.jobs.engine
    if not isinstance(engine, ArgoEngine):
        why = "c.ArgoScheduler.engine" if scheduler.argo_server else "Argo is not configured, see ARGO_SERVER"
        yield ok("engine", f"this machine ({why}), up to {scheduler.max_concurrent_runs} runs at once")
        yield from storage.check_storage(Path(scheduler.staging_path), scheduler.jobs.database)
        return
    is_usable = True
    for finding in argo.check_server(engine, run):
        yield finding
        is_usable = is_usable and not (finding.status == PROBLEM and finding.check in ("argo", "token"))
    try:
        compute_type = scheduler.jobs.settings.default_compute_type
        manifest = engine.build_workflow(JobRow(job_id=argo.NO_JOB, parameters={}, compute_type=compute_type))
    except ArgoSchedulerError as error:
        yield problem("pods", str(error))
        yield from storage.check_storage(Path(scheduler.staging_path), scheduler.jobs.database)
        return
    yield argo.check_pods(engine, manifest, dry_run=is_usable)
    if not run:
        yield argo.check_image(engine, manifest)
    pods = storage.read_run_pods(manifest, engine.settings.pods)
    yield from storage.check_storage(Path(scheduler.staging_path), scheduler.jobs.database, pods)


def _check_environments(scheduler: ArgoScheduler) -> Iterator[Finding]:
    manager = scheduler.environments_manager
    if isinstance(manager, ArgoEnvironmentManager):
        for source, trouble in manager.catalog.find_troubles().items():
            yield warning("environments", f"{source}: {trouble}")
        if broken := manager.catalog.find_broken():
            yield warning(
                "environments",
                f"not offered, because their Python or their kernel's program is missing: {', '.join(broken)}",
                "Create these environments again, or delete them.",
            )
    names = [environment.name for environment in manager.list_environments()]
    if names:
        others = len(names) - SHOWN_ENVIRONMENTS
        more = f" and {others} more" if others > 0 else ""
        yield ok("environments", ", ".join(names[:SHOWN_ENVIRONMENTS]) + more)
    else:
        yield problem("environments", "none found, so the dialog cannot offer any")


class _WarningCollector(logging.Handler):
    """Collects the warnings that a server would log at its start."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextlib.contextmanager
def _collected_warnings() -> Iterator[list[str]]:
    """Collect the warnings that are logged while this lasts."""
    collector, root = _WarningCollector(), logging.getLogger()
    root.addHandler(collector)
    try:
        yield collector.texts
    finally:
        root.removeHandler(collector)

"""Folders of outputs that runs could not write, and object stores that they could not reach."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from argo_jupyter_scheduler.cli.doctor.finding import Finding, ok, problem, warning
from argo_jupyter_scheduler.cli.doctor.storage import RunPods
from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError
from argo_jupyter_scheduler.domain.output_template import OutputTemplate, parse_output_templates
from argo_jupyter_scheduler.engines.argo.pods import visibility
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape
from argo_jupyter_scheduler.jobs.places import find_trouble
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.storage.destinations import StoreFolder

MAX_PLACES = 20
"""How many places are looked at: each object store is asked."""

FOLDER_ADVICE = "Change the option output of these jobs, or c.ArgoScheduler.output_directory_template; see docs/outputs.md."
STORE_ADVICE = "Install the package, and give runs credentials through their environment or service account; see docs/outputs.md."
LINKED_ADVICE = (
    "Move the notebook back, or choose another input in the job definition; see docs/linked-input.md."
)


def check_outputs(
    jobs: JobService, root_dir: Path | None, pods: RunPods | None, write: bool
) -> Iterator[Finding]:
    """Return a finding for each place that runs cannot use; the others in one.

    Parameters
    ----------
    root_dir
        The configured root folder; None where only JupyterLab knows it.
    pods
        None where runs are not in pods, or the shape of the pods is unknown.
    write
        Whether a small object is written to object stores, and deleted again.
    """
    places = _list_places(jobs, root_dir)
    faults = []
    for text, root in places[:MAX_PLACES]:
        for template in parse_output_templates(text):
            fault = _find_fault(jobs, template, root, pods, write)
            if fault:
                faults.append(fault)
                yield fault
    if places and not faults:
        yield ok("outputs", ", ".join(dict.fromkeys(text for text, _ in places[:MAX_PLACES])))
    yield from _check_linked_inputs(jobs)


def _list_places(jobs: JobService, root_dir: Path | None) -> list[tuple[str, Path | None]]:
    """Return the folders of outputs, configured and of definitions, with their root folders as far as they are known."""
    places: dict[tuple[str, Path | None], None] = {}
    if jobs.settings.output_template:
        places[jobs.settings.output_template, root_dir] = None
    for definition_id in _list_definitions(jobs):
        settings = jobs.folder(definition_id).read_settings()
        if settings.output:
            places[settings.output, Path(settings.root_dir) if settings.root_dir else None] = None
    return list(places)


def _list_definitions(jobs: JobService) -> list[str]:
    with contextlib.suppress(SQLAlchemyError):  # another check says why
        if jobs.database.has_tables():
            return [row.job_definition_id for row in jobs.database.list_options()]
    return []


def _find_fault(
    jobs: JobService, template: OutputTemplate, root: Path | None, pods: RunPods | None, write: bool
) -> Finding | None:
    if template.store:
        try:
            StoreFolder(template.store, template.fixed_folders).check(write)
        except ArgoSchedulerError as error:
            report = warning if pods else problem  # pods may have other credentials than this server
            return report("outputs", f"{template.store} cannot be used from here: {error}", STORE_ADVICE)
        return None
    if root is None:
        return None
    if reason := find_trouble(template, root, jobs.settings.staging_path, shares_machine=True):
        return problem("outputs", reason, FOLDER_ADVICE)
    if pods and not pods.nebari:
        shape = PodShape(container=pods.container, spec=pods.spec)
        if reason := visibility.find_path_problem(shape, root.joinpath(*template.fixed_folders)):
            return problem("outputs", reason, messages.argo.MOUNT_ADVICE)
    return None


def _check_linked_inputs(jobs: JobService) -> Iterator[Finding]:
    for definition_id in _list_definitions(jobs):
        settings = jobs.folder(definition_id).read_settings()
        if settings.linked is not None and not Path(settings.root_dir, str(settings.origin)).is_file():
            words = (
                f"the linked notebook '{settings.origin}' of job definition {definition_id} does not exist."
            )
            yield warning("inputs", words, LINKED_ADVICE)

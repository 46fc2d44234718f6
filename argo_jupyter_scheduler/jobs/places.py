"""Checks the places of a job's input and outputs, and describes them for its run."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, InvalidJob
from argo_jupyter_scheduler.domain.options import Options
from argo_jupyter_scheduler.domain.output_template import (
    STORES,
    OutputTemplate,
    find_parameters,
    parse_output_templates,
)
from argo_jupyter_scheduler.domain.parameters import SCHEDULED_TIME, find_computed, list_defaults
from argo_jupyter_scheduler.domain.run_settings import LinkedInput
from argo_jupyter_scheduler.environments import kernels
from argo_jupyter_scheduler.jobs.inputs import Notebook, list_notebooks
from argo_jupyter_scheduler.jobs.settings import JobSettings
from argo_jupyter_scheduler.storage.destinations import RootFolder, is_store_installed
from argo_jupyter_scheduler.storage.input_folder import FolderRules


def check_places(
    options: Options,
    notebook: Notebook,
    origin: str | None,
    parameters: Mapping[str, Any] | None,
    settings: JobSettings,
    shares_machine: bool,
) -> None:
    """Refuse a folder of outputs that cannot be written, and a linked notebook that is gone.

    Parameters
    ----------
    origin
        Where the notebook is in the root folder; None where that is unknown.
    parameters
        The job's.
    shares_machine
        Whether runs are on this server's machine, so that what is missing here is missing there.

    Raises
    ------
    InvalidJob
        With the folder or the path, and the nearest right name.
    """
    if options.is_linked:
        check_linked_input(settings.root_dir, origin, notebook.path.name)
    for template in parse_output_templates(options.output or settings.output_template):
        _, language = kernels.notebook_kernel(notebook.metadata)
        declared = list_defaults(notebook.defaults, language)
        template.check([*(parameters or ()), *(default.name for default in declared)])
        computed = find_computed(declared, language) - {SCHEDULED_TIME, *(parameters or ())}
        for name in find_parameters(template):
            if name in computed:
                raise InvalidJob(messages.outputs.placeholder_computed(name))
        if reason := find_trouble(template, settings.root_dir, settings.staging_path, shares_machine):
            raise InvalidJob(reason)


def find_trouble(template: OutputTemplate, root_dir: Path, staging_path: Path, shares_machine: bool) -> str:
    """Return why outputs cannot be written, as far as this server sees it; empty where they can."""
    if template.protocol:
        is_missing = shares_machine and not is_store_installed(template.protocol)
        _, extra = STORES[template.protocol]
        return messages.outputs.store_not_installed(template.protocol, extra) if is_missing else ""
    folders = template.fixed_folders
    name = "/".join(folders) or "."
    try:
        RootFolder(root_dir, folders, [staging_path])
    except ArgoSchedulerError as error:
        return messages.outputs.output_not_writable(name, str(error))
    path = root_dir.joinpath(*folders)
    there = next(place for place in (path, *path.parents) if os.path.lexists(place))
    if not there.is_dir():
        return messages.outputs.output_not_writable(name, f"'{there.name}' is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        return messages.outputs.output_not_writable(name, "permission denied")
    return ""


def check_linked_input(root_dir: Path, origin: str | None, name: str) -> None:
    """Refuse a linked notebook that is not in the root folder.

    Raises
    ------
    InvalidJob
        With the nearest names.
    """
    if not origin:
        raise InvalidJob(messages.inputs.linked_input_unknown(name))
    if not (root_dir / origin).is_file():
        raise InvalidJob(messages.inputs.linked_input_not_found(origin, list_notebooks(root_dir, origin)))


def link_input(rules: FolderRules, root_dir: Path, output: str) -> LinkedInput:
    """Return what a run takes from the root folder."""
    return LinkedInput(
        excluded=tuple(rules.excluded),
        left_out=tuple(map(str, (*rules.left_out, *find_output_folders(root_dir, output)))),
        max_files=rules.max_files,
        max_bytes=rules.max_bytes,
    )


def find_output_folders(root_dir: Path, output: str) -> Collection[Path]:
    """Return the folders in which all outputs are, which no input folder brings along; the root folder is not one of them."""
    templates = parse_output_templates(output)
    return [root_dir.joinpath(*one.fixed_folders) for one in templates if one.fixed_folders and not one.store]

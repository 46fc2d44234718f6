"""Staging folders of jobs and definitions: the input and, for the steps, this server's settings."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler.domain import messages, options
from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.run_settings import NotificationSettings, RunSettings, SlackSettings
from argo_jupyter_scheduler.engines.base import Engine
from argo_jupyter_scheduler.environments import kernels
from argo_jupyter_scheduler.jobs.inputs import Notebook, check_input_uri, find_input
from argo_jupyter_scheduler.jobs.places import check_places, find_output_folders, link_input
from argo_jupyter_scheduler.jobs.settings import JobSettings
from argo_jupyter_scheduler.jobs.validation import PreparedNotebook, Validation
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.input_folder import FolderRules, list_beside
from argo_jupyter_scheduler.storage.schema import DefinitionRow


class Staging:
    """Finds inputs, checks what is asked of them, and fills staging folders.

    Parameters
    ----------
    settings, database, engine, validation
        Those of `JobService`.
    """

    def __init__(
        self, settings: JobSettings, database: Database, engine: Engine, validation: Validation
    ) -> None:
        self.settings = settings
        self.database = database
        self.engine = engine
        self.validation = validation

    def folder(self, id_: str) -> RunFolder:
        """Return the staging folder of a job or a definition."""
        return RunFolder(self.settings.staging_path, id_)

    def prepare(self, notebook: Notebook, values: Mapping[str, Any]) -> PreparedNotebook:
        """Check what a new job or definition asks for, see `Validation.prepare`.

        Raises
        ------
        InvalidJob, EnvironmentUnusable
            It cannot be done; says why.
        """
        prepared = self.validation.prepare(notebook, self.origin_of(notebook.path), values)
        self.check_places(prepared.options, notebook, values.get("parameters"))
        return prepared

    def check_places(
        self, asked: options.Options, notebook: Notebook, parameters: Mapping[str, Any] | None
    ) -> None:
        """Refuse a folder of outputs that cannot be written, and a linked notebook that is gone.

        Raises
        ------
        InvalidJob
            Says why.
        """
        settings = replace(self.settings, root_dir=self.root_of(notebook.path))
        origin, shares_machine = self.origin_of(notebook.path), self.validation.shares_machine
        check_places(asked, notebook, origin, parameters, settings, shares_machine)

    def find_notebook(self, input_uri: str) -> Path:
        """Return the full path of a notebook within the root folder.

        Only its name may be known: a client that makes a job from another one reads ``input_filename`` from the row.

        Raises
        ------
        InvalidJob
            It does not exist, or several notebooks are possible.
        """
        check_input_uri(input_uri)
        root = self.settings.root_dir
        if Path(input_uri).name == input_uri and not os.path.exists(root / input_uri):
            folders = map(self.folder, self.database.find_jobs_of_input(input_uri))
            origins = {folder.read_settings().origin for folder in folders}
            found = sorted(origin for origin in origins if origin and os.path.isfile(root / origin))
            if len(found) > 1:
                raise InvalidJob(messages.inputs.notebook_ambiguous(input_uri, found))
            input_uri = found[0] if found else input_uri
        return find_input(root, input_uri)

    def origin_of(self, path: Path) -> str | None:
        """Return where a notebook is in the root folder; for a definition's staged input, where it was copied from."""
        if path.is_relative_to(self.settings.staging_path):
            return self.folder(path.parent.name).read_settings().origin
        return os.path.relpath(path, self.settings.root_dir)

    def root_of(self, path: Path) -> Path:
        """Return the root folder that a notebook is in; for a staged input, the one that it was copied from.

        A command on this machine has another root folder than the server.
        """
        if path.is_relative_to(self.settings.staging_path):
            return self._root_of_settings(self.folder(path.parent.name).read_settings())
        return self.settings.root_dir

    def _root_of_settings(self, settings: RunSettings) -> Path:
        known = Path(settings.root_dir)
        return known if settings.root_dir and known.is_dir() else self.settings.root_dir

    def stage(
        self,
        folder: RunFolder,
        prepared: PreparedNotebook,
        input_filename: str,
        with_folder: bool,
        scheduled_time: str = "",
    ) -> tuple[str, ...]:
        """Make a staging folder; return the relative paths of the files that came with the notebook."""
        folder.create()
        settings = self.run_settings(prepared.environment, prepared.kernel, prepared.origin, with_folder)
        root_dir = self.root_of(prepared.path)
        settings = self._add_places(settings, prepared.options, root_dir)
        settings = replace(settings, scheduled_time=scheduled_time)
        folder.write_settings(settings)
        rules = self.folder_rules(prepared.options, root_dir) if with_folder else None
        return tuple(folder.stage(prepared.path, rules, name=input_filename))

    def folder_rules(self, asked: options.Options, root_dir: Path) -> FolderRules:
        """Return what of an input folder comes along: not the folders of a job's outputs."""
        output_folders = find_output_folders(root_dir, asked.output or self.settings.output_template)
        rules = self.settings.folder_rules
        return replace(rules, left_out=(*rules.left_out, *output_folders))

    # Settings of runs

    def slack_settings(self) -> SlackSettings:
        """Return what runs send to Slack."""
        return replace(self.settings.slack, has_token=self.engine.has_slack_token)

    def notification_settings(self) -> NotificationSettings:
        """Return how runs notify targets."""
        return replace(self.settings.notifications, targets=self.engine.notification_targets)

    def run_settings(
        self,
        environment: Environment | None,
        kernel: Mapping[str, Any] | None,
        origin: str | None,
        with_folder: bool = False,
    ) -> RunSettings:
        """Return what a run's steps need of this server's configuration."""
        own = self.validation.environments.own
        beside = list_beside(self.settings.root_dir / origin) if origin and not with_folder else ()
        settings = RunSettings(
            timezone=self.settings.timezone,
            slack=self.slack_settings(),
            notifications=self.notification_settings(),
            environment=environment,
            own_environment=own.name if own else None,
            environment_patterns=self.settings.environment_patterns,
            kernel=kernel,
            run_papermill_in_environment=self.settings.run_papermill_in_environment,
            origin=origin,
            beside=beside,
            database=self.database.make_id(),
        )
        return self.engine.complete_settings(settings)

    def refresh_run_settings(self, folder: RunFolder, definition: DefinitionRow) -> None:
        """Bring a folder's settings up to date with the configuration.

        The environment and kernel that are known already stay where they can no longer be found: the run then says so.

        Parameters
        ----------
        folder
            The definition's, or that of one of its runs.
        definition
            The definition's row.
        """
        before = folder.read_settings()
        environment, kernel = before.environment, before.kernel
        if environment and environment.name != definition.runtime_environment_name:
            environment = None
        with contextlib.suppress(
            InvalidJob
        ):  # the run itself reports an input or an environment that is gone
            notebook = self.validation.read_notebook(folder.path / definition.input_filename)
            name, _ = kernels.notebook_kernel(notebook.metadata)
            found = self.validation.environments.find(definition.runtime_environment_name)
            environment = found or environment
            kernel = self.validation.environments.find_kernel(name, found) or kernel
        with_folder = bool(definition.package_input_folder)
        settings = self.run_settings(environment, kernel, before.origin, with_folder)
        root_dir = self._root_of_settings(before)
        try:
            asked = options.read_options(definition.tags, definition.runtime_environment_parameters)
            settings = self._add_places(settings, asked, root_dir)
        except InvalidJob:  # such as a tag of before there was this option
            settings = replace(settings, root_dir=before.root_dir, output=before.output, linked=before.linked)
        folder.write_settings(settings)

    def _add_places(self, settings: RunSettings, asked: options.Options, root_dir: Path) -> RunSettings:
        """Return settings with where the input comes from and where the outputs go."""
        output = asked.output or self.settings.output_template
        linked = None
        if asked.is_linked and settings.origin:
            linked = link_input(self.settings.folder_rules, root_dir, output)
        return replace(settings, root_dir=os.path.abspath(root_dir), output=output, linked=linked)

"""Validates requests before anything is stored.

`Validation.prepare` reads the notebook once and resolves its environment once; what it found is handed on.
"""

from __future__ import annotations

import difflib
import keyword
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.options import Bounds, Options, read_options
from argo_jupyter_scheduler.domain.parameters import find_kinds
from argo_jupyter_scheduler.domain.run_settings import SlackSettings
from argo_jupyter_scheduler.environments import kernels
from argo_jupyter_scheduler.environments.catalog import Environments
from argo_jupyter_scheduler.environments.locations import is_visible
from argo_jupyter_scheduler.jobs.column_checks import check_values
from argo_jupyter_scheduler.jobs.inputs import Notebook, read_notebook
from argo_jupyter_scheduler.notify import slack
from argo_jupyter_scheduler.steps.notebook.formats import explain_missing, find_missing_requirements

PARAMETER_NAME_LENGTH = 256
"""The most characters of a parameter's name."""


@dataclass(frozen=True)
class PreparedNotebook:
    """A notebook that can be run, and what its run needs to know.

    Attributes
    ----------
    path
        Its full path.
    origin
        Where it is in the root folder; None where that is unknown.
    language
        The language that it is written in; empty where it does not tell.
    environment
        The environment that was chosen; None where only its name is known.
    kernel
        The kernel that it names, where only the server's kernel spec manager knows it.
    options
        The options of its job.
    """

    path: Path
    origin: str | None
    language: str
    environment: Environment | None
    kernel: Mapping[str, Any] | None
    options: Options


@dataclass(frozen=True)
class Validation:
    """The rules of one server.

    Attributes
    ----------
    environments
        The environments that are offered.
    output_formats
        Names of the formats that are offered.
    compute_types
        Names of the compute types.
    slack
        The settings for messages to Slack.
    bounds
        The limits of options.
    shares_machine
        Whether runs are on this server's machine.
    refuses_unknown_parameters
        Whether a parameter is refused that looks like a misspelt one of the notebook.
    refuses_missing_kernels
        Whether a notebook is refused whose kernel another one would replace.
    is_executable
        Whether a custom execution manager accepts the file at a path; None for this package's own, which accepts every notebook.
    targets
        Names of the notification targets that runs can reach.
    """

    environments: Environments
    output_formats: Callable[[], Collection[str]]
    compute_types: Collection[str]
    slack: Callable[[], SlackSettings]
    bounds: Bounds
    shares_machine: bool
    refuses_unknown_parameters: bool = True
    refuses_missing_kernels: bool = False
    is_executable: Callable[[str], bool] | None = None
    targets: Callable[[], Collection[str]] = tuple

    def prepare(self, notebook: Notebook, origin: str | None, values: Mapping[str, Any]) -> PreparedNotebook:
        """Check what a user asks for. Columns that are missing in `values` are not checked.

        Parameters
        ----------
        notebook
            The input.
        origin
            Where it is in the root folder.
        values
            Columns of a job or a definition.

        Raises
        ------
        InvalidJob, EnvironmentUnusable
            It cannot be done; says why.
        """
        check_values(values)
        check_formats(values.get("output_formats") or (), self.output_formats())
        kernel_name, language = kernels.notebook_kernel(notebook.metadata)
        environment = kernel = None
        if "runtime_environment_name" in values:
            environment = self.environments.find(values["runtime_environment_name"])
            kernel = self.environments.find_kernel(kernel_name, environment)
            self._check_kernel(environment, notebook.metadata, kernel)
        if "parameters" in values:
            parameters = values["parameters"] or {}
            check_parameters(parameters, is_python=language in ("", "python"))
            if self.refuses_unknown_parameters:
                check_spelling(parameters, find_kinds(notebook.defaults, language))
            slack.check(parameters, self.slack())
        if values.get("compute_type"):
            check_known([values["compute_type"]], self.compute_types, "Compute type")
        options = read_options(values.get("tags"), values.get("runtime_environment_parameters"))
        self.bounds.check(options)
        check_targets(options, self.targets())
        return PreparedNotebook(notebook.path, origin, language, environment, kernel, options)

    def read_notebook(self, path: Path) -> Notebook:
        """Read a notebook.

        Raises
        ------
        InvalidJob
            It is not a notebook that can be executed.
        """
        if self.is_executable and not self.is_executable(str(path)):
            raise InvalidJob(messages.notebooks.not_executable(path.name))
        return read_notebook(path)

    def _check_kernel(
        self, environment: Environment | None, metadata: Mapping[str, Any], known: Mapping[str, Any] | None
    ) -> None:
        """Refuse an environment without a kernel for the notebook, as far as this server sees it.

        Which kernels this package's own environment has elsewhere, in an image of the pods, only a run can tell.
        """
        if environment is None:
            return
        kernel = None
        if environment.is_own:
            if self.shares_machine:
                kernel = kernels.choose_own(environment, metadata, known)
        elif environment.kernel or os.path.isdir(environment.prefix):
            kernel = kernels.choose(environment, metadata)
        elif is_visible(environment.prefix):
            raise InvalidJob(
                messages.environments.environment_folder_gone(environment.name, environment.prefix)
            )
        replaced = kernels.find_replaced(kernel, metadata) if kernel and self.refuses_missing_kernels else ""
        if kernel and replaced:
            raise InvalidJob(messages.notebooks.kernel_refused(replaced, kernel.name))


def check_output_formats(formats: Collection[str] | None) -> None:
    """Refuse an empty choice; None, where a request does not say it, is a job without outputs.

    Raises
    ------
    InvalidJob
        No format is chosen.
    """
    if formats is not None and not formats:
        raise InvalidJob(messages.requests.NO_OUTPUT_FORMAT)


def check_formats(formats: Collection[str], offered: Collection[str]) -> None:
    """Refuse output formats that cannot be made.

    Raises
    ------
    InvalidJob
        With what is missing and how to install it, or the nearest names.
    """
    for name in formats:
        if name not in offered and (missing := find_missing_requirements().get(name)):
            raise InvalidJob(explain_missing(name, missing))
    check_known(formats, offered, "Output format")


def check_known(names: Iterable[str], known: Collection[str], subject: str) -> None:
    """Refuse names that are not known.

    Raises
    ------
    InvalidJob
        With the nearest names that are.
    """
    for name in names:
        if name not in known:
            raise InvalidJob(messages.requests.not_found(subject, name, known))


def check_targets(options: Options, known: Collection[str]) -> None:
    """Refuse notification targets that are not known.

    Raises
    ------
    InvalidJob
        With the nearest names that are.
    """
    if options.notify_on and not options.notify:
        raise InvalidJob(messages.options.NOTIFY_TARGET_MISSING)
    if options.notify and not known:
        raise InvalidJob(messages.options.NO_TARGETS)
    check_known(options.notify, known, "Notification target")


def check_parameters(parameters: Mapping[str, object], is_python: bool) -> None:
    """Refuse parameters that a notebook cannot get.

    Raises
    ------
    InvalidJob
        With the parameter's name.
    """
    for name, value in parameters.items():
        if len(name) > PARAMETER_NAME_LENGTH:
            raise InvalidJob(
                messages.requests.too_long("name of a parameter", len(name), PARAMETER_NAME_LENGTH)
            )
        if not name or "=" in name or "\0" in name or name != name.strip():
            raise InvalidJob(messages.requests.parameter_name_not_valid(name))
        if is_python and (not name.isidentifier() or keyword.iskeyword(name)):
            raise InvalidJob(messages.requests.parameter_name_not_plain(name))
        if "\0" in str(value):
            raise InvalidJob(messages.requests.parameter_has_nul(name))


def check_spelling(parameters: Mapping[str, object], declared: Collection[str]) -> None:
    """Refuse a parameter that the notebook does not have, where it has one of almost the same name.

    Other unknown names are accepted: they may be meant as environment variables.

    Raises
    ------
    InvalidJob
        With the nearest name.
    """
    for name in parameters:
        if name in declared or name.startswith(slack.PREFIX):
            continue
        near = difflib.get_close_matches(name, set(declared) - set(parameters), n=1, cutoff=0.7)
        if near:
            raise InvalidJob(messages.requests.parameter_misspelt(name, near[0], declared))

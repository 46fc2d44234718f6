"""The seam to Jupyter-Scheduler's environment manager: what the dialog offers."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_scheduler.environments import EnvironmentManager
from jupyter_scheduler.models import RuntimeEnvironment

from argo_jupyter_scheduler.config.environments import EnvironmentTraits
from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.environments.catalog import EnvironmentCatalog, Environments, make_sources
from argo_jupyter_scheduler.environments.settings import EnvironmentSettings
from argo_jupyter_scheduler.jupyter.server import find_kernel_spec_manager
from argo_jupyter_scheduler.steps.notebook.formats import list_output_formats

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpecManager


class ArgoEnvironmentManager(EnvironmentManager):
    """Offers the environments of a catalog. Names and labels are equal, as the frontend needs.

    Jupyter-Scheduler makes it without arguments; `ArgoScheduler` then calls `configure`.
    """

    def __init__(self) -> None:
        self._settings = EnvironmentSettings()
        self._catalog: EnvironmentCatalog | None = None
        self._listed: Mapping[str, Environment] = {}
        self._models: list[RuntimeEnvironment] = []

    def configure(
        self,
        settings: EnvironmentSettings,
        kernel_spec_manager: KernelSpecManager | None = None,
        log: logging.Logger | None = None,
    ) -> None:
        """Take over the configuration, and begin to look for environments in the background.

        Parameters
        ----------
        settings
            Which environments are offered.
        kernel_spec_manager
            The server's; None for Jupyter's own.
        log
            The server's log.
        """
        log = log or logging.getLogger("argo_jupyter_scheduler")
        catalog = EnvironmentCatalog(settings, make_sources(settings, kernel_spec_manager, log), log)
        catalog.refresh()
        self._settings, self._catalog = settings, catalog

    @property
    def catalog(self) -> EnvironmentCatalog:
        """The environments and kernels that the dialog offers."""
        while (
            self._catalog is None
        ):  # made and used by somebody else than Jupyter-Scheduler with `ArgoScheduler`
            self.configure(EnvironmentTraits().environment_settings())
        return self._catalog

    def list_environments(self) -> list[RuntimeEnvironment]:
        """Return this server's own environment and what the sources have answered so far, the default one first."""
        offered = self.catalog.list_offered()
        if offered is not self._listed:
            self._models = [self._model(environment) for environment in offered.values()]
            self._listed = offered
        return self._models

    def manage_environments_command(self) -> str:
        """Return no command: environments are not managed from the dialog."""
        return ""

    def output_formats_mapping(self) -> dict[str, str]:
        """Return all output formats with their labels."""
        return list_output_formats()

    def _model(self, environment: Environment) -> RuntimeEnvironment:
        kernel = {"kernel": environment.name} if environment.kernel else None
        return RuntimeEnvironment(
            name=environment.name,
            label=environment.name,
            description=environment.description,
            file_extensions=["ipynb"],
            output_formats=list(list_output_formats()),
            metadata=kernel or {"path": environment.prefix or sys.prefix},
            compute_types=list(self._settings.compute_types) or None,
            default_compute_type=self._settings.default_compute_type or None,
        )


def configure_environments(
    manager: EnvironmentManager, settings: EnvironmentSettings, log: logging.Logger
) -> Environments:
    """Hand the configuration to this package's environment manager; return what the manager in use knows.

    Parameters
    ----------
    manager
        An `ArgoEnvironmentManager`, which was made without a configuration, or another one, which stays as it is.
    settings
        Which environments are offered.
    log
        The server's log.
    """
    if isinstance(manager, ArgoEnvironmentManager):
        manager.configure(settings, find_kernel_spec_manager(), log)
    return environments_of(manager)


def environments_of(manager: EnvironmentManager) -> Environments:
    """Return what an environment manager knows about environments.

    Parameters
    ----------
    manager
        An `ArgoEnvironmentManager`, or another one, which knows names only.
    """
    return manager.catalog if isinstance(manager, ArgoEnvironmentManager) else _Names(manager)


class _Names:
    """The environments of another environment manager: names without places. Their runs use this package's own environment."""

    own: Environment | None = None

    def __init__(self, manager: EnvironmentManager) -> None:
        self._manager = manager

    def find(self, name: str) -> Environment | None:
        """Return None for a name that the environment manager offers.

        Raises
        ------
        InvalidJob
            It does not offer this name.
        """
        names = self._list_names()
        if name not in names:
            raise InvalidJob(messages.requests.not_found("Environment", name, names))
        return None

    def find_known(self, name: str) -> Environment | None:
        """Return None: no place is known."""
        return None

    def find_kernel(self, notebook_kernel: str, environment: Environment | None) -> Mapping[str, Any] | None:
        """Return None: the environment manager knows no kernels."""
        return None

    def default_name(self) -> str:
        """Return the first name that the environment manager offers.

        Raises
        ------
        InvalidJob
            It offers none.
        """
        names = self._list_names()
        if not names:
            raise InvalidJob(messages.environments.no_environment(type(self._manager).__name__))
        return names[0]

    def _list_names(self) -> list[str]:
        return [str(environment.name) for environment in self._manager.list_environments()]

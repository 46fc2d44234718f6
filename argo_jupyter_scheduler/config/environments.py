"""The environments of the dialog, as traits."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable
from typing import Any

from traitlets import Bool, HasTraits, List, TraitError, Unicode, default, validate

from argo_jupyter_scheduler.environments.locations import check_pattern
from argo_jupyter_scheduler.environments.settings import EnvironmentSettings
from argo_jupyter_scheduler.environments.sources.conda_store import CondaStore


class EnvironmentTraits(HasTraits):
    """Which environments the dialog offers, for `ArgoScheduler`."""

    use_conda_store_env = Bool(
        False,
        config=True,
        help="""Whether to offer the conda-store environments that the user may use. Nebari sets this on the class itself:
        `c.SchedulerApp.scheduler_class.use_conda_store_env = True`.""",
    )
    conda_store_url = Unicode(
        config=True,
        help="""Address of conda-store's server, such as `http://conda-store.example:5000/conda-store`. Default: from the
        environment variables CONDA_STORE_SERVICE (`service:port`) and CONDA_STORE_SERVICE_NAMESPACE, as Nebari sets them.""",
    )
    conda_store_token = Unicode(
        config=True,
        help="""Token for conda-store. Default: the environment variable CONDA_STORE_TOKEN, which is the better place for it. Empty:
        only public environments are offered.""",
    )
    conda_store_prefix = Unicode(
        "/home/conda/{namespace}/envs/{namespace}-{name}",
        config=True,
        help="Path of a conda-store environment; it must be the same on the server and in the pods.",
    )
    environment_patterns = List(
        Unicode(),
        ["/opt/conda/envs/{name}"],
        config=True,
        help="""Paths of conda environments, such as `["/opt/conda/envs/{name}"]`; they must be the same on the server and in
        the pods. Those in `conda env list` or conda's configuration are offered too.""",
    )
    environment_folders = List(
        Unicode(),
        config=True,
        help="""Folders with virtual environments, or with projects that have one (`.venv`, `venv`, or pixi's), such as
        `["~/projects"]`. Empty: none.""",
    )
    environments_filter = Unicode(
        config=True,
        help="""Which environments to offer, by name: a glob such as `analytics-*`, or a regular expression if it begins
        with `^`, such as `^(analytics|global)-`. Empty: all.""",
    )
    default_environment = Unicode(
        config=True,
        help="Name of the environment that is selected first, such as `analytics-base`. Empty: this server's own.",
    )
    run_papermill_in_environment = Bool(
        False,
        config=True,
        help="""Whether papermill runs in the selected environment, if it is installed there. Otherwise an environment only needs a
        kernel.""",
    )

    @default("conda_store_url")
    def _default_conda_store_url(self) -> str:
        service = os.environ.get("CONDA_STORE_SERVICE", "").strip()
        namespace = os.environ.get("CONDA_STORE_SERVICE_NAMESPACE", "").strip()
        if not service:
            return ""
        host, _, port = service.partition(":")
        host += f".{namespace}.svc" if namespace else ""
        return f"http://{host}:{port}/conda-store" if port else f"http://{host}/conda-store"

    @default("conda_store_token")
    def _default_conda_store_token(self) -> str:
        return os.environ.get("CONDA_STORE_TOKEN", "")

    @validate("environment_patterns", "conda_store_prefix")
    def _patterns_name_an_environment(self, proposal: Any) -> Any:
        patterns = [proposal.value] if isinstance(proposal.value, str) else proposal.value
        for pattern in patterns:
            try:
                check_pattern(pattern)
            except ValueError as error:
                raise TraitError(f"{proposal.trait.name}: {error}") from error
        return proposal.value

    @validate("environments_filter")
    def _filter_can_be_read(self, proposal: Any) -> str:
        try:
            _filter(proposal.value)
        except re.error as error:
            raise TraitError(
                f"environments_filter: '{proposal.value}' is not a regular expression: {error}"
            ) from error
        return str(proposal.value)

    def environment_settings(
        self, compute_types: tuple[str, ...] = (), default_compute_type: str = ""
    ) -> EnvironmentSettings:
        """Return what the environment manager needs, as configured."""
        conda_store = None
        if self.use_conda_store_env:
            conda_store = CondaStore(self.conda_store_url, self.conda_store_token, self.conda_store_prefix)
        return EnvironmentSettings(
            patterns=tuple(self.environment_patterns),
            folders=tuple(self.environment_folders),
            allowed=_filter(self.environments_filter),
            default=self.default_environment,
            conda_store=conda_store,
            compute_types=compute_types,
            default_compute_type=default_compute_type,
        )

    def patterns_of_runs(self) -> list[str]:
        """Return where a step looks for an environment that the server did not find for it."""
        stores = [self.conda_store_prefix] if self.use_conda_store_env else []
        return [*self.environment_patterns, *stores]


def _filter(text: str) -> Callable[[str], bool]:
    """Return whether a name is among those that a glob, or a regular expression with `^` in front, means."""
    expression = re.compile(text if text.startswith("^") else fnmatch.translate(text or "*"))
    return lambda name: expression.match(name) is not None

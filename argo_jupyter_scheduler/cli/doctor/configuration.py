"""The configuration of this server, and where it comes from."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from jupyter_scheduler.extension import SchedulerApp
from jupyter_server.extension.config import ExtensionConfigManager
from traitlets.config.loader import JSONFileConfigLoader, PyFileConfigLoader

from argo_jupyter_scheduler.cli.command import SchedulerCommand
from argo_jupyter_scheduler.cli.doctor.finding import Finding, ok, problem, warning
from argo_jupyter_scheduler.domain.errors import InvalidConfiguration
from argo_jupyter_scheduler.scheduler import ArgoScheduler

VARIABLES = (
    "ARGO_SERVER",
    "ARGO_SECURE",
    "ARGO_BASE_HREF",
    "ARGO_NAMESPACE",
    "ARGO_TOKEN",
    "ARGO_TOKEN_FILE",
    "ARGO_INSECURE_SKIP_VERIFY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "JUPYTER_IMAGE",
    "JUPYTER_IMAGE_SPEC",
)
"""Environment variables that traits default to."""

SECTIONS = frozenset({"ArgoScheduler", "ArgoTaskRunner", "BaseScheduler", "Scheduler", "SchedulerApp"})


def check_configuration(command: SchedulerCommand) -> Iterator[Finding]:
    """Read the configuration as the server does.

    Parameters
    ----------
    command
        It has the configuration afterwards, unless there is a problem.
    """
    try:
        command.load_configuration()
    except InvalidConfiguration as error:
        yield problem("configuration", str(error), "Correct this file: JupyterLab skips it.")
        return
    files = list(dict.fromkeys(command.loaded_config_files))
    set_here = [name for name in VARIABLES if os.environ.get(name)]
    variables = f"; environment variables {', '.join(set_here)}" if set_here else ""
    yield ok("configuration", f"{', '.join(files) or 'no file'}{variables}")
    yield from _check_lab_file(command)
    yield _check_backend(command)


def _check_lab_file(command: SchedulerCommand) -> Iterator[Finding]:
    """Look for our sections in JupyterLab's own configuration file, which is read too late for server extensions."""
    loaders = ((".py", PyFileConfigLoader), (".json", JSONFileConfigLoader))
    for folder, (suffix, loader) in itertools.product(command.config_file_paths, loaders):
        file = Path(folder) / f"jupyter_lab_config{suffix}"
        if not file.is_file():
            continue
        with contextlib.suppress(Exception):  # JupyterLab itself says what is wrong with it
            ours = sorted(SECTIONS & set(loader(file.name, str(folder)).load_config()))
            if ours:
                yield warning(
                    "configuration",
                    f"{file} has c.{', c.'.join(ours)}, which JupyterLab does not pass on to the scheduler.",
                    "Move that into jupyter_server_config.py.",
                )


def _check_backend(command: SchedulerCommand) -> Finding:
    """Check whether JupyterLab uses this package at all."""
    advice = "Reinstall argo-jupyter-scheduler into JupyterLab's own environment; it brings its configuration with it."
    extensions = ExtensionConfigManager(read_config_path=command.config_file_paths).get_jpserver_extensions()
    extensions.update(command.config.ServerApp.get("jpserver_extensions", {}))
    if not extensions.get("jupyter_scheduler"):
        return problem(
            "backend",
            "JupyterLab's extension jupyter_scheduler is not enabled.",
            "Run: jupyter server extension enable jupyter_scheduler",
        )
    scheduler_class = SchedulerApp(config=command.config).scheduler_class
    if not issubclass(scheduler_class, ArgoScheduler):
        name = f"{scheduler_class.__module__}.{scheduler_class.__qualname__}"
        return problem("backend", f"JupyterLab's scheduler is {name}, not this package's.", advice)
    return ok("backend", f"JupyterLab uses {scheduler_class.__module__}.{scheduler_class.__qualname__}")

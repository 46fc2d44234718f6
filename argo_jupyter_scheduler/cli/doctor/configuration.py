"""What this server is configured with, and from where."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_scheduler.extension import SchedulerApp
from jupyter_server.extension.config import ExtensionConfigManager
from traitlets.config.loader import JSONFileConfigLoader, PyFileConfigLoader

from argo_jupyter_scheduler.cli.doctor.finding import Finding, ok, problem, warning
from argo_jupyter_scheduler.domain.errors import InvalidConfiguration
from argo_jupyter_scheduler.scheduler import ArgoScheduler

VARIABLES = (
    *("ARGO_SERVER", "ARGO_SECURE", "ARGO_BASE_HREF", "ARGO_NAMESPACE", "ARGO_TOKEN", "ARGO_TOKEN_FILE"),
    *(
        "ARGO_INSECURE_SKIP_VERIFY",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
        "JUPYTER_IMAGE",
        "JUPYTER_IMAGE_SPEC",
    ),
)
"""Environment variables that traits default to."""

SECTIONS = frozenset({"ArgoScheduler", "ArgoTaskRunner", "BaseScheduler", "Scheduler", "SchedulerApp"})


def findings(app: Any) -> Iterator[Finding]:
    """Read the configuration as the server does.

    Parameters
    ----------
    app
        The `ArgoSchedulerApp`; its configuration is there afterwards, unless there is a problem.
    """
    try:
        app.load_config()
    except InvalidConfiguration as error:
        yield problem("configuration", str(error), "Mend this file: JupyterLab skips it.")
        return
    files = list(dict.fromkeys(app.loaded_config_files))
    set_here = [name for name in VARIABLES if os.environ.get(name)]
    variables = f"; environment variables {', '.join(set_here)}" if set_here else ""
    yield ok("configuration", f"{', '.join(files) or 'no file'}{variables}")
    yield from _lab(app)
    yield _backend(app)


def _lab(app: Any) -> Iterator[Finding]:
    """Look for our sections in JupyterLab's own configuration file, which comes too late for server extensions."""
    loaders = ((".py", PyFileConfigLoader), (".json", JSONFileConfigLoader))
    for folder, (suffix, loader) in itertools.product(app.config_file_paths, loaders):
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


def _backend(app: Any) -> Finding:
    """Look whether JupyterLab uses this package at all."""
    advice = "Reinstall argo-jupyter-scheduler into JupyterLab's own environment; it brings its configuration with it."
    extensions = ExtensionConfigManager(read_config_path=app.config_file_paths).get_jpserver_extensions()
    extensions.update(app.config.ServerApp.get("jpserver_extensions", {}))
    if not extensions.get("jupyter_scheduler"):
        return problem(
            "backend",
            "JupyterLab's extension jupyter_scheduler is not enabled.",
            "Run: jupyter server extension enable jupyter_scheduler",
        )
    scheduler_class = SchedulerApp(config=app.config).scheduler_class
    if not issubclass(scheduler_class, ArgoScheduler):
        name = f"{scheduler_class.__module__}.{scheduler_class.__qualname__}"
        return problem("backend", f"JupyterLab's scheduler is {name}, not this package's.", advice)
    return ok("backend", f"JupyterLab uses {scheduler_class.__module__}.{scheduler_class.__qualname__}")

"""The job's parameters, as the notebook and its kernel's environment variables get them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from argo_jupyter_scheduler.domain.parameters import (
    SCHEDULED_TIME,
    find_kinds,
    is_expression,
    read_parameters,
)
from argo_jupyter_scheduler.notify import slack, targets
from argo_jupyter_scheduler.steps.context import log
from argo_jupyter_scheduler.steps.notebook.cells import tags_of
from argo_jupyter_scheduler.storage.database import PASSWORD_VARIABLE

if TYPE_CHECKING:
    import nbformat

PARAMETERS_TAG = "parameters"
"""papermill's tag of the cell with the defaults."""

SCHEDULED_TIME_VARIABLE = "SCHEDULED_TIME"
"""The environment variable of the kernel that has the same moment, in every notebook."""

SESSION_VARIABLE = "JPY_SESSION_NAME"
"""The environment variable of the kernel in which JupyterLab has the notebook's path; ipykernel calls it ``__session__``."""

MAX_VARIABLE_BYTES = 128 * 1024
"""Linux refuses to start a process with a longer ``NAME=value`` (``MAX_ARG_STRLEN``)."""

MAX_VARIABLES_BYTES = 1024 * 1024
"""Of all parameters together: a process's arguments and variables share a quarter of its stack, usually 2 MB."""

PROTECTED_VARIABLES = frozenset(
    {
        "BASH_ENV",
        "DISPLAY",
        "ENV",
        "HOME",
        "HOSTNAME",
        "IFS",
        "IPYTHONDIR",
        "LANG",
        "LANGUAGE",
        "LOGNAME",
        "MPLBACKEND",
        "PATH",
        "PWD",
        "SHELL",
        "TEMP",
        "TERM",
        "TMP",
        "TMPDIR",
        "TZ",
        "USER",
        "VIRTUAL_ENV",
    }
)
PROTECTED_PREFIXES = ("CONDA_", "DYLD_", "JUPYTER_", "LC_", "LD_", "PYTHON", "R_HOME", "R_LIBS", "XDG_")
"""Environment variables on which programs depend: a parameter of that name would break every ``!command``."""


def for_notebook(
    parameters: Mapping[str, object] | None,
    notebook: nbformat.NotebookNode,
    language: str,
    scheduled_time: str = "",
) -> dict[str, object]:
    """Return the parameters that are injected into the notebook, with their types.

    The moment is one of them where the notebook declares it, unless the job has a parameter of that name.

    Parameters
    ----------
    notebook
        Its cell tagged ``parameters`` decides the types.
    language
        Its language.
    scheduled_time
        The moment that the run is about; empty for none.
    """
    given = _without_slack(parameters)
    kinds = find_kinds(_find_defaults(notebook), language)
    if scheduled_time and SCHEDULED_TIME in kinds:
        given = {SCHEDULED_TIME: scheduled_time, **given}
    values = read_parameters(given, kinds)
    for name, value in values.items():
        if isinstance(value, str) and kinds.get(name) != "text" and is_expression(value):
            log.warning("Parameter %s is text: expressions are not evaluated.", name)
    return values


def for_environment(parameters: Mapping[str, object] | None) -> dict[str, str]:
    """Return the parameters that become environment variables of the kernel, as they were typed; the log says which do not."""
    found: dict[str, str] = {}
    free = MAX_VARIABLES_BYTES
    for name, value in _without_slack(parameters).items():
        size = len(os.fsencode(name)) + len(str(value).encode("utf-8", "surrogateescape")) + 2
        if name in PROTECTED_VARIABLES or name.startswith(PROTECTED_PREFIXES):
            log.warning(
                "Parameter %s is not an environment variable: programs depend on that variable.", name
            )
        elif size > min(MAX_VARIABLE_BYTES, free):
            log.warning("Parameter %s is not an environment variable: it is too long (%d bytes).", name, size)
        else:
            found[name] = str(value)
            free -= size
    return found


@contextlib.contextmanager
def as_environment(
    parameters: Mapping[str, object] | None, notebook: Path, scheduled_time: str = ""
) -> Iterator[None]:
    """Give processes that are started meanwhile the parameters as environment variables, and none of the steps' secrets.

    The notebook's path is one too, and the moment that the run is about unless it is empty. A parameter of the same name wins.

    Afterwards the environment is as before: this process starts the next run of this machine, which has parameters of its own.
    """
    changes: dict[str, str | None] = {
        **dict.fromkeys((*slack.NAMES, *targets.find_variables(os.environ), PASSWORD_VARIABLE)),
        SESSION_VARIABLE: str(notebook),
        **({SCHEDULED_TIME_VARIABLE: scheduled_time} if scheduled_time else {}),
        **for_environment(parameters),
    }
    before = {name: os.environ.get(name) for name in changes}
    _set_environment(changes)
    try:
        yield
    finally:
        _set_environment(before)


def _without_slack(parameters: Mapping[str, object] | None) -> dict[str, object]:
    return {name: value for name, value in (parameters or {}).items() if not name.startswith(slack.PREFIX)}


def _find_defaults(notebook: nbformat.NotebookNode) -> str:
    """Return the source of the first cell tagged ``parameters``, as papermill takes it; empty if there is none."""
    tagged = (cell for cell in notebook.cells if PARAMETERS_TAG in tags_of(cell))
    return next((str(cell.source) for cell in tagged), "")


def _set_environment(changes: Mapping[str, str | None]) -> None:
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value

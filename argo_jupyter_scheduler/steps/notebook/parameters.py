"""The job's parameters, as the notebook and its kernel's environment variables get them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

from argo_jupyter_scheduler.notify import slack
from argo_jupyter_scheduler.storage.database import PASSWORD_VARIABLE


def typed(text: str) -> object:
    """Read a value as ``papermill -p`` reads it: bool, None, int, float, else the text itself.

    The same rules as ``papermill.cli._resolve_type``, which is private; a test holds the two together.
    """
    constants = {"True": True, "False": False, "None": None}
    if text in constants:
        return constants[text]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def for_notebook(parameters: Mapping[str, object] | None) -> dict[str, object]:
    """Return the parameters that are injected into the notebook, with their types."""
    return {
        name: typed(value) if isinstance(value, str) else value
        for name, value in (parameters or {}).items()
        if not name.startswith(slack.PREFIX)
    }


def for_environment(parameters: Mapping[str, object] | None) -> dict[str, str]:
    """Return the parameters that become environment variables of the kernel, as they were typed."""
    return {
        name: str(value) for name, value in (parameters or {}).items() if not name.startswith(slack.PREFIX)
    }


@contextlib.contextmanager
def as_environment(parameters: Mapping[str, object] | None) -> Iterator[None]:
    """Give processes that are started meanwhile the parameters as environment variables, and none of the steps' secrets.

    Afterwards the environment is as before: this process starts the next run of this machine, which has parameters of its own.
    """
    changes: dict[str, str | None] = {
        **dict.fromkeys((*slack.NAMES, PASSWORD_VARIABLE)),
        **for_environment(parameters),
    }
    before = {name: os.environ.get(name) for name in changes}
    _set_environment(changes)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(changes: Mapping[str, str | None]) -> None:
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value

"""What a user types into the dialog's *Parameters*, as the notebook gets it."""

from __future__ import annotations

from collections.abc import Mapping

SLACK_PREFIX = "SLACK_"
"""Parameters of the step `send-to-slack`: no notebook ever sees them."""


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
        if not name.startswith(SLACK_PREFIX)
    }


def for_environment(parameters: Mapping[str, object] | None) -> dict[str, str]:
    """Return the parameters that become environment variables of the kernel, as they were typed."""
    return {
        name: str(value) for name, value in (parameters or {}).items() if not name.startswith(SLACK_PREFIX)
    }

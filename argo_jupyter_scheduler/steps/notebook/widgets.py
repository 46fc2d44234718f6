"""Describes widgets without JavaScript.

The widget manager is in no Python package, so an HTML file loads it from the web. Until it is there, and without a network, a
reader sees what is described here: texts, values, progress and outputs.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

from argo_jupyter_scheduler.steps.notebook.output_log import remove_terminal_sequences

MAX_DEPTH = 20
"""How deep widgets may be nested; their state may have circles."""

REFERENCE = "IPY_MODEL_"
"""The prefix of a reference to a widget's child, before its id."""


def describe_widget(widgets: Mapping[str, Any], model_id: str) -> str:
    """Return HTML that shows a widget with its children; empty where it says nothing.

    Parameters
    ----------
    widgets
        The notebook's state of widgets, by their ids.
    model_id
        The widget's id.
    """
    return " ".join(part for part in _describe(widgets, model_id, 0) if part)


def _describe(widgets: Mapping[str, Any], model_id: str, depth: int) -> Iterator[str]:
    model = widgets.get(model_id.removeprefix(REFERENCE)) or {}
    kind, state = str(model.get("model_name")), model.get("state") or {}
    if depth > MAX_DEPTH or not isinstance(state, dict):
        return
    yield html.escape(str(state.get("description") or ""))
    yield _describe_value(kind, state)
    for output in state.get("outputs") or ():
        yield _describe_output(output)
    for child in state.get("children") or ():
        yield from _describe(widgets, str(child), depth + 1)


def _describe_value(kind: str, state: Mapping[str, Any]) -> str:
    value, labels, index = state.get("value"), state.get("_options_labels"), state.get("index")
    if kind.startswith("HTML"):
        return str(value or "")
    if kind.endswith("ProgressModel"):
        return f'<progress value="{html.escape(str(value))}" max="{html.escape(str(state.get("max")))}"></progress>'
    if labels and isinstance(index, int):
        value = labels[index] if index < len(labels) else None
    return html.escape(str(value)) if isinstance(value, bool | int | float | str) else ""


def _describe_output(output: Mapping[str, Any]) -> str:
    data = output.get("data") or {}
    if "image/png" in data:
        return f'<img src="data:image/png;base64,{html.escape(data["image/png"])}">'
    if "text/html" in data:
        return str(data["text/html"])
    text = output.get("text") or data.get("text/plain") or "\n".join(output.get("traceback") or ())
    return f"<pre>{html.escape(remove_terminal_sequences(str(text)))}</pre>"

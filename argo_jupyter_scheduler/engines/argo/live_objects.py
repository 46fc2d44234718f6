"""A live CronWorkflow, which others may change too, brought in line with the one that is wanted. Pure: no I/O.

What was sent last stands in an annotation, as with ``kubectl apply``: the difference between that and what is wanted now has to be
changed, and all else in the live object is somebody else's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SENT = "jupyter-scheduler-sent"
"""Annotation: the ``workflowSpec`` that was sent last."""

CONFIGURATION = "jupyter-scheduler-configuration"
"""Annotation: a hash of what was configured of the runs when it was sent."""


def annotated(manifest: dict[str, Any], configuration: str) -> dict[str, Any]:
    """Return a manifest that says of itself what was sent.

    Parameters
    ----------
    configuration
        What `CONFIGURATION` shall say.
    """
    sent = json.dumps(manifest["spec"]["workflowSpec"], sort_keys=True)
    annotations = {
        **(manifest["metadata"].get("annotations") or {}),
        SENT: sent,
        CONFIGURATION: configuration,
    }
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": annotations}}


def sent(live: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the ``workflowSpec`` that was sent last, None where that is not known."""
    try:
        found: dict[str, Any] = json.loads((live["metadata"].get("annotations") or {})[SENT])
    except (KeyError, ValueError):
        return None
    return found


def edited(live: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Return whether the schedule or its policy differ, or what runs are made of is another than was sent last."""
    keys = set(wanted["spec"]) - {"workflowSpec", "workflowMetadata", "suspend"}
    before = sent(live)
    other = before is not None and before != wanted["spec"]["workflowSpec"]
    # Its mark is brought up to date too, lest it be looked at at each start.
    other |= _configuration(live) != _configuration(wanted)
    return other or any(live["spec"].get(key) != wanted["spec"][key] for key in keys)


def _configuration(cron_workflow: Mapping[str, Any]) -> str | None:
    return (cron_workflow["metadata"].get("annotations") or {}).get(CONFIGURATION)


def merged(live: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the live object with what we want in it, and all else as it is.

    Parameters
    ----------
    wanted
        An `annotated` manifest.
    """
    kept = {key: value for key, value in live["spec"].items() if key not in ("schedule", "schedules")}
    ours = wanted["spec"]["workflowSpec"]
    # An object of which it is not known what was sent keeps its templates.
    before = sent(live) or {"templates": ours["templates"]}
    spec = {**kept, **wanted["spec"], "workflowSpec": changed(before, live["spec"]["workflowSpec"], ours)}
    spec["workflowMetadata"] = _labelled(
        live["spec"].get("workflowMetadata") or {}, wanted["spec"]["workflowMetadata"]
    )
    return {**live, "metadata": _labelled(live["metadata"], wanted["metadata"]), "spec": spec}


def _labelled(live: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return live metadata with the labels and annotations that are wanted, and all others."""
    keys = [key for key in ("labels", "annotations") if key in wanted]
    return {**live, **{key: {**(live.get(key) or {}), **wanted[key]} for key in keys}}


def changed(before: Any, live: Any, wanted: Any) -> Any:
    """Return `live` with the changes that lead from `before` to `wanted`."""
    if before == wanted:
        return live
    if all(isinstance(one, Mapping) for one in (before, live, wanted)):
        found = dict(live)
        for key in [*before, *(key for key in wanted if key not in before)]:
            if key not in wanted:
                found.pop(key, None)
            elif before.get(key) != wanted[key]:
                found[key] = changed(before.get(key), live.get(key), wanted[key])
        return found
    if all(map(_is_named, (before, live, wanted))):
        parts = [{one["name"]: one for one in side} for side in (before, live, wanted)]
        found = changed(*parts)
        ours = [found.pop(name) for name in parts[-1] if name in found]  # in the order that is wanted
        return [*ours, *found.values()]
    return wanted


def _is_named(side: Any) -> bool:
    """Return whether this is a list of things that each have a name of their own, such as templates or environment variables."""
    if not isinstance(side, list) or not all(isinstance(one, Mapping) and "name" in one for one in side):
        return False
    return len({one["name"] for one in side}) == len(side)


def rewritten(live: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Return whether the live containers are not those that were sent: an admission controller's work."""
    before = sent(live) or wanted["spec"]["workflowSpec"]
    return _containers(live["spec"]["workflowSpec"]) != _containers(before)


def _containers(workflow: dict[str, Any]) -> dict[str, Any]:
    templates = workflow.get("templates") or []
    return {one["name"]: _without_empties(one["container"]) for one in templates if one.get("container")}


def _without_empties(value: Any) -> Any:
    """Return `value` without what Argo adds or leaves out when it writes an object: ``resources: {}``, ``readOnly: false``."""
    if isinstance(value, dict):
        cleaned = {key: _without_empties(one) for key, one in value.items()}
        return {key: one for key, one in cleaned.items() if one}
    return [_without_empties(one) for one in value] if isinstance(value, list) else value

"""Three-way merge of a live CronWorkflow, which others may change too, with the wanted one. Pure: no I/O.

An annotation holds what was sent last, as with ``kubectl apply``. The difference between that and what is wanted now is applied;
everything else in the live object belongs to somebody else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from argo_jupyter_scheduler.engines.argo.objects import KubernetesObject

SENT = "jupyter-scheduler-sent"
"""Annotation: the ``workflowSpec`` that was sent last."""

CONFIGURATION = "jupyter-scheduler-configuration"
"""Annotation: a hash of what was configured for the runs when it was sent."""


def annotate(manifest: KubernetesObject, configuration: str) -> KubernetesObject:
    """Return a manifest with a note in it of what is sent.

    Parameters
    ----------
    configuration
        A hash, for the annotation `CONFIGURATION`.
    """
    sent = json.dumps(manifest["spec"]["workflowSpec"], sort_keys=True)
    annotations = {
        **(manifest["metadata"].get("annotations") or {}),
        SENT: sent,
        CONFIGURATION: configuration,
    }
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": annotations}}


def read_configuration(metadata: Mapping[str, Any]) -> str | None:
    """Return the hash in an object's metadata; None where there is none."""
    return (metadata.get("annotations") or {}).get(CONFIGURATION)


def read_sent(live: Mapping[str, Any]) -> KubernetesObject | None:
    """Return the ``workflowSpec`` that was sent last, None where it is unknown."""
    try:
        found: KubernetesObject = json.loads((live["metadata"].get("annotations") or {})[SENT])
    except (KeyError, ValueError):
        return None
    return found


def needs_edit(live: KubernetesObject, wanted: KubernetesObject) -> bool:
    """Return whether the schedule, its policy, the runs or the configuration differ from what was sent last."""
    before = read_sent(live)
    if before is not None and before != wanted["spec"]["workflowSpec"]:
        return True
    # Without this, an outdated annotation would be found again at each start.
    if read_configuration(live["metadata"]) != read_configuration(wanted["metadata"]):
        return True
    keys = set(wanted["spec"]) - {"workflowSpec", "workflowMetadata", "suspend"}
    return any(live["spec"].get(key) != wanted["spec"][key] for key in keys)


def merge(live: KubernetesObject, wanted: KubernetesObject) -> KubernetesObject:
    """Return the live object with what we want in it, and everything else as it is.

    Parameters
    ----------
    wanted
        A manifest from `annotate`.
    """
    kept = {key: value for key, value in live["spec"].items() if key not in ("schedule", "schedules")}
    ours = wanted["spec"]["workflowSpec"]
    # Where it is unknown what was sent, the object keeps its templates.
    before = read_sent(live) or {"templates": ours["templates"]}
    spec = {
        **kept,
        **wanted["spec"],
        "workflowSpec": apply_change(before, live["spec"]["workflowSpec"], ours),
        "workflowMetadata": _merge_metadata(
            live["spec"].get("workflowMetadata") or {}, wanted["spec"]["workflowMetadata"]
        ),
    }
    return {**live, "metadata": _merge_metadata(live["metadata"], wanted["metadata"]), "spec": spec}


def _merge_metadata(live: KubernetesObject, wanted: KubernetesObject) -> KubernetesObject:
    """Return live metadata with the labels and annotations that are wanted, and all others."""
    keys = [key for key in ("labels", "annotations") if key in wanted]
    return {**live, **{key: {**(live.get(key) or {}), **wanted[key]} for key in keys}}


def apply_change(before: Any, live: Any, wanted: Any) -> Any:
    """Return `live` with the changes that lead from `before` to `wanted`."""
    sides = (before, live, wanted)
    if before == wanted:
        return live
    if all(isinstance(side, Mapping) for side in sides):
        found = dict(live)
        for key in [*before, *(key for key in wanted if key not in before)]:
            if key not in wanted:
                found.pop(key, None)
            elif before.get(key) != wanted[key]:
                found[key] = apply_change(before.get(key), live.get(key), wanted[key])
        return found
    if all(_has_unique_names(side) for side in sides):
        by_name = [{thing["name"]: thing for thing in side} for side in sides]
        found = apply_change(*by_name)
        ours = [found.pop(name) for name in by_name[-1] if name in found]  # in the wanted order
        return [*ours, *found.values()]
    return wanted


def _has_unique_names(side: Any) -> bool:
    """Return whether this is a list of things with a name each, such as templates or environment variables."""
    if not isinstance(side, list):
        return False
    if not all(isinstance(thing, Mapping) and "name" in thing for thing in side):
        return False
    return len({thing["name"] for thing in side}) == len(side)


def is_rewritten(live: KubernetesObject, wanted: KubernetesObject) -> bool:
    """Return whether the live containers are not those that were sent: the work of an admission controller."""
    before = read_sent(live) or wanted["spec"]["workflowSpec"]
    return _find_containers(live["spec"]["workflowSpec"]) != _find_containers(before)


def _find_containers(workflow: KubernetesObject) -> KubernetesObject:
    return {
        template["name"]: _drop_empties(template["container"])
        for template in workflow.get("templates") or []
        if template.get("container")
    }


def _drop_empties(value: Any) -> Any:
    """Return `value` without what Argo adds or leaves out when it writes an object: ``resources: {}``, ``readOnly: false``."""
    if isinstance(value, dict):
        cleaned = {key: _drop_empties(content) for key, content in value.items()}
        return {key: content for key, content in cleaned.items() if content}
    return [_drop_empties(element) for element in value] if isinstance(value, list) else value

"""What Argo refuses of a manifest, and how it expands one."""

from __future__ import annotations

import json
import re
from typing import Any

VARIABLE = re.compile(r"\{\{\s*([^}\s]+)\s*\}\}")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABELS = "workflows.argoproj.io"


class Refused(Exception):
    """An answer that is an error, as Argo's gateway writes it."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.body = status, {"code": code, "message": message}


def check(spec: dict[str, Any]) -> None:
    """Refuse what Argo refuses of a workflow's specification."""
    templates = {template["name"]: template for template in spec["templates"]}
    used = [spec.get("entrypoint"), spec.get("onExit", spec.get("entrypoint"))]
    used += [s["template"] for t in templates.values() for group in t.get("steps", []) for s in group]
    for name in used:
        if name not in templates:
            raise Refused(400, 3, f"template name '{name}' undefined")
    known = r"(workflow\.(name|uid|status|failures|creationTimestamp(\.s)?)|steps\.[\w-]+\.status|inputs\.parameters\..+)"
    for template in templates.values():
        if "container" in template and not template["container"].get("image"):
            raise Refused(400, 3, f"templates.{template['name']}.container.image may not be empty")
        for variable in VARIABLE.findall(json.dumps(template)):
            retries = variable == "retries" and "retryStrategy" in template
            if not retries and not re.fullmatch(known, variable):
                raise Refused(400, 3, f"templates.{template['name']}: failed to resolve {{{{{variable}}}}}")
    mounts = {m["name"] for t in templates.values() for m in t.get("container", {}).get("volumeMounts", [])}
    for name in mounts - {volume["name"] for volume in spec.get("volumes", [])}:
        raise Refused(400, 3, f"volume '{name}' not found in workflow spec")


def expand(text: str, variables: dict[str, str]) -> str:
    return VARIABLE.sub(lambda match: variables.get(match[1], match[0]), text)


def holds(condition: str) -> bool:
    if not condition:
        return True
    left, operator, right = re.split(r"\s+(==|!=)\s+", condition)
    return (left == right) == (operator == "==")

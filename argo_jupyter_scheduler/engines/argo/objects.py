"""The types of what Argo and Kubernetes exchange as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KubernetesObject = dict[str, Any]
"""An object of Kubernetes or Argo, such as a Workflow, or a part of one, such as a container. Their schemas say what is in it."""

Part = Mapping[str, Any]
"""The same, only read."""

"""The labels by which this package, Argo and Nebari recognise objects."""

from __future__ import annotations

JOB_LABEL = "jupyter-scheduler-job-id"
"""On a job's workflow."""

DEFINITION_LABEL = "jupyter-scheduler-job-definition-id"
"""On a cron workflow, and on the workflows that it starts."""

DATABASE_LABEL = "jupyter-scheduler-database"
"""On all of these: the id of the database that has the rows, see `storage.database_id`."""

MANAGER = {"app.kubernetes.io/managed-by": "argo-jupyter-scheduler"}
"""On every object, since a list can select by one label only. The key is one that Kubernetes recommends."""

MANAGER_SELECTOR = ",".join("=".join(label) for label in MANAGER.items())
"""Selects every object of this package."""

OVERRIDE_LABEL = "jupyterflow-override"
"""Asks Nebari's admission controller to give the pods the shape of the user's JupyterLab pod."""

CREATOR_LABEL = "workflows.argoproj.io/creator-preferred-username"
"""The user's name, as Argo's server writes it."""

ARGO_PREFIX = "workflows.argoproj.io/"
"""Labels that begin with this are Argo's own."""


RESERVED = frozenset({OVERRIDE_LABEL, JOB_LABEL, DEFINITION_LABEL, DATABASE_LABEL, *MANAGER})
"""Labels that are this package's or Nebari's own."""


def is_reserved(label: str) -> bool:
    """Return whether a label belongs to this package, to Argo or to Nebari, so that a configuration must not set it."""
    return label.startswith(ARGO_PREFIX) or label in RESERVED

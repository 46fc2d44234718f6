"""What would be submitted to Argo, as YAML."""

from __future__ import annotations

import uuid
from typing import Any

import yaml

from argo_jupyter_scheduler.domain import schedules
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.jobs import validation as checks
from argo_jupyter_scheduler.scheduler import ArgoScheduler


def manifest_of(
    scheduler: ArgoScheduler, input_uri: str, schedule: str | None = None, timezone: str | None = None
) -> str:
    """Return the manifest of a run, or of a job definition where there is a schedule. Nothing is stored or submitted.

    It has an id of its own, as each has, and nothing of the notebook: a manifest holds ids and paths only.

    Parameters
    ----------
    scheduler
        Whose configuration counts.
    input_uri
        The notebook within its root folder.
    schedule, timezone
        Of a job definition.

    Raises
    ------
    InvalidJob
        The notebook or the schedule would be refused, or nothing would be submitted.
    EngineRefused, EngineUnavailable
        The pods' shape is not complete, or Argo does not tell which version it is, which a schedule's form depends on.
    """
    from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine

    # Looked for here first: without a file of that name, `notebook` asks rows that need not be there.
    checks.input_path(scheduler.root_dir, input_uri)
    scheduler.notebook(input_uri)
    engine = scheduler.runs_on
    if not isinstance(engine, ArgoEngine):
        raise InvalidJob(
            "No Argo is configured (see ARGO_SERVER): notebooks run on this machine, without a manifest."
        )
    row: dict[str, Any] = {"parameters": {}, "compute_type": scheduler.default_compute_type}
    new_id = str(uuid.uuid4())
    if schedule is None:
        built = engine.workflow({**row, "job_id": new_id})
    else:
        schedules.parse(schedule, timezone)
        row |= {"schedule": schedule, "timezone": timezone, "active": True}
        built = engine.cron_workflow({**row, "job_definition_id": new_id})
    return str(yaml.safe_dump(built, sort_keys=False))

"""Whose runs workflows are."""

from __future__ import annotations

from typing import Any

import pytest

from argo_jupyter_scheduler.domain.identity import cron_workflow_name
from argo_jupyter_scheduler.engines.argo import observations
from argo_jupyter_scheduler.engines.argo.labels import DEFINITION_LABEL

MINE = "2b6a5d0c-0d5e-4a7c-9f2f-5a8f6f6f0c11"
UID = "9f2f5a8f-6f6f-4c11-8d5e-2b6a5d0c0d5e"
RUN = f"{cron_workflow_name(MINE)}-1767225600"


def workflow(name: str = RUN, uid: str = UID) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "uid": uid,
            "labels": {DEFINITION_LABEL: MINE},
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "status": {"phase": "Succeeded"},
    }


def test_a_run_of_a_definition() -> None:
    [run] = observations.find_runs([workflow()], [MINE])
    assert (run.job_id, run.job_definition_id, run.token) == (UID, MINE, RUN)


@pytest.mark.parametrize(
    "other",
    [
        {"name": "victim-1767225600"},
        {"name": f"{cron_workflow_name(UID)}-1767225600"},
        {"uid": "../../another/home"},
        {"uid": ""},
    ],
)
def test_a_label_alone_makes_no_run(other: dict[str, str]) -> None:
    """Whoever may create workflows in the namespace can give them any label."""
    found = workflow(**other)
    assert observations.find_runs([found], [MINE]) == []
    assert observations.find_others([found], []) == []
    assert observations.find_newest_runs([found]) == {}

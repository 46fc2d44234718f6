"""What manifests are built from in tests."""

from __future__ import annotations

from typing import Any

from argo_jupyter_scheduler.domain.run_settings import SlackSettings
from argo_jupyter_scheduler.engines.argo.manifests import Site
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape


def site(pod_per_step: bool) -> Site:
    shape = PodShape(python="/opt/conda/bin/python").changed(
        image="quay.io/jupyter/scipy-notebook:2025-10-20",
        environment={"HOME": "/home/jovyan"},
        volumes=[{"name": "home", "persistentVolumeClaim": {"claimName": "home-jovyan"}}],
        volume_mounts=[{"name": "home", "mountPath": "/home/jovyan", "subPath": "a"}],
        service_account="argo-workflow",
    )
    data = "/home/jovyan/.local/share/jupyter"
    return Site(
        "dev",
        f"sqlite:///{data}/scheduler.sqlite",
        f"{data}/scheduler {{{{x}}}} 100%",
        pod_per_step,
        shape,
        slack=SlackSettings(has_token=True),
        slack_token_secret={"name": "slack", "key": "token"},
    )


ID = "2b6a5d0c-0d5e-4a7c-9f2f-5a8f6f6f0c11"


JOB: dict[str, Any] = {"job_id": ID, "parameters": None}


TELLS = {"parameters": {"SLACK_CHANNEL": "#team"}}


DEFINITION: dict[str, Any] = {
    "job_definition_id": ID,
    "schedule": "0 6 * * *",
    "timezone": "Europe/Berlin",
    "active": True,
    "parameters": None,
}

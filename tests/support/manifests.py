"""What manifests are built from in tests."""

from __future__ import annotations

from typing import Any

from argo_jupyter_scheduler.config.settings import make_engine_settings
from argo_jupyter_scheduler.config.traits import SchedulerTraits
from argo_jupyter_scheduler.domain.run_settings import SlackSettings
from argo_jupyter_scheduler.engines.argo.manifest_settings import ManifestSettings, make_manifest_settings
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape
from argo_jupyter_scheduler.engines.argo.pods.shape_sources import build_shape, inherit_shape
from argo_jupyter_scheduler.engines.argo.settings import ArgoSettings
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow

ID = "2b6a5d0c-0d5e-4a7c-9f2f-5a8f6f6f0c11"

JOB = JobRow(job_id=ID)

SLACK_PARAMETERS = {"SLACK_CHANNEL": "#team"}

DEFINITION = DefinitionRow(job_definition_id=ID, schedule="0 6 * * *", timezone="Europe/Berlin")


def manifest_settings(pod_per_step: bool) -> ManifestSettings:
    shape = PodShape(python="/opt/conda/bin/python").changed(
        image="quay.io/jupyter/scipy-notebook:2025-10-20",
        environment={"HOME": "/home/jovyan"},
        volumes=[{"name": "home", "persistentVolumeClaim": {"claimName": "home-jovyan"}}],
        volume_mounts=[{"name": "home", "mountPath": "/home/jovyan", "subPath": "a"}],
        service_account="argo-workflow",
    )
    data = "/home/jovyan/.local/share/jupyter"
    return ManifestSettings(
        "dev",
        f"sqlite:///{data}/scheduler.sqlite",
        f"{data}/scheduler {{{{x}}}} 100%",
        pod_per_step,
        shape,
        slack=SlackSettings(has_token=True),
        slack_token_secret={"name": "slack", "key": "token"},
    )


def argo_settings(namespace: str = "jhub", server_dir: str = "/home/jovyan", **traits: Any) -> ArgoSettings:
    """Return what `ArgoEngine` gets where these traits are configured."""
    given = {"argo_server": "http://127.0.0.1:9", "argo_namespace": namespace, **traits}
    configured = SchedulerTraits(**given)
    settings = make_engine_settings(configured, "/home/jovyan/staging", server_dir).argo
    assert settings
    return settings


def shape_of(namespace: str = "jhub", server_dir: str = "/home/jovyan", **traits: Any) -> PodShape:
    """Return the shape of runs' pods where these traits are configured; this server's own pod is read where that is asked for."""
    pods = argo_settings(namespace, server_dir, **traits).pods
    return build_shape(pods, inherit_shape(pods))


def manifest_settings_of(settings: ArgoSettings) -> ManifestSettings:
    """Return what all manifests share on a server with a home in ``/home/jovyan``."""
    url, staging_path = "sqlite:////home/jovyan/scheduler.sqlite", "/home/jovyan/staging"
    return make_manifest_settings(settings, inherit_shape(settings.pods), url, staging_path)

"""Builds a run's Workflow. Pure: no I/O.

A manifest holds ids and paths, never what a user typed: Argo expands ``{{…}}`` in it, and whoever may list workflows can read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hera.workflows import Container, Parameter, Step, Steps, Workflow
from hera.workflows.models import ContinueOn, EnvVar, TTLStrategy, Volume, VolumeMount

from argo_jupyter_scheduler import plan

JOB_LABEL = "jupyter-scheduler-job-id"
OVERRIDE_LABEL = "jupyterflow-override"
"""Asks Nebari's admission controller to give the pods the shape of the user's JupyterLab pod."""

SECONDS_AFTER_COMPLETION = 24 * 3600
"""How long Argo keeps a finished workflow, for whoever wants to look at its pods' logs."""


@dataclass(frozen=True)
class PodShape:
    """The shape of a run's pods.

    Attributes
    ----------
    image
        The image's name.
    python
        Path of the Python that has this package.
    environment
        Environment variables.
    volumes, volume_mounts
        As Kubernetes has them.
    service_account
        Who runs the pods; empty for Argo's own choice.
    """

    image: str
    python: str
    environment: dict[str, str] = field(default_factory=dict)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    volume_mounts: list[dict[str, Any]] = field(default_factory=list)
    service_account: str = ""


@dataclass(frozen=True)
class Site:
    """What all runs share.

    Attributes
    ----------
    namespace
        Kubernetes namespace of the workflows.
    db_url, staging_path
        Where rows and files are, in the pods as on the server.
    pod_per_step
        Whether each step gets a pod of its own.
    shape
        The pods' shape.
    """

    namespace: str
    db_url: str
    staging_path: str
    pod_per_step: bool
    shape: PodShape


def workflow_name(job_id: str) -> str:
    """Return the name of a job's workflow: derived, so that it need not be remembered."""
    return f"job-{job_id}"


def literal(text: str) -> str:
    """Return `text` with nothing in it that Argo expands; ``urllib.parse.unquote`` gives it back."""
    return text.replace("%", "%25").replace("{", "%7B")


def build_workflow(job_id: str, site: Site) -> dict[str, Any]:
    """Return the manifest of one run, as Argo's API takes it."""
    shape = site.shape
    with Workflow(
        name=workflow_name(job_id),
        namespace=site.namespace,
        labels={JOB_LABEL: job_id, OVERRIDE_LABEL: "true"},
        entrypoint="steps",
        on_exit="exit",
        ttl_strategy=TTLStrategy(seconds_after_completion=SECONDS_AFTER_COMPLETION),
        service_account_name=shape.service_account or None,
        volumes=[Volume.model_validate(volume) for volume in shape.volumes] or None,
    ) as workflow:
        if site.pod_per_step:
            _pod_per_step(job_id, site)
        else:
            main = _container("main", plan.STEPS, job_id, site)
            with Steps(name="steps"):
                Step(name="main", template=main.name)
        _exit_handler(job_id, site)
    manifest: dict[str, Any] = workflow.to_dict()
    return manifest


def _pod_per_step(job_id: str, site: Site) -> None:
    steps = [name for name in plan.STEPS if name != plan.FAILURE]  # that one is the exit handler's
    for name in steps:
        _container(name, [name], job_id, site)
    with Steps(name="steps"):
        for name in steps:
            # `success` judges by what `main` left behind, and its failure makes the workflow Failed.
            last = name == steps[-1]
            Step(name=name, template=name, continue_on=None if last else ContinueOn(failed=True, error=True))


def _exit_handler(job_id: str, site: Site) -> None:
    """Add what Argo runs in the end, whatever became of the pods: `failure`, unless the workflow succeeded.

    What a killed `main` has left (the notebook up to that cell, the log) is published first.

    A ``hooks.exit`` with an expression runs on success too (Argo 4.1); a step's ``when`` is obeyed.
    """
    _container(
        plan.FAILURE,
        [plan.RENAME_FILES, plan.FAILURE],
        job_id,
        site,
        arguments=["--failures", "{{inputs.parameters.failures}}"],
        inputs=[Parameter(name="failures", value="{{workflow.failures}}")],
    )
    with Steps(name="exit"):
        Step(name=plan.FAILURE, template=plan.FAILURE, when="{{workflow.status}} != Succeeded")


def _container(
    name: str,
    steps: tuple[str, ...] | list[str],
    job_id: str,
    site: Site,
    *,
    arguments: list[str] | None = None,
    inputs: list[Parameter] | None = None,
) -> Container:
    shape = site.shape
    return Container(
        name=name,
        image=shape.image,
        command=[shape.python, "-m", "argo_jupyter_scheduler.steps", *steps],
        args=[
            *("--db-url", literal(site.db_url)),
            *("--staging-path", literal(site.staging_path)),
            *("--job-id", job_id),
            *(arguments or []),
        ],
        inputs=inputs,
        env=[EnvVar(name=key, value=value) for key, value in shape.environment.items()] or None,
        volume_mounts=[VolumeMount.model_validate(mount) for mount in shape.volume_mounts] or None,
    )

"""The engine of Argo without a server: what it knows before it asks anybody, and what it refuses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from argo_jupyter_scheduler.domain.errors import EngineRefused, InvalidJob
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow
from tests.support.manifests import argo_settings

IMAGE = {"inherit_pod": "off", "image": "a"}


def engine_of(database: Database, **traits: Any) -> ArgoEngine:
    return ArgoEngine(argo_settings(**traits), database, "/home/jovyan/staging")


@pytest.fixture
def nobody() -> Iterator[socket.socket]:
    """A port at which connections wait for an answer, so that each of them can be counted."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def test_a_constructor_asks_neither_argo_nor_kubernetes(
    nobody: socket.socket, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host, port = nobody.getsockname()
    (tmp_path / "token").write_text("t")
    (tmp_path / "namespace").write_text("dev")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))
    for inherit in ("on", "auto", "off"):
        engine = engine_of(
            database,
            argo_server=f"http://{host}:{port}",
            inherit_pod=inherit,
            image="a",
            service_account_path=str(tmp_path),
        )
        engine.close()
    with pytest.raises(BlockingIOError):  # nobody has connected
        nobody.accept()


def test_which_jobs_are_its_own(database: Database) -> None:
    engine = engine_of(database, **IMAGE)
    assert engine.owns(JobRow(job_id="a"))
    assert not engine.owns(JobRow(job_id="a", pid=0))
    assert not engine.owns(JobRow(job_id="a", pid=17))
    assert engine.new_job_pid is None


def test_what_its_steps_need(database: Database) -> None:
    engine = engine_of(database, **IMAGE, namespace="jobs", concurrency_policy="Forbid")
    settings = engine.complete_settings(RunSettings())
    assert (settings.engine, settings.namespace, settings.concurrency_policy) == ("argo", "jobs", "Forbid")


def test_a_job_without_an_image_or_with_a_lost_compute_type_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JUPYTER_IMAGE", "JUPYTER_IMAGE_SPEC"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EngineRefused, match=r"c\.ArgoScheduler\.image"):
        engine_of(database, inherit_pod="off").build_workflow(JobRow(job_id="a"))
    with pytest.raises(InvalidJob, match="'gpu'"):
        engine_of(database, **IMAGE).build_workflow(JobRow(job_id="a", compute_type="gpu"))


def test_a_schedule_of_a_known_argo_is_built_without_a_call(database: Database) -> None:
    definition = DefinitionRow(job_definition_id="d", schedule="0 6 * * *", timezone="UTC")
    engine = engine_of(database, **IMAGE)
    assert "schedule" in engine.build_cron_workflow(definition, one_schedule=True)["spec"]
    assert "schedules" in engine.build_cron_workflow(definition, one_schedule=False)["spec"]


def test_fields_that_hera_does_not_know_pass_through_a_compute_type(database: Database) -> None:
    new = {
        "tolerations": [{"key": "gpu", "newOfToleration": 1}],
        "extra_container_config": {"newOfContainer": {"x": 1}},
        "volumes": [{"name": "fast", "newSource": {"size": 1}}],
        "volume_mounts": [{"name": "fast", "mountPath": "/fast", "newOfMount": True}],
    }
    engine = engine_of(database, **IMAGE, compute_types={"gpu": new})
    spec = engine.build_workflow(JobRow(job_id="a", compute_type="gpu"))["spec"]
    [main] = [template for template in spec["templates"] if template["name"] == "main"]
    assert main["tolerations"] == new["tolerations"]
    assert main["container"]["newOfContainer"] == {"x": 1}
    assert main["container"]["volumeMounts"] == new["volume_mounts"]
    assert spec["volumes"] == new["volumes"]


@pytest.mark.parametrize(("nebari", "has_images"), [("off", True), ("on", False)])
def test_nebari_gives_no_image_of_ones_own(nebari: str, has_images: bool, database: Database) -> None:
    assert bool(engine_of(database, **IMAGE, nebari=nebari).no_images) != has_images


def test_it_says_what_pods_cannot_share(database: Database) -> None:
    assert "c.ArgoScheduler.volumes" in engine_of(database, **IMAGE).find_visibility_problem()
    home = {
        "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "home"}}],
        "volume_mounts": [{"name": "home", "mountPath": "/"}],
    }
    assert not engine_of(database, **IMAGE, **home).find_visibility_problem()

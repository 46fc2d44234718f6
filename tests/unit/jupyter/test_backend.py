"""What Jupyter-Scheduler 3 finds by its entry point."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from argo_jupyter_scheduler.executor import ArgoExecutor
from argo_jupyter_scheduler.jupyter.environment_manager import ArgoEnvironmentManager
from argo_jupyter_scheduler.scheduler import ArgoScheduler


def import_class(path: str) -> object:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def test_the_backend_is_found_with_its_classes_and_formats() -> None:
    [point] = entry_points(group="jupyter_scheduler.backends", name="argo")
    backend = point.load()
    assert import_class(backend.scheduler_class) is ArgoScheduler
    assert import_class(backend.execution_manager_class) is ArgoExecutor
    offered = ArgoEnvironmentManager().output_formats_mapping()
    assert {entry["id"]: entry["label"] for entry in backend.output_formats} == offered

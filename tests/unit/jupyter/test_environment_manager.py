"""The environment manager that Jupyter-Scheduler makes, and another one in its place."""

from __future__ import annotations

import pytest
from jupyter_scheduler.environments import StaticEnvironmentManager

from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.environments.settings import EnvironmentSettings
from argo_jupyter_scheduler.jupyter.environment_manager import ArgoEnvironmentManager, environments_of


def test_what_the_dialog_gets() -> None:
    manager = ArgoEnvironmentManager()
    manager.configure(EnvironmentSettings(compute_types=("small", "big"), default_compute_type="big"))
    own = manager.catalog.own
    [model] = [model for model in manager.list_environments() if model.name == own.name]
    assert (model.label, model.description) == (own.name, own.description)
    assert model.file_extensions == ["ipynb"]
    assert set(model.output_formats) >= {"ipynb", "html", "log"}
    assert model.output_formats == list(manager.output_formats_mapping())
    assert (model.compute_types, model.default_compute_type) == (["small", "big"], "big")
    assert manager.list_environments() is manager.list_environments()
    assert environments_of(manager) is manager.catalog


def test_a_manager_alone_offers_what_there_is() -> None:
    """As Jupyter-Scheduler's own `Scheduler` would use it."""
    manager = ArgoEnvironmentManager()
    assert manager.list_environments()[0].name == manager.catalog.own.name
    assert manager.catalog.find(manager.catalog.own.name).is_own


def test_another_environment_manager_knows_names_only() -> None:
    manager = StaticEnvironmentManager()
    [name] = [environment.name for environment in manager.list_environments()]
    environments = environments_of(manager)
    assert environments.own is None
    assert environments.default_name() == name
    assert environments.find(name) is environments.find_known(name) is None
    assert environments.find_kernel("python3", Environment(name)) is None
    with pytest.raises(InvalidJob, match=f"Environment 'nope' not found. Available: {name}"):
        environments.find("nope")

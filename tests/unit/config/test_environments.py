"""The traits of environments: what cannot be is refused, and what Nebari's variables say."""

from __future__ import annotations

import pytest
from traitlets import TraitError

from argo_jupyter_scheduler.config.environments import EnvironmentTraits
from argo_jupyter_scheduler.environments.sources.conda_store import CondaStore


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("environments_filter", "^("),
        ("environment_patterns", ["envs/{name}"]),
        ("environment_patterns", ["/opt/conda/envs"]),
        ("conda_store_prefix", "/home/{user}/{name}"),
    ],
)
def test_settings_that_cannot_be_are_refused_at_start(name: str, value: object) -> None:
    with pytest.raises(TraitError, match=name):
        EnvironmentTraits(**{name: value})


def test_nebaris_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    class Site(EnvironmentTraits):
        pass

    assert Site().environment_settings().conda_store is None
    Site.use_conda_store_env = True  # type: ignore[assignment]  # on the class, as Nebari does
    monkeypatch.setenv("CONDA_STORE_SERVICE", "nebari-conda-store-server:5000")
    monkeypatch.setenv("CONDA_STORE_SERVICE_NAMESPACE", "dev")
    monkeypatch.setenv("CONDA_STORE_TOKEN", "t")
    assert Site().environment_settings().conda_store == CondaStore(
        "http://nebari-conda-store-server.dev.svc:5000/conda-store",
        "t",
        "/home/conda/{namespace}/envs/{namespace}-{name}",
    )
    assert len(Site().patterns_of_runs()) == 2

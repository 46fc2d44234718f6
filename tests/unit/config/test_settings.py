"""From traits to the settings of the rooms below."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError

from argo_jupyter_scheduler.config.settings import (
    make_engine_settings,
    make_environment_settings,
    make_job_settings,
)
from argo_jupyter_scheduler.config.traits import SchedulerTraits
from argo_jupyter_scheduler.domain.retention import Keep
from argo_jupyter_scheduler.domain.run_settings import ComputeLimits
from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine
from argo_jupyter_scheduler.engines.factory import EngineSettings, make_engines
from argo_jupyter_scheduler.engines.local import LocalEngine
from argo_jupyter_scheduler.storage.database import Database


def engine_settings(**traits: Any) -> EngineSettings:
    return make_engine_settings(SchedulerTraits(**traits), "/staging", "/work")


@pytest.mark.parametrize(
    ("traits", "on_argo"),
    [
        ({}, False),
        ({"argo_server": "argo:2746"}, True),
        ({"argo_server": "argo:2746", "engine": "local"}, False),
        ({"argo_server": "argo:2746", "engine": "argo"}, True),
    ],
)
def test_which_engine_runs_notebooks(traits: dict[str, Any], on_argo: bool, database: Database) -> None:
    engine, local_engine = make_engines(engine_settings(**traits), database)
    assert isinstance(local_engine, LocalEngine)
    assert isinstance(engine, ArgoEngine if on_argo else LocalEngine)
    assert (engine is local_engine) != on_argo
    engine.close()


def test_argo_without_an_address_is_refused() -> None:
    with pytest.raises(TraitError, match="argo_server"):
        engine_settings(engine="argo")


def test_the_settings_of_this_machine() -> None:
    types = {"small": {"cpu_limit": 0.5, "mem_limit": "1G", "node_selector": {"a": "b"}}}
    settings = engine_settings(max_concurrent_runs=3, compute_types=types, slack_token="xoxb-1")
    assert (settings.max_concurrent_runs, settings.slack_token) == (3, "xoxb-1")
    limits = ComputeLimits(memory=1024**3, cores=0.5, without_effect=("node_selector",))
    assert settings.compute_limits == {"small": limits}
    assert "xoxb-1" not in repr(settings)


def test_the_settings_of_argo() -> None:
    found = engine_settings(
        argo_server="argo:2746",
        argo_namespace="jobs",
        concurrency_policy="Forbid",
        slack_token_secret={"name": "slack", "key": "token"},
        image="a",
        mem_limit="2G",
    ).argo
    assert found
    assert (found.connection.namespace, found.pods.namespace, found.pods.working_dir) == (
        "jobs",
        "jobs",
        "/work",
    )
    assert found.policy.concurrency == "Forbid"
    changed = {
        "concurrency_policy": "Forbid",
        "image": "a",
        "mem_limit": "2G",
        "python_executable": sys.executable,
    }
    assert found.configured == {**changed, "slack_token_secret": {"name": "slack", "key": "token"}}


def test_what_is_configured_is_what_was_written_not_what_it_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "alice")

    def hook(scheduler: SchedulerTraits, pod: dict[str, Any]) -> dict[str, Any]:
        return pod

    found = engine_settings(argo_server="argo", working_dir="/home/{username}", modify_pod_hook=hook).argo
    assert found
    assert found.configured["working_dir"] == "/home/{username}"
    assert str(found.configured["modify_pod_hook"]).endswith("hook")


def test_the_settings_of_jobs_and_environments(tmp_path: Path) -> None:
    traits = SchedulerTraits(
        compute_types={"small": {}, "large": {}}, allowed_images=["a/*"], slack_channel="#a"
    )
    jobs = make_job_settings(traits, str(tmp_path), str(tmp_path / "staging"), "downloads")
    assert (jobs.root_dir, jobs.staging_path) == (tmp_path, tmp_path / "staging")
    assert (jobs.default_compute_type, jobs.allowed_images) == ("small", ("a/*",))
    assert (jobs.slack.channel, jobs.slack.has_token) == ("#a", False)
    environments = make_environment_settings(traits)
    assert environments.compute_types == ("small", "large")
    assert environments.default_compute_type == "small"


def test_how_long_jobs_are_kept(tmp_path: Path) -> None:
    jobs = make_job_settings(SchedulerTraits(), str(tmp_path), str(tmp_path), "jobs")
    assert (jobs.keep_runs, jobs.keep_jobs) == (Keep(), Keep())
    jobs = make_job_settings(SchedulerTraits(keep_runs=" 20 ", keep_jobs="4w"), str(tmp_path), "", "jobs")
    assert (jobs.keep_runs, jobs.keep_jobs) == (Keep(runs=20), Keep(seconds=28 * 86400))


@pytest.mark.parametrize(
    ("trait", "value", "words"),
    [
        ("keep_runs", "forever", "keep_runs: Option keep: 'forever' is not valid"),
        ("keep_runs", "0", "is not valid"),
        ("keep_jobs", "20", "these jobs have no definition. Write a time such as 30d."),
        ("keep_jobs", "5m", "at least an hour"),
    ],
)
def test_rules_that_are_not_valid_are_refused(trait: str, value: str, words: str) -> None:
    with pytest.raises(TraitError, match=re.escape(words)):
        SchedulerTraits(**{trait: value})


def test_this_machine_does_not_pay_for_kubernetes() -> None:
    """hera's models take a second to import."""
    code = """
import sys
from argo_jupyter_scheduler.config.settings import make_engine_settings
from argo_jupyter_scheduler.config.traits import SchedulerTraits
from argo_jupyter_scheduler.engines.factory import make_engines
from argo_jupyter_scheduler.storage.database import Database
make_engines(make_engine_settings(SchedulerTraits(engine="local"), "/s", "/"), Database("sqlite://"))
print([name for name in ("hera", "pydantic") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

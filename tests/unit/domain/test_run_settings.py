"""The wire format between a server and the pods of its runs, which may have other versions of this package."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.run_settings import (
    ARGO,
    LOCAL,
    NOTIFY_ON,
    VERSION,
    ComputeLimits,
    LinkedInput,
    NotificationSettings,
    RunSettings,
    SlackSettings,
)

DATA = Path(__file__).parents[2] / "data"
GOLDEN = DATA / "run-settings.json"

COMMON: dict[str, Any] = {
    "timezone": "Europe/Berlin",
    "slack": SlackSettings("#team", "failure", True, 30.0, 10.0, "https://slack.example"),
    "notifications": NotificationSettings(("ops", "team"), "change", 30.0, 5.0, "https://hub.example"),
    "environment": Environment(
        "r", "", {"name": "ir", "argv": ["R", "-f", "{connection_file}"], "language": "R"}
    ),
    "own_environment": "venv",
    "environment_patterns": ("/opt/conda/envs/{name}", "/home/{name}"),
    "kernel": {"name": "bash", "argv": ["bash"], "language": "bash"},
    "run_papermill_in_environment": True,
    "origin": "reports/daily.ipynb",
    "beside": ("helper.py", "data/"),
    "database": "0123456789abcdef0123456789abcdef",
    "root_dir": "/home/ada",
    "output": "results/{name}",
    "linked": LinkedInput((".git",), ("/home/ada/jobs",), 100, 10**6),
    "scheduled_time": "2026-03-02T06:00:00+01:00",
}
NO_PLACES: dict[str, Any] = {"root_dir": "", "output": "", "linked": None, "scheduled_time": ""}
NO_NOTIFICATIONS: dict[str, Any] = {"notifications": NotificationSettings(), **NO_PLACES}
CURRENT = {
    LOCAL: RunSettings(
        engine=LOCAL,
        max_concurrent_runs=4,
        compute_types={"small": ComputeLimits(2**30, 0.5, ("node_selector",)), "any": ComputeLimits()},
        **COMMON,
    ),
    ARGO: RunSettings(engine=ARGO, namespace="dev", concurrency_policy="Replace", **COMMON),
}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_what_this_version_writes() -> None:
    """A change of this file is a change of the format: other versions read it."""
    assert {engine: settings.to_json() for engine, settings in CURRENT.items()} == read(GOLDEN)


@pytest.mark.parametrize("engine", list(CURRENT))
def test_what_this_version_writes_is_read(engine: str) -> None:
    assert RunSettings.from_json(read(GOLDEN)[engine]) == CURRENT[engine]


@pytest.mark.parametrize("engine", list(CURRENT))
def test_what_version_2_wrote_is_read(engine: str) -> None:
    """It did not say what lies beside the notebook."""
    settings = RunSettings.from_json(read(DATA / "older" / "run-settings-2.json")[engine])
    assert settings == replace(CURRENT[engine], version=2, beside=(), database="", **NO_NOTIFICATIONS)


@pytest.mark.parametrize("engine", list(CURRENT))
def test_what_version_3_wrote_is_read(engine: str) -> None:
    """It did not say which database has the run's row."""
    settings = RunSettings.from_json(read(DATA / "older" / "run-settings-3.json")[engine])
    assert settings == replace(CURRENT[engine], version=3, database="", **NO_NOTIFICATIONS)


@pytest.mark.parametrize("engine", list(CURRENT))
def test_what_version_4_wrote_is_read(engine: str) -> None:
    """It notified no targets."""
    settings = RunSettings.from_json(read(DATA / "older" / "run-settings-4.json")[engine])
    assert settings == replace(CURRENT[engine], version=4, **NO_NOTIFICATIONS)


@pytest.mark.parametrize("engine", list(CURRENT))
def test_what_version_5_wrote_is_read(engine: str) -> None:
    """It neither delivered outputs, nor took a linked input, nor knew its moment."""
    settings = RunSettings.from_json(read(DATA / "older" / "run-settings-5.json")[engine])
    assert settings == replace(CURRENT[engine], version=5, **NO_PLACES)


VERSION_1: dict[str, Any] = {
    "timezone": "Etc/UTC",
    "slack": SlackSettings(),
    "environment": Environment(".venv"),
    "own_environment": ".venv",
    "environment_patterns": ("/opt/conda/envs/{name}",),
    "origin": "hello.ipynb",
    "version": 1,
}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        (
            "run-local.json",
            RunSettings(
                engine=LOCAL,
                max_concurrent_runs=2,
                compute_types={"small": ComputeLimits(2**30, 1.0, ("node_selector",))},
                **VERSION_1,
            ),
        ),
        (
            "run-argo.json",
            RunSettings(engine=ARGO, namespace="dev", concurrency_policy="Replace", **VERSION_1),
        ),
    ],
)
def test_version_1_is_read(name: str, settings: RunSettings) -> None:
    assert RunSettings.from_json(read(DATA / "older" / name)) == settings


@pytest.mark.parametrize(
    ("content", "engine", "places"),
    [
        ({}, ARGO, 1),
        ({"places": 3}, LOCAL, 3),  # version 1: only this machine's runs had it
        ({"engine": "argo", "places": 3}, ARGO, 3),
        ({"engine": "local"}, LOCAL, 1),
    ],
)
def test_the_engine_of_a_file_of_any_version(content: dict[str, Any], engine: str, places: int) -> None:
    settings = RunSettings.from_json(content)
    assert (settings.engine, settings.max_concurrent_runs) == (engine, places)


def test_version_1_finds_all_that_it_reads() -> None:
    """A definition may be edited by a new server, and run by pods with an old image."""
    for engine, name in ((LOCAL, "run-local.json"), (ARGO, "run-argo.json")):
        older = read(DATA / "older" / name)
        current = read(GOLDEN)[engine]
        assert older.keys() <= current.keys()
        for key in ("slack", "environment"):
            assert older[key].keys() == current[key].keys()
        assert {key: type(value) for key, value in older.items()} == {
            key: type(current[key]) for key in older
        }


@pytest.mark.parametrize("engine", list(CURRENT))
def test_what_a_later_version_adds_is_ignored(engine: str) -> None:
    content = read(GOLDEN)[engine]
    content |= {"version": VERSION + 1, "later": {"a": 1}}
    content["slack"] = {**content["slack"], "thread": "1"}
    content["notifications"] = {**content["notifications"], "priority": 1}
    content["environment"] = {**content["environment"], "modules": ["cuda"]}
    content["linked"] = {**content["linked"], "depth": 1}
    for limits in content.get("compute_types", {}).values():
        limits["disk"] = 1
    found = RunSettings.from_json(content)
    assert found.version == VERSION + 1
    assert RunSettings.from_json({**found.to_json(), "version": VERSION}) == CURRENT[engine]


TEXT = st.text(max_size=20)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
KERNELS = st.none() | st.dictionaries(TEXT, JSON_VALUES, max_size=3)
NUMBERS = st.floats(0, 1e6)
SHARED = {
    "timezone": st.none() | TEXT,
    "slack": st.builds(
        SlackSettings, TEXT, st.sampled_from(NOTIFY_ON), st.booleans(), NUMBERS, NUMBERS, TEXT
    ),
    "notifications": st.builds(
        NotificationSettings,
        st.lists(TEXT, max_size=3).map(tuple),
        st.sampled_from(NOTIFY_ON),
        NUMBERS,
        NUMBERS,
        TEXT,
    ),
    "environment": st.none() | st.builds(Environment, TEXT, TEXT, KERNELS),
    "own_environment": st.none() | TEXT,
    "environment_patterns": st.lists(TEXT, max_size=3).map(tuple),
    "kernel": KERNELS,
    "run_papermill_in_environment": st.booleans(),
    "origin": st.none() | TEXT,
    "database": TEXT,
}
LIMITS = st.builds(
    ComputeLimits,
    st.none() | st.integers(0, 2**50),
    st.none() | NUMBERS,
    st.lists(TEXT, max_size=2).map(tuple),
)
SETTINGS = st.builds(
    RunSettings,
    engine=st.just(LOCAL),
    max_concurrent_runs=st.integers(1, 100),
    compute_types=st.dictionaries(TEXT, LIMITS, max_size=2),
    **SHARED,
) | st.builds(
    RunSettings,
    engine=st.just(ARGO),
    namespace=TEXT,
    concurrency_policy=st.sampled_from(["", "Allow", "Forbid", "Replace"]),
    **SHARED,
)


@given(SETTINGS)
def test_what_is_written_is_read_again(settings: RunSettings) -> None:
    assert RunSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings

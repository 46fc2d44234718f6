"""Where environments lie: patterns, names that could lead elsewhere, and what a step finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import EnvironmentUnusable
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.environments.locations import candidates, existing, locate

STORE = "/home/conda/{namespace}/envs/{namespace}-{name}"


def test_where_names_can_lie() -> None:
    assert candidates(["/opt/{name}", STORE], "a-b-c") == [
        "/opt/a-b-c",
        "/home/conda/a/envs/a-b-c",
        "/home/conda/a-b/envs/a-b-c",
    ]
    assert candidates([STORE], "a-b/c") == ["/home/conda/a-b/envs/a-b-c"]


@pytest.mark.parametrize("name", ["../../etc", "..", "", "a/../b", "-", "a/-/b", "a\nb/c", "../x"])
def test_names_that_lead_nowhere_else(name: str) -> None:
    found = candidates(["/opt/{name}", STORE], name)
    assert not [path for path in found if ".." in Path(path).parts or not path.isprintable()], found


def test_what_lies_there(tmp_path: Path) -> None:
    for path in ("a/envs/a-b", "a/envs/b-c", "a-b/envs/a-b-c", "[x]/envs/[x]-y"):
        (tmp_path / path).mkdir(parents=True)
    found = existing([f"{tmp_path}/{{namespace}}/envs/{{namespace}}-{{name}}"])
    assert {environment.name for environment in found} == {"a-b", "a-b-c", "[x]-y"}


def test_a_step_resolves_ambiguous_names(tmp_path: Path) -> None:
    patterns = (f"{tmp_path}/{{namespace}}/envs/{{namespace}}-{{name}}",)
    settings = RunSettings(environment_patterns=patterns, own_environment="conda")
    one, other = (tmp_path / name / "envs" / "a-b-c" for name in ("a", "a-b"))
    one.mkdir(parents=True)
    assert locate("a-b-c", settings) == Environment("a-b-c", str(one))
    assert locate("conda", settings).is_own
    other.mkdir(parents=True)
    with pytest.raises(EnvironmentUnusable, match="ambiguous"):
        locate("a-b-c", settings)
    assert locate("a-b/c", settings) == Environment("a-b/c", str(other))


def test_a_step_uses_what_the_server_found(tmp_path: Path) -> None:
    found = Environment("a", str(tmp_path))
    kernel = Environment("ir", kernel={"name": "ir"})
    assert locate("a", RunSettings(environment=found, own_environment="conda")) == found
    assert locate("ir", RunSettings(environment=kernel, own_environment="conda")) == kernel
    # The definition has got another environment since its settings were written.
    settings = RunSettings(
        environment=kernel, own_environment="conda", environment_patterns=(f"{tmp_path}/{{name}}",)
    )
    (tmp_path / "b").mkdir()
    assert locate("b", settings) == Environment("b", f"{tmp_path}/b")


def test_a_run_of_another_environment_manager_uses_its_own_environment() -> None:
    assert locate("whatever", RunSettings()).is_own


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "analytic",
            "Environment 'analytic' not found. Searched: {root}/analytic. It may have been removed or renamed",
        ),
        ("analytic", "Available: analytics."),
        ("../analytics", "No folder can have this name."),
    ],
)
def test_an_environment_that_is_gone(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "analytics").mkdir()
    settings = RunSettings(own_environment="conda", environment_patterns=(f"{tmp_path}/{{name}}",))
    with pytest.raises(EnvironmentUnusable) as error:
        locate(name, settings)
    assert words.format(root=tmp_path) in str(error.value)

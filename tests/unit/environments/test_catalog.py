"""What is offered under which name, and how long a dialog and a submit wait for it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Timer

import pytest

from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import EnvironmentsUnknown, InvalidJob
from argo_jupyter_scheduler.environments.catalog import EnvironmentCatalog, name_environments
from argo_jupyter_scheduler.environments.settings import EnvironmentSettings
from argo_jupyter_scheduler.environments.sources.source import Found, Source
from tests.support.logs import recorded_log

OWN = Environment("own")
R = Environment("ir", kernel={"name": "ir"})


@pytest.fixture
def gate() -> Iterator[Event]:
    """Opens at the end, so that no thread is left."""
    gate = Event()
    yield gate
    gate.set()


def answering(*environments: Environment, after: Event | None = None) -> Source:
    """Return a source that knows some environments, and tells when it may."""

    def find() -> Found:
        if after:
            after.wait(20)
        return Found(list(environments))

    return Source("conda", find)


def catalog(*sources: Source, **settings: object) -> EnvironmentCatalog:
    made = EnvironmentCatalog(EnvironmentSettings(**settings), sources, recorded_log()[0])  # type: ignore[arg-type]
    made.refresh()
    return made


def only(*names: str) -> Callable[[str], bool]:
    return lambda name: name in names


def test_the_second_of_a_name_is_called_by_its_path_and_a_kernel_by_what_it_is(tmp_path: Path) -> None:
    first, second = Environment("zeta", f"{tmp_path}/1/zeta"), Environment("zeta", f"{tmp_path}/2/zeta")
    kernel = Environment("zeta", kernel={"name": "zeta"})
    named = name_environments(
        [[first, Environment("Base", "/b")], [second, first, R, kernel]], OWN, EnvironmentSettings()
    )
    assert list(named) == ["own", second.prefix, "Base", "zeta", "ir", "zeta (kernel)"]
    assert (named["zeta"], named[second.prefix].prefix) == (first, second.prefix)


def test_a_kernel_is_called_by_its_display_name_where_that_is_its_own() -> None:
    def kernel(name: str, title: str) -> Environment:
        return Environment(name, kernel={"name": name, "display_name": title})

    kernels = [kernel("ir", "R 4.3"), kernel("a", "Twin"), kernel("b", "Twin"), kernel("c", "zeta")]
    kernels += [kernel("d", "own"), kernel("e", "line\nbreak"), kernel("f", " "), kernel("g", "a")]
    answers = [[Environment("zeta", "/zeta")], kernels]
    named = name_environments(answers, OWN, EnvironmentSettings(default="ir"))
    assert list(named) == ["R 4.3", "own", "zeta", "a", "b", "c", "d", "e", "f", "g"]
    assert list(name_environments(answers, OWN, EnvironmentSettings(allowed=only("ir")))) == ["R 4.3"]


def test_a_kernel_is_found_by_both_of_its_names() -> None:
    known = {"name": "ir", "display_name": "R 4.3"}
    offered = catalog(answering(Environment("ir", kernel=known)))
    offered.wait(5)
    assert list(offered.list_offered())[1:] == ["R 4.3"]
    for name in ("R 4.3", "ir"):
        assert (offered.find(name).name, offered.find(name).kernel) == (name, known)
    assert offered.find_kernel("ir", None) == known


def test_what_cannot_start_is_not_offered_but_known(tmp_path: Path) -> None:
    """So that a job of it is told why, and no other environment gets its name."""
    kinds = {"virtual": "pyvenv.cfg", "conda": "conda-meta", "r-only": "conda-meta", "whole": "pyvenv.cfg"}
    for name, mark in kinds.items():
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / mark).touch() if mark.endswith("cfg") else (tmp_path / name / mark).mkdir()
    (tmp_path / "conda" / "bin" / "python").symlink_to("/no/such/python")
    (tmp_path / "whole" / "bin" / "python").symlink_to(sys.executable)
    found = [Environment(name, str(tmp_path / name)) for name in kinds]
    found += [Environment("elsewhere", "/no/such/folder")]
    found += [Environment("k", kernel={"name": "k", "argv": ["/no/such/program"]})]
    offered = catalog(answering(*found))
    offered.wait(5)
    assert list(offered.list_offered())[1:] == ["elsewhere", "r-only", "whole"]
    assert offered.find_broken() == ["conda", "virtual", "k"]
    assert offered.find("virtual").prefix == str(tmp_path / "virtual")
    with pytest.raises(InvalidJob, match=r"Available: .*elsewhere, r-only, whole\."):
        offered.find("x")


def test_a_folder_is_offered_once_and_a_link_to_it_is_an_environment_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "latest").symlink_to("a")
    a, latest = Environment("a", f"{tmp_path}/a"), Environment("latest", f"{tmp_path}/latest")
    again = Environment("another-name", f"{tmp_path}/a")
    own = Environment("mine", os.path.realpath(sys.prefix))
    assert list(name_environments([[a], [again, latest, own]], OWN, EnvironmentSettings())) == [
        "own",
        "a",
        "latest",
    ]


def test_names_that_no_row_can_have_are_left_out() -> None:
    names = ["a\nb", "x" * 257, "x" * 256]
    found = [Environment(name, f"/{number}") for number, name in enumerate(names)]
    assert list(name_environments([found], OWN, EnvironmentSettings())) == ["own", "x" * 256]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (EnvironmentSettings(allowed=only("a", "ir")), ["a", "ir"]),
        (EnvironmentSettings(allowed=only("own", "b"), default="b"), ["b", "own"]),
        (EnvironmentSettings(default="gone"), ["own", "a", "b", "ir"]),
        (EnvironmentSettings(allowed=only()), ["own"]),  # the dialog cannot open without one
    ],
)
def test_filter_and_default(settings: EnvironmentSettings, expected: list[str]) -> None:
    answers = [[R, Environment("b", "/b")], [Environment("a", "/a")]]
    assert list(name_environments(answers, OWN, settings)) == expected


def test_the_dialog_waits_a_moment_only(gate: Event) -> None:
    offered = catalog(answering(Environment("a", "/a")), answering(R, after=gate))
    begun = time.monotonic()
    own = offered.own.name
    assert list(offered.list_offered()) == [own, "a"]
    assert offered.default_name() == own
    assert time.monotonic() - begun < 2
    assert offered.list_offered() is offered.list_offered()
    gate.set()
    offered.wait(5)
    assert list(offered.list_offered()) == [own, "a", "ir"]


def test_a_name_means_the_same_before_and_after_a_slow_source_answers(gate: Event) -> None:
    slow, quick = Environment("zeta", "/slow/zeta"), Environment("zeta", "/quick/zeta")
    offered = catalog(answering(slow, after=gate), answering(quick))
    begun = time.monotonic()
    assert offered.find(offered.own.name).is_own
    assert time.monotonic() - begun < 1  # which waits for nothing
    assert offered.find_known("zeta") in (None, quick)
    assert time.monotonic() - begun < 1
    Timer(0.3, gate.set).start()
    for _ in range(2):
        assert offered.find("zeta") == slow
    assert offered.find_known("zeta") == slow


def test_a_default_that_is_configured_is_waited_for(gate: Event) -> None:
    offered = catalog(answering(R, after=gate), default="ir")
    Timer(0.3, gate.set).start()
    assert offered.default_name() == "ir"


def test_a_new_environment_can_be_used_at_once() -> None:
    known: list[Environment] = []
    offered = catalog(Source("folders", lambda: Found(list(known))))
    offered.wait(5)
    known.append(Environment("new", "/new"))
    assert offered.find_known("new") is None
    assert offered.find("new").prefix == "/new"


def test_an_unknown_name_is_refused_with_the_nearest_and_with_the_sources_that_do_not_answer() -> None:
    def fail() -> Found:
        raise EnvironmentsUnknown("it is on fire")

    offered = catalog(
        answering(Environment("analytics", "/a")), Source("conda-store", fail, log=recorded_log()[0])
    )
    with pytest.raises(InvalidJob) as error:
        offered.find("analytic")
    assert str(error.value) == (
        "Environment 'analytic' not found. Available: analytics. (conda-store: it is on fire.)"
    )
    assert offered.find_troubles() == {"conda-store": "it is on fire"}


def test_the_kernel_that_a_notebook_names_is_waited_for_in_the_own_environment_only(gate: Event) -> None:
    offered = catalog(answering(R, after=gate))
    begun = time.monotonic()
    assert offered.find_kernel("", offered.own) is None
    assert offered.find_kernel("ir", None) is None
    assert offered.find_kernel("ir", Environment("another", "/another")) is None
    assert offered.find_kernel("python3", offered.own) is None  # Jupyter itself knows it
    assert time.monotonic() - begun < 2
    Timer(0.3, gate.set).start()
    assert offered.find_kernel("ir", offered.own) == {"name": "ir"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            EnvironmentSettings(default="irr"),
            "c.ArgoScheduler.default_environment 'irr' is not offered (near: ir).",
        ),
        (
            EnvironmentSettings(allowed=only()),
            "c.ArgoScheduler.environments_filter excludes every environment",
        ),
    ],
)
def test_settings_that_match_nothing_are_reported_once_all_sources_have_answered(
    gate: Event, settings: EnvironmentSettings, words: str
) -> None:
    log, messages = recorded_log()
    offered = EnvironmentCatalog(settings, [answering(R, after=gate)], log)
    offered.list_offered()
    assert messages() == []
    gate.set()
    for _ in range(3):
        offered.wait(5)
        offered.list_offered()
    [message] = messages()
    assert words in message

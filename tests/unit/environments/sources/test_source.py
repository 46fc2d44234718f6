"""A source in the background: what it offers while it hangs or fails, and how often that is reported."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from threading import Event

import pytest

from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import EnvironmentsUnknown
from argo_jupyter_scheduler.environments.sources.source import Found, Source
from tests.support.eventually import eventually
from tests.support.logs import recorded_log


@pytest.fixture
def gate() -> Iterator[Event]:
    """Opens at the end, so that no thread is left."""
    gate = Event()
    yield gate
    gate.set()


def wait(source: Source, seconds: float = 5) -> None:
    source.wait(time.monotonic() + seconds)


def names(source: Source) -> list[str]:
    return [environment.name for environment in source.environments]


def test_a_source_that_hangs_is_reported_once_and_waited_for_once(gate: Event) -> None:
    def find() -> Found:
        gate.wait(20)
        return Found([Environment("late")])

    log, messages = recorded_log()
    source = Source("kernel specs", find, lambda: [Environment("otherwise")], limit_seconds=0.1, log=log)
    for attempt in range(3):
        begun = time.monotonic()
        source.ask()
        wait(source)
        assert source.is_settled
        assert (names(source), source.trouble) == (["otherwise"], "it has not answered for 0.1 s")
        assert attempt == 0 or time.monotonic() - begun < 0.05
    assert messages() == [f"Environments of kernel specs: {source.trouble}."]
    gate.set()
    eventually(lambda: not source.trouble)
    assert names(source) == ["late"]


def test_a_fallback_that_hangs_as_well_is_not_waited_for_longer_than_asked(gate: Event) -> None:
    def hang() -> Found:
        gate.wait(20)
        return Found([])

    source = Source("folders", hang, lambda: hang().environments, limit_seconds=0.05, log=recorded_log()[0])
    source.ask()
    begun = time.monotonic()
    wait(source, 0.3)
    assert 0.3 <= time.monotonic() - begun < 2
    assert not source.is_settled


def test_a_source_that_has_settled_is_not_waited_for() -> None:
    source = Source("folders", lambda: Found([]))
    begun = time.monotonic()
    wait(source)
    assert (source.is_settled, source.has_settled) == (True, False)
    source.ask()
    wait(source)
    wait(source)
    assert time.monotonic() - begun < 1
    assert (source.is_settled, source.has_settled) == (True, True)


def test_a_source_without_a_fallback_is_asked_again() -> None:
    def fail() -> Found:
        raise OSError("no home")

    log, messages = recorded_log()
    source = Source("kernel specs", fail, lambda: fail().environments, log=log)
    for _ in range(2):
        source.ask()
        wait(source)
    assert (source.environments, source.trouble, source.has_settled) == ([], "OSError: no home", True)
    assert messages() == ["Environments of kernel specs: OSError: no home."]


def test_while_it_fails_its_last_answer_stays() -> None:
    answers = iter([Found([Environment("a")], "b is broken"), None, Found([])])

    def find() -> Found:
        answer = next(answers)
        if answer is None:
            raise EnvironmentsUnknown("gone")
        return answer

    log, messages = recorded_log()
    source = Source("conda", find, lambda: [Environment("otherwise")], log=log)
    seen = []
    for _ in range(3):
        source.ask()
        wait(source)
        seen.append((names(source), source.trouble))
    assert seen == [(["a"], "b is broken"), (["a"], "gone"), ([], "")]
    assert messages() == ["Environments of conda: b is broken.", "Environments of conda: gone."]


def test_a_source_that_hangs_does_not_keep_a_process_from_ending() -> None:
    code = (
        "import time; from argo_jupyter_scheduler.environments.sources.source import Source; "
        "Source('conda', lambda: time.sleep(60)).ask()"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=True).returncode == 0

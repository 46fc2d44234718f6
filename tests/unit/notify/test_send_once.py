"""A message is shown once, and nobody waits for it longer than its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from threading import Event

import pytest

from argo_jupyter_scheduler.domain.errors import MessageNotSent
from argo_jupyter_scheduler.notify.send_once import MAY_HAVE_ARRIVED, SendOnce, SentElsewhere


@pytest.fixture
def gate() -> Iterator[Event]:
    """Opens at the end, so that no thread is left."""
    gate = Event()
    yield gate
    gate.set()


def test_it_returns_what_sending_returns() -> None:
    def send(until: float) -> str:
        assert 4 < until - time.monotonic() <= 5
        return "no file"

    assert SendOnce(lambda: True).send(send, 5, "Slack") == "no file"


def test_only_one_claims() -> None:
    mark = threading.Lock()
    for expected in (True, False):
        once = SendOnce(lambda: mark.acquire(blocking=False))
        sent: list[float] = []

        def send(until: float, once: SendOnce = once, sent: list[float] = sent) -> str:
            once.claim()
            sent.append(until)
            return ""

        if expected:
            once.send(send, 5, "Slack")
        else:
            with pytest.raises(SentElsewhere):
                once.send(send, 5, "Slack")
        assert bool(sent) == expected


@pytest.mark.parametrize("claims", [False, True])
def test_a_service_that_hangs_is_given_up_in_time(gate: Event, claims: bool) -> None:
    once = SendOnce(lambda: True)

    def send(until: float) -> str:
        if claims:
            once.claim()
        gate.wait(20)
        return ""

    begun = time.monotonic()
    with pytest.raises(MessageNotSent) as error:
        once.send(send, 0.1, "Slack")
    assert time.monotonic() - begun < 2
    assert str(error.value) == "Slack did not answer within 0.1 s." + (MAY_HAVE_ARRIVED if claims else "")


def test_one_that_is_late_shows_nothing_any_more(gate: Event) -> None:
    once = SendOnce(lambda: True)
    failed: list[str] = []
    done = Event()

    def send(until: float) -> str:
        gate.wait(20)
        try:
            once.claim()
        except MessageNotSent as error:
            failed.append(str(error))
        done.set()
        return ""

    with pytest.raises(MessageNotSent):
        once.send(send, 0.1, "Slack")
    gate.set()
    assert done.wait(5)
    assert failed == ["there was no time left."]

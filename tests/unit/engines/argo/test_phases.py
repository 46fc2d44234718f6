"""Argo's phases."""

from __future__ import annotations

import pytest

from argo_jupyter_scheduler.engines.argo.phases import PHASES, Meaning, has_ended, is_waiting

OF_WORKFLOWS = ("", "Pending", "Running", "Succeeded", "Failed", "Error")
OF_NODES = ("Pending", "Running", "Succeeded", "Skipped", "Failed", "Error", "Omitted")


def test_every_phase_has_a_meaning_and_nothing_else_has() -> None:
    assert set(PHASES) == {*OF_WORKFLOWS, *OF_NODES}


@pytest.mark.parametrize("phase", PHASES)
def test_a_phase_is_a_wait_or_an_end_or_none_of_them(phase: str) -> None:
    assert (is_waiting(phase), has_ended(phase)) == {
        Meaning.WAITING: (True, False),
        Meaning.RUNNING: (False, False),
        Meaning.ENDED: (False, True),
    }[PHASES[phase]]


def test_a_phase_of_a_later_argo_ends_no_run() -> None:
    assert not has_ended("Suspended")
    assert not is_waiting("Suspended")

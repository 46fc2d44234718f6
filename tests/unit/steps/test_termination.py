"""What ends a run from outside, whatever it does."""

from __future__ import annotations

import io
import logging
import os
import signal
import subprocess
import sys
import time

import pytest

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import RunEnded, RunTimedOut
from argo_jupyter_scheduler.steps.termination import end_at_once, ended_by_signals

CHILD = """
import os, signal, subprocess, sys, time
from argo_jupyter_scheduler.domain.errors import RunEnded
from argo_jupyter_scheduler.steps.termination import ended_by_signals
try:
    with ended_by_signals({deadline}, patience_seconds=2):
        kernel = subprocess.Popen(["sleep", "600"], start_new_session=True)
        print(kernel.pid, flush=True)
        kernel.wait()
except RunEnded as error:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)
    print(type(error).__name__, error)
"""


def test_what_logging_swallows_is_raised_again() -> None:
    """Something that prints through a slow pipe, and has no process that could be ended."""

    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            time.sleep(0.05)
            return len(text)

    logger = logging.Logger("slow")
    logger.addHandler(logging.StreamHandler(Slow()))
    begun = time.monotonic()
    with pytest.raises(RunTimedOut), ended_by_signals(begun + 0.2, patience_seconds=2):  # noqa: PT012
        while time.monotonic() - begun < 10:
            logger.info("x")
    assert time.monotonic() - begun > 1


def test_a_process_that_is_told_to_end_ends_its_kernel_and_hears_it_once() -> None:
    command = [sys.executable, "-c", CHILD.format(deadline=None)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        kernel = int(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == f"RunEnded {messages.runs.TERMINATED}\n"
    assert process.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)


def test_a_time_that_is_over_is_reported_as_such() -> None:
    """The SIGTERM after it is the parent's own affair: a time-out alone lets another attempt follow."""
    command = [
        sys.executable,
        "-c",
        CHILD.format(deadline="time.monotonic() + 0.3").replace("SIGTERM", "SIGCONT"),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert answer.stdout.splitlines()[1:] == [f"RunTimedOut {messages.runs.timed_out(None)}"]


def test_a_short_step_ends_at_once() -> None:
    before = signal.signal(signal.SIGTERM, end_at_once)
    try:
        with pytest.raises(RunEnded, match="SIGTERM"):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)  # the second one is ignored
    finally:
        signal.signal(signal.SIGTERM, before)

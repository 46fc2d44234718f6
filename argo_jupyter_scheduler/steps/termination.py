"""Ends what a run does when it is asked to (SIGTERM), or when its time is over (SIGALRM).

An error that a signal handler raises appears wherever the process happens to be: in logging, which swallows it, in a task of
asyncio, where nobody looks for it, while the notebook is being written. So at first nothing is raised. The kernel is ended, and
papermill, which waits for it, writes what there is and reports that it died. Only where that does not help (a kernel elsewhere, a
conversion that hangs) the handler raises KeyboardInterrupt, again and again: neither logging nor asyncio swallows that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

import psutil

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import RunEnded, RunTimedOut

SAVE_SECONDS = 20
"""How long papermill has to notice that its kernel is gone and to write the notebook; pods usually have 30 s to end."""


def end_at_once(signum: int, frame: FrameType | None) -> None:
    """Raise `RunEnded`: a handler of SIGTERM for whatever does not take long."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: what is left to do takes a moment
    raise RunEnded(messages.runs.TERMINATED)


class _Ending:
    """The handler of both signals, which ends the processes of this one's family, and at last what is done here.

    Attributes
    ----------
    reasons
        Why it was called, once for each call; the first counts.
    groups
        The process groups that were asked to end.
    """

    def __init__(self, patience_seconds: int, describe_timeout: Callable[[], str]) -> None:
        self._patience_seconds = patience_seconds
        self._describe_timeout = describe_timeout
        self.reasons: list[RunEnded] = []
        self.groups: set[int] = set()

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """Ask the family to end; raise KeyboardInterrupt once the patience is over. After the first call comes one each second."""
        if self.reasons and signum == signal.SIGTERM:
            return
        signal.setitimer(signal.ITIMER_REAL, 1)
        is_asked = signum == signal.SIGTERM
        self.reasons.append(
            RunEnded(messages.runs.TERMINATED) if is_asked else RunTimedOut(self._describe_timeout())
        )
        family = psutil.Process().children(recursive=True)
        self.groups.update(_find_groups(family))
        _signal_groups(self.groups, signal.SIGTERM if len(self.reasons) == 1 else signal.SIGKILL)
        if len(self.reasons) % self._patience_seconds == 0:
            for member in family:
                with contextlib.suppress(psutil.Error):
                    member.kill()
            raise KeyboardInterrupt


@contextlib.contextmanager
def ended_by_signals(
    deadline: float | None,
    patience_seconds: int,
    describe_timeout: Callable[[], str] = lambda: messages.runs.timed_out(None),
) -> Iterator[None]:
    """Let SIGTERM, and the end of a time, end what is done here.

    Parameters
    ----------
    deadline
        When the time is over (``time.monotonic``); None for never.
    patience_seconds
        How long it has to end by itself, at least 1 s, once the process groups that it started, such as kernels, are ended.
    describe_timeout
        Returns the message when the time is over.

    Raises
    ------
    RunEnded
        The process was asked to end. It then ignores further SIGTERMs.
    RunTimedOut
        The time is over.
    """
    ending = _Ending(patience_seconds, describe_timeout)
    before = signal.signal(signal.SIGTERM, ending.handle)
    if before is signal.SIG_IGN:  # asked already
        signal.signal(signal.SIGTERM, before)
    signal.signal(signal.SIGALRM, ending.handle)
    if deadline is not None:
        signal.setitimer(signal.ITIMER_REAL, max(deadline - time.monotonic(), 0.001))
    try:
        yield
    except BaseException:
        if not ending.reasons:
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGTERM, before)
    if ending.reasons:
        _signal_groups(ending.groups, signal.SIGKILL)  # what ignored SIGTERM
        if type(ending.reasons[0]) is RunEnded:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise ending.reasons[0]


def _find_groups(family: Iterable[psutil.Process]) -> set[int]:
    """Return the process groups of this process's descendants, without its own."""
    found = set()
    for member in family:
        with contextlib.suppress(OSError):
            found.add(os.getpgid(member.pid))
    return found - {os.getpgrp()}


def _signal_groups(groups: Iterable[int], number: signal.Signals) -> None:
    for group in groups:
        with contextlib.suppress(OSError):  # gone, or somebody else's
            os.killpg(group, number)

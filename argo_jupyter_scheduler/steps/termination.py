"""Ends what a run does when it is told to (SIGTERM), or when its time is over (SIGALRM).

An error that a signal's handler raises appears wherever the process happens to be: in logging, which swallows it, in a task of
asyncio, where nobody looks for it, in the midst of writing the notebook. So nothing is raised at first. The kernel is ended, and
papermill, which waits for it, writes what there is and says that it died. Only where that does not help (a kernel elsewhere, a
conversion that hangs) the handler raises, again and again, what neither logging nor asyncio keeps to itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from types import FrameType

import psutil

from argo_jupyter_scheduler.domain.errors import RunEnded, RunTimedOut

TOLD = "The run was ended from outside before it had finished (SIGTERM)."
TIME_IS_OVER = "The run took longer than its option timeout allows."

PATIENCE = 20
"""Seconds for papermill to see that its kernel is gone and to write the notebook; pods are usually given 30 to end."""


def at_once(signum: int, frame: FrameType | None) -> None:
    """Raise `RunEnded`, for whatever does not take long: a handler of SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: what is left to do takes a moment
    raise RunEnded(TOLD)


@contextlib.contextmanager
def by_signals(deadline: float | None, patience: int) -> Iterator[None]:
    """Let SIGTERM, and the end of a time, end what is done here.

    Parameters
    ----------
    deadline
        When the time is over (``time.monotonic``); None for never.
    patience
        Seconds for it to end by itself, at least 1, once the process groups are ended that it started, as kernels are.

    Raises
    ------
    RunEnded
        The process was told to end. It then ignores further SIGTERMs: once is enough.
    RunTimedOut
        The time is over.
    """
    why: list[RunEnded] = []
    groups: set[int] = set()

    def end(signum: int, frame: FrameType | None) -> None:
        if why and signum == signal.SIGTERM:
            return
        signal.setitimer(signal.ITIMER_REAL, 1)
        why.append(RunEnded(TOLD) if signum == signal.SIGTERM else RunTimedOut(TIME_IS_OVER))
        family = psutil.Process().children(recursive=True)
        groups.update(_groups(family))
        _kill(groups, signal.SIGTERM if len(why) == 1 else signal.SIGKILL)
        if len(why) % patience == 0:
            for one in family:
                with contextlib.suppress(psutil.Error):
                    one.kill()
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    if before is signal.SIG_IGN:  # told already
        signal.signal(signal.SIGTERM, before)
    signal.signal(signal.SIGALRM, end)
    if deadline is not None:
        signal.setitimer(signal.ITIMER_REAL, max(deadline - time.monotonic(), 0.001))
    try:
        yield
    except BaseException:
        if not why:
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGTERM, before)
    if why:
        _kill(groups, signal.SIGKILL)  # what took no notice
        if type(why[0]) is RunEnded:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise why[0]


def _groups(family: Iterable[psutil.Process]) -> set[int]:
    """Return the process groups of this process's family that are not its own."""
    found = set()
    for one in family:
        with contextlib.suppress(OSError):
            found.add(os.getpgid(one.pid))
    return found - {os.getpgrp()}


def _kill(groups: Iterable[int], number: signal.Signals) -> None:
    for group in groups:
        with contextlib.suppress(OSError):  # gone, or somebody else's
            os.killpg(group, number)

"""Sends a message within a time limit, and never twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent import futures

from argo_jupyter_scheduler.domain.background import start_in_background
from argo_jupyter_scheduler.domain.errors import MessageNotSent

MAY_HAVE_ARRIVED = " The message may have arrived anyway."
"""The end of a reason when the service was asked to show the message, and its answer was lost."""


class SentElsewhere(Exception):
    """Another process shows the run's message."""


class SendOnce:
    """A run's one chance to show a message, for as long as there is time.

    Parameters
    ----------
    claim
        Leaves a mark that all processes see; returns False if there is one already.
    """

    def __init__(self, claim: Callable[[], bool]) -> None:
        self._claim = claim
        self._lock = threading.Lock()
        self._is_over = False
        self._is_claimed = False

    def claim(self) -> None:
        """Take the chance; called just before the service is asked to show the message.

        Raises
        ------
        MessageNotSent
            The time is over.
        SentElsewhere
            Another process has taken the chance.
        """
        with self._lock:
            if self._is_over:
                raise MessageNotSent("there was no time left.")
            if not self._claim():
                raise SentElsewhere
            self._is_claimed = True

    def send(self, send: Callable[[float], str], limit_seconds: float, service: str) -> str:
        """Send a message within its time; return what `send` returns.

        The time limits of a connection do not bound a slow server or a slow look-up of its name, so `send` runs in a thread. A
        thread that is late finds that it may no longer show its message.

        Parameters
        ----------
        send
            Sends the message until a moment of `time.monotonic`, and calls `claim` before it appears.
        limit_seconds
            How long this may take.
        service
            What the service is called in a reason.

        Raises
        ------
        MessageNotSent
            The service did not answer in time, or refused.
        SentElsewhere
            Another process shows the message.
        """
        until = time.monotonic() + limit_seconds
        sent = start_in_background(lambda: send(until), f"message to {service}")
        try:
            return sent.result(limit_seconds)
        except futures.TimeoutError as error:  # not Python's own TimeoutError before 3.11
            hint = MAY_HAVE_ARRIVED if self._is_claimed else ""
            raise MessageNotSent(f"{service} did not answer within {limit_seconds:g} s.{hint}") from error
        finally:
            with self._lock:
                self._is_over = True

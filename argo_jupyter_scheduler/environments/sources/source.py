"""A source of environments, asked in the background."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from typing import NamedTuple

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.background import start_in_background
from argo_jupyter_scheduler.domain.environment import Environment
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError
from argo_jupyter_scheduler.domain.text import one_line

SOURCE_SECONDS = 11.0
"""How long a source may take before it is given up. conda, which is ended after ten seconds, comes before."""


class Found(NamedTuple):
    """The answer of a source.

    Attributes
    ----------
    environments
        The environments that it knows.
    trouble
        The problem with the answer; empty if there is none.
    """

    environments: list[Environment]
    trouble: str = ""


class Source:
    """A source and its last answer, which stays for as long as the source fails.

    Parameters
    ----------
    name
        Its name in the server's log.
    find
        Asks the source. It may block, hang or raise.
    fallback
        Returns what to offer until the source answers for the first time.
    limit_seconds
        How long the source may take before `wait` gives up on it. A late answer still counts.
    log
        Where a failure is reported, once.

    Attributes
    ----------
    environments
        The environments to offer.
    trouble
        Why the last answer is missing or incomplete; empty if it is neither.
    has_settled
        Whether it has answered, failed or taken too long, at least once.
    """

    def __init__(
        self,
        name: str,
        find: Callable[[], Found],
        fallback: Callable[[], list[Environment]] = list,
        limit_seconds: float = SOURCE_SECONDS,
        log: logging.Logger | None = None,
    ) -> None:
        self.name = name
        self.environments: list[Environment] = []
        self.trouble = ""
        self.has_settled = False
        self._find = find
        self._fallback = fallback
        self._limit_seconds = limit_seconds
        self._log = log or logging.getLogger("argo_jupyter_scheduler")
        self._lock = threading.Lock()
        self._has_answered = False
        self._question: Future[None] | None = None
        """Under way, if there is one."""
        self._give_up_at = 0.0
        self._late: Future[None] | None = None
        """Reports that the question takes too long."""

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to wait for: it has answered, failed or taken too long."""
        late = self._late
        return self._question is None or (late is not None and late.done())

    def ask(self) -> None:
        """Begin to ask the source, unless a question is under way."""
        with self._lock:
            if self._question is None:
                self._give_up_at = time.monotonic() + self._limit_seconds
                self._late = None
                # The lock is held until the question is known, so even a quick answer comes after it.
                self._question = start_in_background(self._ask, f"environments of {self.name}")

    def wait(self, until: float) -> None:
        """Wait until it has answered, failed or taken too long.

        Parameters
        ----------
        until
            When to stop waiting in any case, on the clock of `time.monotonic`.
        """
        question, give_up_at = self._question, self._give_up_at
        if question is None:
            return
        _wait_for(question, min(until, give_up_at))
        if question.done() or time.monotonic() < give_up_at:
            return
        with self._lock:
            if self._question is not question:
                return
            if self._late is None:
                self._late = start_in_background(self._give_up, f"environments instead of {self.name}")
            late = self._late
        _wait_for(late, until)

    def _ask(self) -> None:
        try:
            environments, trouble = self._find()
        except Exception as error:  # whatever happens to one source, the others are offered
            trouble = (
                str(error) if isinstance(error, ArgoSchedulerError) else f"{type(error).__name__}: {error}"
            )
            instead = self._find_instead()
            with self._lock:
                self._settle(instead, trouble)
                self._question = None
        else:
            with self._lock:
                self._has_answered = True
                self._settle(environments, trouble)
                self._question = None

    def _give_up(self) -> None:
        instead = self._find_instead()
        with self._lock:
            if self._question is not None:  # else it has answered meanwhile
                self._settle(instead, f"it has not answered for {self._limit_seconds:g} s")

    def _find_instead(self) -> list[Environment] | None:
        """Return what to offer until the source answers for the first time; None for what is offered already."""
        if not self._has_answered:
            with contextlib.suppress(Exception):  # it may fail as the source itself does
                return self._fallback()
        return None

    def _settle(self, environments: list[Environment] | None, trouble: str) -> None:
        if environments is not None:
            self.environments = environments
        if trouble and trouble != self.trouble:  # reported once, not each time
            self._log.warning("%s", messages.environments.source_failed(self.name, one_line(trouble)))
        self.trouble = trouble
        self.has_settled = True


def _wait_for(future: Future[None], until: float) -> None:
    futures.wait([future], max(until - time.monotonic(), 0))

"""The server's loop goes on, whatever one of its calls raises."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError

from argo_jupyter_scheduler.domain.errors import EngineError
from argo_jupyter_scheduler.jupyter.task_runner import ArgoTaskRunner

LOCKED = OperationalError("SELECT 1", {}, Exception("database is locked"))


@pytest.mark.parametrize(
    ("error", "words", "level"),
    [
        (LOCKED, "The database does not answer; retrying: database is locked", logging.WARNING),
        (EngineError("no answer"), "Cannot reach Argo to check jobs; retrying: no answer", logging.WARNING),
        (KeyError("x"), "Jobs could not be checked; retrying.", logging.ERROR),
    ],
)
def test_the_loop_goes_on(
    error: Exception,
    words: str,
    level: int,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner = ArgoTaskRunner(cast(Any, None))
    monkeypatch.setattr(runner, "log", logging.getLogger("argo_jupyter_scheduler"))
    results: Iterator[Exception | None] = iter([error, None])

    async def repeat() -> None:
        called_again = asyncio.Event()
        loop = asyncio.get_running_loop()

        def call() -> float:
            if (found := next(results, None)) is not None:
                raise found
            loop.call_soon_threadsafe(called_again.set)
            return 60.0

        repeating = asyncio.create_task(runner._repeat(call, 0.01))
        await called_again.wait()
        repeating.cancel()

    asyncio.run(repeat())
    [record] = caplog.records
    assert (record.getMessage(), record.levelno) == (words, level)
    assert bool(record.exc_info) == (level == logging.ERROR)  # only what nobody expects needs a traceback

"""The one way in which tests wait for something that another thread or process does."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

PATIENCE_SECONDS = 150
"""Only a test that fails waits so long, and a busy machine takes its time."""

INTERVAL_SECONDS = 0.1
"""A request to a server takes 7 ms of the processor that the run needs."""


def eventually(
    condition: Callable[[], T], timeout: float = PATIENCE_SECONDS, state: Callable[[], object] = str
) -> T:
    """Return what `condition` returns once that is true; fail after `timeout` seconds, and show `state`."""
    end = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {timeout} s: {_source(condition)} {state()}"
        time.sleep(INTERVAL_SECONDS)
    return value


@overload
async def eventually_async(
    condition: Callable[[], Awaitable[T]],
    timeout: float = PATIENCE_SECONDS,
    state: Callable[[], object] = str,
) -> T: ...


@overload
async def eventually_async(
    condition: Callable[[], T], timeout: float = PATIENCE_SECONDS, state: Callable[[], object] = str
) -> T: ...


async def eventually_async(
    condition: Callable[[], T | Awaitable[T]],
    timeout: float = PATIENCE_SECONDS,
    state: Callable[[], object] = str,
) -> T:
    """Do the same while the loop, and the server in it, go on; `condition` may be a coroutine function."""
    end = time.monotonic() + timeout
    while True:
        answer = condition()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        assert time.monotonic() < end, f"not within {timeout} s: {_source(condition)} {state()}"
        await asyncio.sleep(INTERVAL_SECONDS)


def _source(condition: Callable[..., object]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):
        return repr(condition)

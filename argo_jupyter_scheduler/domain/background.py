"""Work in a thread that does not keep the process from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def start_in_background(work: Callable[[], Result], name: str) -> Future[Result]:
    """Call a function in a thread of its own; return its future result.

    Not with a ``ThreadPoolExecutor``: Python joins the threads of a pool before it ends, so work that hangs would keep the server
    or a command from ending.

    Parameters
    ----------
    name
        The thread's name.
    """
    result: Future[Result] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, daemon=True, name=name).start()
    return result

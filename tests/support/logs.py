"""Logs that tests read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from logging.handlers import BufferingHandler


def recorded_log() -> tuple[logging.Logger, Callable[[], list[str]]]:
    """Return a log, and what returns its messages so far."""
    handler = BufferingHandler(1000)
    log = logging.Logger("recorded")
    log.addHandler(handler)
    return log, lambda: [record.getMessage() for record in handler.buffer]

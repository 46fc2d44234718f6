"""Small helpers for text that users read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

MESSAGE_LENGTH = 1024
"""Characters in ``status_message``, the column's limit (``jupyter_scheduler.orm.Job``)."""


def shorten(message: str, length: int = MESSAGE_LENGTH) -> str:
    """Return a message cut to a number of characters, by default those of the column ``status_message``.

    A notebook's exception may contain characters that a database refuses: PostgreSQL refuses NUL, all refuse half a surrogate
    pair.
    """
    message = message.replace("\0", "").encode("utf-8", "replace").decode()
    return message if len(message) <= length else message[: length - 1] + "…"


_CONTROL_CHARACTERS = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Characters that begin a line, steer a terminal, turn the direction of writing, or cannot be written; a tab is text."""


def remove_control_characters(text: str) -> str:
    """Return text with a blank for each line break and each other control character."""
    return _CONTROL_CHARACTERS.sub(" ", text)


def one_line(text: str) -> str:
    """Return text without line breaks and other control characters, and with single blanks."""
    return " ".join(remove_control_characters(text).split())


def nearest_names(name: str, names: Iterable[str]) -> str:
    """Return the names most like `name`, or the first ten, separated by commas; ``none`` if `names` is empty."""
    names = sorted(set(names))
    close = difflib.get_close_matches(name[:256].casefold(), {known.casefold() for known in names})
    found = [known for like in close for known in names if known.casefold() == like] or names[:10]
    return ", ".join(found) or "none"


def format_limit(seconds: int) -> str:
    """Return a time limit as a person writes it, exactly: ``2 h``, ``1 min 30 s``."""
    parts = [
        (seconds // 86400, "d"),
        (seconds // 3600 % 24, "h"),
        (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
    ]
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount) or "0 s"


def format_elapsed(seconds: float) -> str:
    """Return how long something took: ``0.3 s``, ``2 min 5 s``."""
    return f"{seconds:.1f} s" if seconds < 60 else format_limit(round(seconds))

"""Cron as Argo reads it, written anew from the rules of ``robfig/cron`` v3 (``parser.go``, ``spec.go``): slow and plain.

Argo calls its ``ParseStandard``; https://github.com/robfig/cron/tree/v3.0.1.
"""

from __future__ import annotations

import calendar
import re
from datetime import datetime
from zoneinfo import ZoneInfo

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_BOUNDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = re.compile(r"@every [-+]?((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+|@every [-+]?0", re.ASCII)


def check(schedule: str) -> None:
    """Raise ValueError, with what Argo says, for what it refuses."""
    if not _EVERY.fullmatch(schedule):
        _fields(schedule)


def matches(schedule: str, zone: str, minute: int) -> bool:
    """Return whether five fields, or a descriptor, are due in the minute that begins at so many seconds since 1970."""
    local = datetime.fromtimestamp(minute, ZoneInfo(zone))
    now = (local.minute, local.hour, local.day, local.month, local.isoweekday() % 7)
    fields = _fields(schedule)
    minutes, hours, day, month, weekday = (
        number in numbers for number, (numbers, _) in zip(now, fields, strict=True)
    )
    stars = fields[2][1] or fields[4][1]
    return minutes and hours and month and ((day and weekday) if stars else (day or weekday))


def _fields(schedule: str) -> list[tuple[set[int], bool]]:
    words = _DESCRIPTORS.get(schedule, schedule).split()
    if words and schedule.startswith("@") and schedule not in _DESCRIPTORS:
        raise ValueError(f"unrecognized descriptor: {schedule}")
    if len(words) != 5:
        raise ValueError(f"expected exactly 5 fields, found {len(words)}: [{' '.join(words)}]")
    return [_field(word, *bounds) for word, bounds in zip(words, _BOUNDS, strict=True)]


def _field(text: str, low: int, high: int, names: dict[str, int]) -> tuple[set[int], bool]:
    """Return a field's numbers, and whether it counts as a star."""
    numbers: set[int] = set()
    star = False
    for part in filter(None, text.split(",")):
        span, *steps = part.split("/")
        first, *last = span.split("-")
        if len(steps) > 1 or (len(last) > 1 and first not in ("*", "?")):
            raise ValueError(f"too many slashes or hyphens: {part}")
        step = _number(steps[0], {}) if steps else 1
        if first in ("*", "?"):
            begin, end = low, high
            star = star or step == 1
        else:
            begin = _number(first, names)
            end = _number(last[0], names) if last else (high if steps else begin)
        if begin < low:
            raise ValueError(f"beginning of range ({begin}) below minimum ({low}): {part}")
        if end > high:
            raise ValueError(f"end of range ({end}) above maximum ({high}): {part}")
        if begin > end or step == 0:
            raise ValueError(f"beginning of range beyond its end, or no step: {part}")
        numbers.update(range(begin, end + 1, step))
    return numbers, star


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"\+?\d+", text, re.ASCII) or int(text) >= 2**63:
        raise ValueError(f"failed to parse int from {text}")
    return int(text)

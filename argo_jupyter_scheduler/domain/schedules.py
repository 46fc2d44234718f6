"""When a definition runs: cron's five fields and descriptors as Argo takes them, in a time zone.

The grammar is that of ``robfig/cron`` v3's ``ParseStandard``, which Argo calls (3.4 to 4.1): what one place refuses, all do.
It also accepts ``@every 0s`` (each second), ``*-5`` (a star) and ``1,,2``, which are mistakes: they are refused.
The next time is croniter's, of fields that are written out, so that the two libraries' dialects cannot differ, and of wall-clock
time, since croniter's own time zones go astray on days when clocks change.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from croniter import CroniterBadDateError, croniter

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob

DEFAULT_TIMEZONE = "Etc/UTC"

ClockChange = Literal["", "forward", "back"]
"""How clocks are changed on a day."""

SCHEDULE_LENGTH = 256
"""Characters in the column ``schedule`` (``jupyter_scheduler.orm.JobDefinition``)."""

_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 6, _DAYS),
)
_ALL_DAYS = (",".join(map(str, range(1, 32))), ",".join(map(str, range(7))))
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9}
_UNITS |= {"m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION = re.compile(rf"(\d{{1,40}}(?:\.\d{{0,40}})?|\.\d{{1,40}})({'|'.join(_UNITS)})", re.ASCII)
_INT64 = 2**63
"""Go counts a step, and a duration's nanoseconds, with fewer than this."""


@dataclass(frozen=True)
class Schedule:
    """A valid schedule.

    Attributes
    ----------
    fields
        Five fields of written-out numbers or ``*``; empty for a constant delay.
    every
        Seconds between two runs, for ``@every``; else 0.
    timezone
        IANA's name.
    """

    fields: str
    every: int
    timezone: str

    def after(self, moment: int, begin: int | None = None) -> int | None:
        """Return the next time after `moment`; None if there is none.

        Parameters
        ----------
        moment
            Milliseconds since 1970, as is what is returned.
        begin
            From where ``@every`` counts; by default `moment`.
        """
        if self.every:
            first = (moment if begin is None else begin) // 1000
            return (first + max((moment // 1000 - first) // self.every + 1, 1) * self.every) * 1000
        zone = ZoneInfo(self.timezone)
        start = datetime.fromtimestamp(moment / 1000, zone)
        wall = start.replace(tzinfo=None)
        # Where clocks are set back, an hour comes twice; a time that is skipped in spring is not run, as with Argo.
        twice = start.utcoffset() != datetime.fromtimestamp(moment / 1000 + 3 * 3600, zone).utcoffset()
        times = croniter(self.fields, wall - timedelta(hours=3 if twice else 0))
        found: list[int] = []
        local = wall
        try:
            while not found or (twice and local <= wall):
                local = times.get_next(datetime)
                found += [when for when in _instants(local, zone) if when > moment]
        except CroniterBadDateError:  # the 31st of February
            return None
        return min(found)

    def latest(self, moment: int, begin: int | None = None) -> int | None:
        """Return the last time until `moment`, which it may be itself; None if there is none.

        Parameters
        ----------
        moment
            Milliseconds since 1970, as is what is returned.
        begin
            From where ``@every`` counts; by default `moment`.
        """
        if self.every:
            first = (moment if begin is None else begin) // 1000
            count = (moment // 1000 - first) // self.every
            return (first + count * self.every) * 1000 if count > 0 else None
        zone = ZoneInfo(self.timezone)
        wall = datetime.fromtimestamp(moment / 1000, zone).replace(tzinfo=None)
        # Where clocks were just set back, times of before that read later than now.
        before = datetime.fromtimestamp(moment / 1000 - 3 * 3600, zone)
        twice = before.utcoffset() != datetime.fromtimestamp(moment / 1000, zone).utcoffset()
        times = croniter(self.fields, wall + timedelta(hours=3 if twice else 0, minutes=1))
        found: list[int] = []
        local = wall
        try:
            while not found or (twice and local >= wall):
                local = times.get_prev(datetime)
                found += [when for when in _instants(local, zone) if when <= moment]
        except CroniterBadDateError:
            return None
        return max(found)


def _instants(local: datetime, zone: ZoneInfo) -> list[int]:
    """Return when a clock on the wall shows a time, in milliseconds since 1970: once, never or twice."""
    both = {int(local.replace(tzinfo=zone, fold=fold).timestamp()) for fold in (0, 1)}
    shown = [when for when in both if datetime.fromtimestamp(when, zone).replace(tzinfo=None) == local]
    return [when * 1000 for when in shown]


def find_clock_change(moment: int, timezone: str) -> ClockChange:
    """Return whether clocks go ``forward`` or ``back`` on the day of a moment; empty for neither.

    Parameters
    ----------
    moment
        Milliseconds since 1970.
    timezone
        IANA's name.
    """
    now = datetime.fromtimestamp(moment / 1000, ZoneInfo(timezone))
    day = now.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)  # midnight may come twice, too
    before, after = day.utcoffset(), (day + timedelta(days=1)).utcoffset()
    if before is None or after is None or before == after:
        return ""
    return "forward" if after > before else "back"


def find_next_run(
    schedule: str | None, timezone: str | None, active: bool, update_time: int, now: int
) -> int | None:
    """Return when a job definition runs next; None if it is paused, or has no schedule that is valid.

    Parameters
    ----------
    update_time
        When it was last changed, from where ``@every`` counts, in milliseconds since 1970, as is what is returned.
    now
        After which time, in the same unit.
    """
    if not active or not schedule:
        return None
    try:
        return parse(schedule, timezone).after(now, update_time)
    except InvalidJob:  # stored by another backend
        return None


@functools.lru_cache(maxsize=8192)
def remember_next(schedule: Schedule, moment: int, begin: int | None = None) -> int | None:
    """Return what `Schedule.after` does, remembered: for those who ask for many schedules again and again."""
    return schedule.after(moment, begin)


def normalize(schedule: str) -> str:
    """Return a schedule in the form that Argo takes, where Jupyter-Scheduler's own backend takes another.

    Sunday may be 7 there, and a sixth field has seconds. Other texts are returned as they are.
    """
    words = schedule.split()
    if len(words) == len(_FIELDS) + 1 and words[-1] == "0":
        words.pop()
    if len(words) != len(_FIELDS):
        return schedule
    days = ",".join(_translate_sunday(part) for part in words[-1].split(","))
    return (
        " ".join([*words[:-1], days]) if "7" in words[-1] or len(words) != len(schedule.split()) else schedule
    )


def _translate_sunday(part: str) -> str:
    if part == "7":
        return "0"
    first, hyphen, last = part.partition("-")
    is_span = hyphen and last == "7" and first.isdecimal() and 0 < int(first[:2]) < 7
    return f"{first}-6,0" if is_span else part


@functools.lru_cache(maxsize=4096)
def parse(schedule: str | None, timezone: str | None) -> Schedule:
    """Read a schedule.

    Parameters
    ----------
    schedule
        Five fields, or ``@daily`` and the like, or ``@every 1h30m``.
    timezone
        IANA's name; UTC where there is none.

    Raises
    ------
    InvalidJob
        It is not valid; says what is wrong.
    """
    zone = timezone or DEFAULT_TIMEZONE
    if zone not in _timezones():
        raise InvalidJob(messages.schedules.timezone_not_found(zone, _timezones()))
    text = normalize(schedule or "")
    words = text.split()
    if not words:
        raise InvalidJob(messages.schedules.SCHEDULE_EMPTY)
    if len(text) > SCHEDULE_LENGTH:
        raise InvalidJob(messages.requests.too_long("schedule", len(text), SCHEDULE_LENGTH))
    if text.startswith("@every "):
        return Schedule("", _seconds(text.removeprefix("@every ")), zone)
    if text in _DESCRIPTORS:
        words = _DESCRIPTORS[text].split()
    if words[0].startswith("@"):
        known = ", ".join([*_DESCRIPTORS, "@every 1h30m"])
        raise InvalidJob(messages.schedules.schedule_not_valid(text, known))
    if len(words) != len(_FIELDS):
        raise InvalidJob(messages.schedules.schedule_has_fields(text, len(words)))
    written = [_field(word, *field) for word, field in zip(words, _FIELDS, strict=True)]
    days = (written[2], written[4])
    if "*" not in days and (days[0] == _ALL_DAYS[0] or days[1] == _ALL_DAYS[1]):
        # Either will do, so any day does; croniter would take the full one for a star, with which both must.
        written[2] = written[4] = "*"
    return Schedule(" ".join(written), 0, zone)


@functools.cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def _field(text: str, name: str, low: int, high: int, names: list[str]) -> str:
    numbers: set[int] = set()
    star = False
    for part in text.split(","):
        found = _range(part, low, high, names)
        if found is None:
            raise InvalidJob(messages.schedules.schedule_field_not_valid(name, text, low, high, names))
        star = star or not found
        numbers.update(found)
    return "*" if star else ",".join(str(number) for number in sorted(numbers))


def _range(part: str, low: int, high: int, names: list[str]) -> list[int] | None:
    """Return the numbers that a part of a field stands for, none for any, None if it is malformed."""
    span, slash, step_text = part.partition("/")
    first_text, hyphen, last_text = span.partition("-")
    step = _number(step_text, 0, []) if slash else 1
    if not step or step >= _INT64:
        return None
    if span in ("*", "?"):
        return [] if step == 1 else list(range(low, high + 1, step))
    first = _number(first_text, low, names)
    last = _number(last_text, low, names) if hyphen else (high if slash else first)
    if first is None or last is None or not low <= first <= last <= high:
        return None
    return list(range(first, last + 1, step))


def _number(text: str, low: int, names: list[str]) -> int | None:
    if text.lower() in names:
        return names.index(text.lower()) + low
    return int(text) if text.isdecimal() and text.isascii() else None


def _seconds(text: str) -> int:
    """Read a duration as Go's ``time.ParseDuration`` does, in whole seconds, at least one, as ``robfig/cron`` has it."""
    parts = _DURATION.findall(text)
    nanoseconds = int(sum(Fraction(number) * _UNITS[unit] for number, unit in parts))
    if "".join(number + unit for number, unit in parts) != text or not 0 < nanoseconds < _INT64:
        raise InvalidJob(messages.schedules.every_not_valid(text))
    return max(nanoseconds // _UNITS["s"], 1)

"""The moment that a run is about: read from what a user writes, and written in ISO 8601 with its zone's offset."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.schedules import DEFAULT_TIMEZONE

_ISO_8601 = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:(?<=:\d\d:\d\d)[.,]\d{1,9})?)?(?:(Z)|([+-])(\d\d):?(\d\d))?",
    re.ASCII,
)
"""A date, or a date and a time, with or without an offset. Python 3.10 reads fewer forms than later versions.

Fractions of a second, as other programs write them, are left out.
"""


def read_moment(text: str, zone: str | None) -> datetime:
    """Return the moment that a text means.

    Parameters
    ----------
    text
        ISO 8601: ``2026-03-02``, ``2026-03-02T06:00`` or ``2026-03-02T06:00:00+01:00``. A date alone is its midnight.
    zone
        IANA's name of the time zone of a text without an offset; UTC where there is none. Of a time that comes twice, it is the
        first one.

    Raises
    ------
    InvalidJob
        It is not such a moment, or clocks skip it.
    """
    found = _ISO_8601.fullmatch(text.strip())
    if not found:
        raise InvalidJob(messages.schedules.not_a_moment(text))
    date, time, utc, sign, hours, minutes = found.groups()
    try:
        wall = datetime.fromisoformat(f"{date}T{time or '00:00'}")
        if utc or sign:
            offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
            moment = wall.replace(tzinfo=timezone(-offset if sign == "-" else offset))
        else:
            moment = wall.replace(tzinfo=_find_zone(zone))
        shown = moment.astimezone(timezone.utc).astimezone(moment.tzinfo)
    except (ValueError, OverflowError):
        raise InvalidJob(messages.schedules.not_a_moment(text)) from None
    if shown.replace(tzinfo=None) != wall:
        raise InvalidJob(messages.schedules.moment_skipped(text, str(zone)))
    return moment


def format_moment(moment: datetime | float, zone: str | None) -> str:
    """Return a moment in ISO 8601, such as ``2026-03-02T06:00:00+01:00``.

    Parameters
    ----------
    moment
        If a number, seconds since 1970.
    zone
        IANA's name of the time zone in which it is written; UTC where there is none, or one that is unknown.
    """
    seconds = moment.timestamp() if isinstance(moment, datetime) else moment
    return datetime.fromtimestamp(seconds, _find_zone(zone)).isoformat(timespec="seconds")


def _find_zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or DEFAULT_TIMEZONE)
    except (OSError, ValueError, KeyError):  # a row that another backend wrote
        return ZoneInfo(DEFAULT_TIMEZONE)

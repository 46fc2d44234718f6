"""Schedules, the moment that a run is about, and late runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from argo_jupyter_scheduler.domain.text import nearest_names, shorten

SCHEDULE_EMPTY = "The schedule is empty. Write five fields, such as '0 6 * * *' for every day at 6:00."


def schedule_not_valid(schedule: str, known: str) -> str:
    """Return the message for a schedule that begins with @ and is not known."""
    return f"The schedule '{schedule}' is not valid. Write five fields, or one of {known}, without spaces around it."


def schedule_has_fields(schedule: str, fields: int) -> str:
    """Return the message for a schedule without five fields."""
    return (
        f"The schedule '{schedule}' has {fields} fields. Write five, without seconds: minute, hour, day of month, month and day "
        "of week."
    )


def schedule_field_not_valid(field: str, text: str, low: int, high: int, names: Sequence[str]) -> str:
    """Return the message for one of the five fields; `names` are those of months or weekdays, in order, or empty."""
    named = f", {names[0].upper()} to {names[-1].upper()}" if names else ""
    return (
        f"The schedule's {field} '{text}' is not valid. Use numbers from {low} to {high}{named}, '*', ranges such as "
        f"'{low}-{low + 2}', steps such as '*/2', and lists of them."
    )


def schedule_never_comes(schedule: str) -> str:
    """Return the message for a schedule of a day that no month has."""
    return f"The schedule '{schedule}' never occurs: no month has that day. Choose another day."


def every_not_valid(duration: str) -> str:
    """Return the message for an ``@every`` without a duration."""
    return f"'@every {duration}' is not valid. Write a duration such as 1h30m, at most 292 years."


def timezone_not_found(zone: str, known: Iterable[str]) -> str:
    """Return the message for a time zone that does not exist."""
    return f"Time zone '{zone[:80]}' not found. Did you mean {nearest_names(zone, known)}?"


MOMENT_GIVEN_TWICE = (
    "scheduled_time is given twice: as a parameter, and as the time of the run. Remove one of them."
)


def not_a_moment(text: str) -> str:
    """Return the message for a text that is not a moment."""
    return f"'{shorten(text, 80)}' is not a date or a time. Write it in ISO 8601, such as 2026-03-02 or 2026-03-02T06:00+01:00."


def moment_skipped(text: str, zone: str) -> str:
    """Return the message for a moment that no clock of its time zone shows, since clocks go forward then."""
    return f"{text} does not exist in {zone}: clocks go forward and skip it. Choose another time, or add an offset such as +01:00."


NO_RUN = (
    "No job was created. On Argo, the workflow controller may be down, or the cron workflow suspended. On this machine, "
    "JupyterLab may have been off."
)
REPLACED_EARLY = "The next run replaced it before it could start."


def run_is_late(name: str, due: str, grace: str, reason: str) -> str:
    """Return the log's warning for a scheduled run that did not begin within its definition's grace."""
    return f"Job definition '{name}': the run due at {due} did not start within {grace}. {reason}"


def started_late(elapsed: str) -> str:
    """Return what is known of a run that began after its grace."""
    return f"It started {elapsed} after its scheduled time."


def failed_early(reason: str) -> str:
    """Return what is known of a run that failed before it could begin."""
    return f"It failed before it could start: {reason}"


def is_still_waiting(reason: str) -> str:
    """Return what is known of a run that has not begun; `reason` is the engine's, and may be empty."""
    return f"It is still waiting: {reason}" if reason else "It is still waiting for its turn."

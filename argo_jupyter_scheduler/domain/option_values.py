"""The values that each option may have, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.output_template import parse_output_templates
from argo_jupyter_scheduler.domain.retention import Keep
from argo_jupyter_scheduler.domain.run_settings import NOTIFY_ON

CONCURRENCY_POLICIES = ("Allow", "Forbid", "Replace")
MAX_RETRIES = 20
MAX_TIMEOUT_SECONDS = 366 * 24 * 3600
MAX_RETRY_INTERVAL_SECONDS = 24 * 3600
MAX_LATE_SECONDS = 30 * 24 * 3600

MIN_KEEP_SECONDS = 3600
"""Expired jobs are looked for once an hour."""

MAX_KEEP_SECONDS = 100 * MAX_TIMEOUT_SECONDS
MAX_KEPT_RUNS = 1_000_000
MAX_TARGETS = 10

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
_DURATION = re.compile(r"(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s?)?")

LINKED, SNAPSHOT = INPUTS = ("linked", "snapshot")
"""Which notebook a run takes: the one in the root folder as it is then, or the one that was staged."""

READ_CHARACTERS = 600
"""How much of a tag is read: no option is longer, and a user may paste anything."""


def shorten_value(text: str) -> str:
    """Return a value as a message shows it."""
    return text if len(text) <= 80 else f"{text[:79]}…"


def _timeout(value: Any) -> int:
    seconds = parse_duration("timeout", value)
    if not 0 < seconds <= MAX_TIMEOUT_SECONDS:
        raise InvalidJob(messages.options.timeout_out_of_range(shorten_value(str(value))))
    return seconds


def _retry_interval(value: Any) -> int:
    seconds = parse_duration("retry_interval", value)
    if seconds > MAX_RETRY_INTERVAL_SECONDS:
        raise InvalidJob(messages.options.retry_interval_too_long(shorten_value(str(value))))
    return seconds


def _late(value: Any) -> int:
    seconds = parse_duration("late", value)
    if seconds > MAX_LATE_SECONDS:
        raise InvalidJob(messages.options.late_too_long(shorten_value(str(value))))
    return seconds


def parse_keep(value: object) -> Keep:
    """Return what is kept: a number of runs such as ``20``, or a time such as ``30d``.

    Raises
    ------
    InvalidJob
        It is neither.
    """
    text = str(value)[:READ_CHARACTERS].strip()
    is_count = not isinstance(value, bool) and re.fullmatch(r"\d{1,9}", text, re.ASCII)
    keep = Keep(runs=int(text)) if is_count else Keep(seconds=_seconds(text) or 0)
    if 0 < keep.runs <= MAX_KEPT_RUNS or MIN_KEEP_SECONDS <= keep.seconds <= MAX_KEEP_SECONDS:
        return keep
    raise InvalidJob(messages.options.keep_not_valid(shorten_value(str(value))))


def parse_duration(name: str, value: object) -> int:
    """Return the seconds of a duration such as ``1h30m``; a number without a unit is seconds.

    Parameters
    ----------
    name
        The option that has it.

    Raises
    ------
    InvalidJob
        It is not a duration.
    """
    seconds = _seconds(str(value))
    if seconds is None:
        raise InvalidJob(messages.options.not_a_duration(name, shorten_value(str(value))))
    return seconds


def _seconds(text: str) -> int | None:
    text = text[:READ_CHARACTERS].strip().casefold().replace(" ", "")
    match = _DURATION.fullmatch(text)
    if not text or not match:
        return None
    return sum(int(number or 0) * _UNITS[unit] for number, unit in zip(match.groups(), "wdhms", strict=True))


def _retries(value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,3}", text) or int(text) > MAX_RETRIES:
        raise InvalidJob(messages.options.retries_out_of_range(shorten_value(str(value)), MAX_RETRIES))
    return int(text)


def _image(value: Any) -> str:
    text = str(value).strip()
    if not re.fullmatch(r"\w[\w.:/@+-]{0,511}", text, re.ASCII):
        raise InvalidJob(messages.options.not_an_image(shorten_value(str(value))))
    return text


def is_target_name(text: str) -> bool:
    """Return whether this can be the name of a notification target."""
    return re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", text) is not None


def _notify(value: Any) -> tuple[str, ...]:
    text = str(value)[:READ_CHARACTERS]
    if "://" in text or "@" in text:
        raise InvalidJob(messages.options.NOTIFY_ADDRESS)
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",")))
    if len(names) > MAX_TARGETS or not all(map(is_target_name, names)):
        raise InvalidJob(messages.options.not_targets(shorten_value(text)))
    return names


def _notify_on(value: Any) -> str:
    text = str(value).strip().lower()
    if text not in NOTIFY_ON:
        raise InvalidJob(messages.options.not_an_occasion(shorten_value(str(value)), NOTIFY_ON))
    return text


def _output(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value).strip()
    if not parse_output_templates(text):
        raise InvalidJob(messages.outputs.OUTPUT_EMPTY)
    return text


def _input(value: Any) -> str:
    text = str(value).strip().lower()
    if text not in INPUTS:
        raise InvalidJob(messages.inputs.input_not_chosen(shorten_value(str(value)), INPUTS))
    return text


def _concurrency(value: Any) -> str:
    text = str(value).strip().capitalize()
    if text not in CONCURRENCY_POLICIES:
        policies = ", ".join(policy.lower() for policy in CONCURRENCY_POLICIES)
        raise InvalidJob(messages.options.not_a_concurrency_policy(shorten_value(str(value)), policies))
    return text


READERS: dict[str, Callable[[Any], Any]] = {
    "timeout": _timeout,
    "retries": _retries,
    "image": _image,
    "concurrency": _concurrency,
    "retry_interval": _retry_interval,
    "late": _late,
    "keep": parse_keep,
    "notify": _notify,
    "notify_on": _notify_on,
    "output": _output,
    "input": _input,
}
"""The function that reads the value of each option."""

OPTION_NAMES = tuple(READERS)
"""All options."""

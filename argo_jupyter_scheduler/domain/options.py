"""Options of one job: how long it may take, how often it is retried, and in which image it runs.

The dialog has no fields for them, so they are read from where users can write: tags such as ``timeout:2h``, the API's
``runtime_environment_parameters``, and the API's own fields, such as ``timeout_seconds``.
"""

from __future__ import annotations

import contextlib
import difflib
import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob

CONCURRENCY_POLICIES = ("Allow", "Forbid", "Replace")
MAX_RETRIES = 20
MAX_TIMEOUT_SECONDS = 366 * 24 * 3600
MAX_RETRY_INTERVAL_SECONDS = 24 * 3600

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
_DURATION = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s?)?")

_API_NAMES = {"timeout_seconds": "timeout", "max_retries": "retries"}
"""Names of options in Jupyter-Scheduler's database, with the same unit."""

RETRY_INTERVAL_FIELD = "min_retry_interval_millis"

API_FIELDS = (*_API_NAMES, RETRY_INTERVAL_FIELD)
"""Fields of a request that are options. 0 stands for none: the stock backend's columns default to it."""

_ALMOST = {
    "retry": "retries",
    "time_limit": "timeout",
    "deadline": "timeout",
    "max_runtime": "timeout",
    "container": "image",
}
"""Names that a user may expect an option to have."""

_READ_CHARACTERS = 600
"""How much of a tag is read: no option is longer, and a user may paste anything."""


@dataclass(frozen=True)
class Options:
    """The options of one job.

    Attributes
    ----------
    timeout
        Seconds that a run may take, all attempts together; 0 for as long as the configuration allows.
    retries
        How often a failed run is retried.
    image
        The image of its pods; empty for the configured one.
    concurrency
        Of a definition: what becomes of a run that is still in progress when the next one is due, ``Allow``, ``Forbid`` or
        ``Replace``; empty for the configured policy.
    retry_interval
        Seconds between the end of a failed attempt and the next one.
    """

    timeout: int = 0
    retries: int = 0
    image: str = ""
    concurrency: str = ""
    retry_interval: int = 0


def read_options(tags: Sequence[str] | None, parameters: Mapping[str, object] | None = None) -> Options:
    """Return the options that a job or a definition asks for.

    Parameters
    ----------
    tags
        Its tags.
    parameters
        Its ``runtime_environment_parameters``.

    Raises
    ------
    InvalidJob
        An option is unknown, has an invalid value, or is given twice.
    """
    found: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, value, where in _given(tags, parameters):
        read_value = _OPTIONS[name](value)
        if name in found and found[name] != read_value:
            raise InvalidJob(messages.option_given_twice(name, origins[name], where))
        found[name], origins[name] = read_value, where
    return Options(**found)


def read_concurrency(
    tags: Sequence[str] | None, parameters: Mapping[str, object] | None, default: str
) -> str:
    """Return a definition's concurrency policy; `default` where it has none, or options that are not valid."""
    try:
        return read_options(tags, parameters).concurrency or default
    except InvalidJob:
        return default


def read_fields(values: Mapping[str, Any]) -> dict[str, int]:
    """Return the options among a request's fields (`API_FIELDS`), with 0 for one that is to be none.

    The columns of these names cannot be trusted: Jupyter-Scheduler writes 600 and 0 where a request has no value.

    Raises
    ------
    InvalidJob
        A value is not a whole number.
    """
    found = {}
    for field in API_FIELDS:
        value = values.get(field)
        if value is None:
            continue
        text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(r"\d{1,15}", text, re.ASCII):
            raise InvalidJob(messages.field_not_a_number(field, _short(str(value))))
        found[field] = int(text)
    if RETRY_INTERVAL_FIELD in found:
        found["retry_interval"] = -(-found.pop(RETRY_INTERVAL_FIELD) // 1000)
    return found


def add_fields(parameters: Mapping[str, Any] | None, fields: Mapping[str, int]) -> dict[str, Any] | None:
    """Return a request's ``runtime_environment_parameters`` with its options of `read_fields`; `read_options` compares them."""
    asked = {name: value for name, value in fields.items() if value}
    return {**(parameters or {}), **asked} if asked else (None if parameters is None else dict(parameters))


def replace_fields(parameters: Mapping[str, Any] | None, fields: Mapping[str, int]) -> dict[str, Any] | None:
    """Return a definition's ``runtime_environment_parameters`` with options of `read_fields` in the place of earlier ones."""
    changed = {_known(name) for name in fields}
    kept = {name: value for name, value in (parameters or {}).items() if _known(name) not in changed}
    return add_fields(kept, fields)


@dataclass(frozen=True)
class Bounds:
    """What the configuration allows.

    Attributes
    ----------
    timeout
        The longest time limit that a job may have, in seconds; 0 for any.
    images
        Globs of the images that a job may use.
    no_images
        Why a job cannot choose an image here; empty where it can.
    """

    timeout: int = 0
    images: tuple[str, ...] = ()
    no_images: str = ""

    def check(self, options: Options) -> None:
        """Refuse what is not allowed.

        Raises
        ------
        InvalidJob
            With the reason.
        """
        if self.timeout and options.timeout > self.timeout:
            raise InvalidJob(messages.timeout_too_long(options.timeout, self.timeout))
        if not options.image:
            return
        if self.no_images:
            raise InvalidJob(f"Option image: {self.no_images}")
        if not any(fnmatch.fnmatchcase(options.image, glob) for glob in self.images):
            allowed = ", ".join(self.images) or "none"
            raise InvalidJob(messages.image_not_allowed(options.image, allowed))


def _given(
    tags: Sequence[str] | None, parameters: Mapping[str, object] | None
) -> Iterator[tuple[str, Any, str]]:
    """Yield name, value and where it stands, of each option."""
    for key, value in (parameters or {}).items():
        name = _known(key)
        if name is None:
            raise InvalidJob(messages.option_not_found(_short(key), _nearest(key)))
        yield name, value, f"{key} = {value}"
    for tag in tags or ():
        key, colon, value = tag[:_READ_CHARACTERS].partition(":")
        name = _known(key) if colon else None
        if name:
            yield name, value, f"tag '{_short(tag)}'"


def near_misses(tags: Iterable[str] | None) -> list[str]:
    """Return a warning for each tag that looks like an option but is not one; it stays a tag like any other.

    A name alone is not enough: ``memory:leak`` and ``deadline:friday`` are ordinary tags. The value must fit the option, too.
    """
    return [
        f"Tag '{_short(tag)}' is not an option. Did you mean '{name}:{value}'?"
        for tag in tags or []
        for name, value in _near_option(tag[:_READ_CHARACTERS])
    ]


def _near_option(tag: str) -> Iterator[tuple[str, str]]:
    """Yield the option that a tag almost is, with its value, if it is one."""
    separators = [at for at in map(tag.find, (":", "=", "\uff1a")) if at > 0]
    cut = min(separators, default=len(tag.split(" ", 1)[0]))
    key, value = tag[:cut], tag[cut + 1 :].strip()
    if tag[cut : cut + 1] == ":" and _known(key):
        return  # that one is an option
    plain = _plain(key)
    near = difflib.get_close_matches(plain, _OPTIONS, n=1, cutoff=0.75) if len(plain) < 32 else []
    name = _known(key) or _ALMOST.get(plain) or next(iter(near), None)
    if name is None or not value or (name == "image" and not separators):  # "image 2024" is a tag
        return
    with contextlib.suppress(InvalidJob):
        _OPTIONS[name](value)
        yield name, value


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


def _plain(key: str) -> str:
    return key[:_READ_CHARACTERS].strip().casefold().replace("-", "_").replace(" ", "_")


def _known(key: str) -> str | None:
    name = _plain(key)
    return name if name in _OPTIONS else _API_NAMES.get(name)


def _nearest(key: str) -> str:
    name = _plain(key)
    near = _ALMOST.get(name) or next(iter(difflib.get_close_matches(name, _OPTIONS, n=1)), None)
    return f"Did you mean '{near}'?" if near else f"Available: {', '.join(_OPTIONS)}."


def _timeout(value: Any) -> int:
    seconds = _seconds("timeout", value)
    if not 0 < seconds <= MAX_TIMEOUT_SECONDS:
        raise InvalidJob(messages.timeout_out_of_range(_short(str(value))))
    return seconds


def _retry_interval(value: Any) -> int:
    seconds = _seconds("retry_interval", value)
    if seconds > MAX_RETRY_INTERVAL_SECONDS:
        raise InvalidJob(messages.retry_interval_too_long(_short(str(value))))
    return seconds


def _seconds(name: str, value: Any) -> int:
    text = str(value)[:_READ_CHARACTERS].strip().casefold().replace(" ", "")
    match = _DURATION.fullmatch(text)
    if not text or not match:
        raise InvalidJob(messages.not_a_duration(name, _short(str(value))))
    return sum(int(number or 0) * _UNITS[unit] for number, unit in zip(match.groups(), "dhms", strict=True))


def _retries(value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,3}", text) or int(text) > MAX_RETRIES:
        raise InvalidJob(messages.retries_out_of_range(_short(str(value)), MAX_RETRIES))
    return int(text)


def _image(value: Any) -> str:
    text = str(value).strip()
    if not re.fullmatch(r"\w[\w.:/@+-]{0,511}", text, re.ASCII):
        raise InvalidJob(messages.not_an_image(_short(str(value))))
    return text


def _concurrency(value: Any) -> str:
    text = str(value).strip().capitalize()
    if text not in CONCURRENCY_POLICIES:
        policies = ", ".join(policy.lower() for policy in CONCURRENCY_POLICIES)
        raise InvalidJob(messages.not_a_concurrency_policy(_short(str(value)), policies))
    return text


_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "timeout": _timeout,
    "retries": _retries,
    "image": _image,
    "concurrency": _concurrency,
    "retry_interval": _retry_interval,
}

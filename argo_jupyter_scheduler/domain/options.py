"""Options of one job or definition: how long it may take, how often it is retried, in which image, how long it is kept.

The dialog has no fields for them, so they are read from where users can write: tags such as ``timeout:2h``, the API's
``runtime_environment_parameters``, and the API's own fields, such as ``timeout_seconds``.
"""

from __future__ import annotations

import contextlib
import difflib
import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.option_values import (
    LINKED,
    READ_CHARACTERS,
    READERS,
    SNAPSHOT,
    shorten_value,
)
from argo_jupyter_scheduler.domain.retention import Keep

_NOT_OF_RUNS = ("late", "keep", "notify", "notify_on", "output", "input")
"""Options that say what happens around a run, or that a run finds in its settings."""

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
    "lateness": "late",
    "retention": "keep",
    "notification": "notify",
    "notifications": "notify",
    "email": "notify",
    "outputs": "output",
    "output_directory": "output",
    "output_dir": "output",
}
"""Names that a user may expect an option to have."""


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
    late
        Of a definition: how many seconds after its moment a scheduled run may begin without a report; 0 for no reports, None for
        the configured grace.
    keep
        Of a definition: which of its finished runs are kept; of a job of its own: how long it is kept. None for the configured
        default.
    notify
        Names of the targets that are notified of a run's end.
    notify_on
        After which runs, one of `NOTIFY_ON`; empty for the configured ones.
    output
        The folders of its outputs, see `domain.output_template`; empty for the configured ones.
    input
        Which notebook its runs take, one of `INPUTS`; empty for `SNAPSHOT`.
    """

    timeout: int = 0
    retries: int = 0
    image: str = ""
    concurrency: str = ""
    retry_interval: int = 0
    late: int | None = None
    keep: Keep | None = None
    notify: tuple[str, ...] = ()
    notify_on: str = ""
    output: str = ""
    input: str = ""

    @property
    def is_linked(self) -> bool:
        """Whether a run takes the notebook as it is in the root folder when the run begins."""
        return self.input == LINKED


def read_options(
    tags: Sequence[str] | None, parameters: Mapping[str, object] | None = None, *, of_run: bool = False
) -> Options:
    """Return the options that a job or a definition asks for.

    Parameters
    ----------
    tags
        Its tags.
    parameters
        Its ``runtime_environment_parameters``.
    of_run
        Whether only what concerns a run itself is read. An old row may have a tag such as ``keep:me``, which must not end its runs.

    Raises
    ------
    InvalidJob
        An option is unknown, has an invalid value, or is given twice.
    """
    found: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, value, where in _given(tags, parameters):
        if of_run and name in _NOT_OF_RUNS:
            continue
        read_value = READERS[name](value)
        if name in found and found[name] != read_value:
            raise InvalidJob(messages.options.option_given_twice(name, origins[name], where))
        found[name], origins[name] = read_value, where
    return Options(**found)


def read_concurrency(
    tags: Sequence[str] | None, parameters: Mapping[str, object] | None, default: str
) -> str:
    """Return a definition's concurrency policy; `default` where it has none, or options that are not valid."""
    try:
        return read_options(tags, parameters, of_run=True).concurrency or default
    except InvalidJob:
        return default


def read_attempts(tags: Sequence[str] | None, parameters: Mapping[str, object] | None) -> int:
    """Return how many attempts a job may have; 1 where its options are not valid."""
    try:
        return read_options(tags, parameters, of_run=True).retries + 1
    except InvalidJob:
        return 1


def read_late(tags: Sequence[str] | None, parameters: Mapping[str, object] | None, default: int) -> int:
    """Return a definition's grace in seconds, 0 for none; `default` where it has none, or options that are not valid."""
    try:
        late = read_options(tags, parameters).late
    except InvalidJob:
        return default
    return default if late is None else late


def read_keep(tags: Sequence[str] | None, parameters: Mapping[str, object] | None, default: Keep) -> Keep:
    """Return what is kept of a job or a definition; `default` where it does not say, everything where its options are not valid."""
    try:
        asked = read_options(tags, parameters).keep
    except InvalidJob:
        return Keep()
    return default if asked is None else asked


def read_notify(
    tags: Sequence[str] | None, parameters: Mapping[str, object] | None, default: str
) -> tuple[tuple[str, ...], str]:
    """Return the targets that a job or a definition notifies, and after which runs; none where its options are not valid.

    Parameters
    ----------
    default
        After which runs, where it does not say.
    """
    try:
        asked = read_options(tags, parameters)
    except InvalidJob:  # such as a tag of before there was this option
        return (), default
    return asked.notify, asked.notify_on or default


def read_input(tags: Sequence[str] | None, parameters: Mapping[str, object] | None) -> str:
    """Return which notebook a definition's runs take, one of `INPUTS`; `SNAPSHOT` where its options are not valid."""
    try:
        return read_options(tags, parameters).input or SNAPSHOT
    except InvalidJob:
        return SNAPSHOT


def read_fields(values: Mapping[str, Any]) -> dict[str, int]:
    """Return the options among a request's fields (`API_FIELDS`), with 0 for one that is to be none.

    The columns of these names cannot be trusted: Jupyter-Scheduler writes 600 and 0 where a request has no value. See
    docs/upstream.md#dropped-fields.

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
        if not isinstance(value, (int, float, str)):  # a list may be nested too deeply to be written out
            raise InvalidJob(messages.requests.field_not_a_number(field, type(value).__name__))
        text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(r"\d{1,15}", text, re.ASCII):
            raise InvalidJob(messages.requests.field_not_a_number(field, shorten_value(str(value))))
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


def remove_option(
    name: str, tags: Sequence[str] | None, parameters: Mapping[str, Any] | None
) -> tuple[tuple[str, ...] | None, dict[str, Any] | None]:
    """Return tags and ``runtime_environment_parameters`` without an option."""
    kept_tags = None if tags is None else tuple(tag for tag in tags if _option_of(tag) != name)
    kept = None if parameters is None else {key: parameters[key] for key in parameters if _known(key) != name}
    return kept_tags, kept


def name_options(parameters: Mapping[str, object] | None) -> dict[str, object]:
    """Return ``runtime_environment_parameters`` by the names of their options; a name that is unknown stays."""
    return {_known(key) or key: value for key, value in (parameters or {}).items()}


@dataclass(frozen=True)
class Bounds:
    """The limits that the configuration sets.

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
            raise InvalidJob(messages.options.timeout_too_long(options.timeout, self.timeout))
        if not options.image:
            return
        if self.no_images:
            raise InvalidJob(f"Option image: {self.no_images}")
        if not any(fnmatch.fnmatchcase(options.image, glob) for glob in self.images):
            allowed = ", ".join(self.images) or "none"
            raise InvalidJob(messages.options.image_not_allowed(options.image, allowed))


def _given(
    tags: Sequence[str] | None, parameters: Mapping[str, object] | None
) -> Iterator[tuple[str, Any, str]]:
    """Yield name, value and where it stands, of each option."""
    for key, value in (parameters or {}).items():
        name = _known(key)
        if name is None:
            raise InvalidJob(messages.options.option_not_found(shorten_value(key), _nearest(key)))
        yield name, value, f"{key} = {value}"
    for tag in tags or ():
        name = _option_of(tag)
        if name:
            value = tag[:READ_CHARACTERS].partition(":")[2]
            yield name, value, f"tag '{shorten_value(tag)}'"


def _option_of(tag: str) -> str | None:
    key, colon, _ = tag[:READ_CHARACTERS].partition(":")
    return _known(key) if colon else None


def near_misses(tags: Iterable[str] | None) -> list[str]:
    """Return a warning for each tag that looks like an option but is not one; it stays a tag like any other.

    A name alone is not enough: ``memory:leak`` and ``deadline:friday`` are ordinary tags. The value must fit the option, too.
    """
    return [
        messages.options.tag_like_option(shorten_value(tag), name, value)
        for tag in tags or []
        for name, value in _near_option(tag[:READ_CHARACTERS])
    ]


def _near_option(tag: str) -> Iterator[tuple[str, str]]:
    """Yield the option that a tag almost is, with its value, if it is one."""
    separators = [at for at in map(tag.find, (":", "=", "\uff1a")) if at > 0]
    cut = min(separators, default=len(tag.split(" ", 1)[0]))
    key, value = tag[:cut], tag[cut + 1 :].strip()
    if tag[cut : cut + 1] == ":" and _known(key):
        return  # that one is an option
    plain = _plain(key)
    likely = [name for name in READERS if len(name) > 4]  # "date:2024" is a tag
    near = difflib.get_close_matches(plain, likely, n=1, cutoff=0.75) if len(plain) < 32 else []
    name = _known(key) or _ALMOST.get(plain) or next(iter(near), None)
    if name is None or not value or (name == "image" and not separators):  # "image 2024" is a tag
        return
    with contextlib.suppress(InvalidJob):
        READERS[name](value)
        yield name, value


def _plain(key: str) -> str:
    return key[:READ_CHARACTERS].strip().casefold().replace("-", "_").replace(" ", "_")


def _known(key: str) -> str | None:
    name = _plain(key)
    return name if name in READERS else _API_NAMES.get(name)


def _nearest(key: str) -> str:
    name = _plain(key)
    near = _ALMOST.get(name) or next(iter(difflib.get_close_matches(name, READERS, n=1)), None)
    return f"Did you mean '{near}'?" if near else f"Available: {', '.join(READERS)}."

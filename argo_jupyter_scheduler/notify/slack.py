"""The parameters of a job that are about Slack, and the server's configuration where they are missing."""

from __future__ import annotations

import re
from collections.abc import Mapping

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.run_settings import (
    NOTIFY_ON,
    SlackSettings,
)
from argo_jupyter_scheduler.notify.occasions import is_wanted

TOKEN = "SLACK_TOKEN"  # noqa: S105 (a parameter's name)
CHANNEL = "SLACK_CHANNEL"
NOTIFY = "SLACK_NOTIFY"
NAMES = (TOKEN, CHANNEL, NOTIFY)
"""Parameters of a job, and environment variables of the server. A notebook never gets them, neither way."""

PREFIX = "SLACK_"
"""Parameters whose names begin with this are never the notebook's."""

MAX_ADDRESS_CHARACTERS = 2048
"""How much of a channel's address is read; no browser shows a longer one."""

_TOKEN_TEXT = re.compile(r"[\w.-]+", re.ASCII)
"""The characters of a token. Nothing else is accepted, so an error about a malformed header can never quote one."""

_TOKEN_BEGINNING = re.compile(r"\s*(xox[a-z][.-]|xapp-)", re.IGNORECASE)
"""How all tokens begin (docs.slack.dev, *Tokens*)."""

_CHANNEL_ID = re.compile(r"[CGDZ][A-Z0-9]{8,}")
"""An id of a channel, by the pattern that Slack's own error names."""

_CHANNEL_ADDRESS = re.compile(rf"https://[\w.-]+/(?:archives|client/\w+)/({_CHANNEL_ID.pattern})(?:[/?#].*)?")
"""A channel's address, as *Copy link* gives it or a browser shows it."""


def read_parameter(parameters: Mapping[str, object] | None, name: str) -> str:
    """Return a parameter's text; empty where it is missing."""
    return str((parameters or {}).get(name, "")).strip()


def is_asked_for(parameters: Mapping[str, object] | None, settings: SlackSettings) -> bool:
    """Return whether a run has the step `send-to-slack`: it has a channel, and a token to go with it."""
    channel = read_parameter(parameters, CHANNEL) or settings.channel
    return bool(channel) and (settings.has_token or bool(read_parameter(parameters, TOKEN)))


def is_wanted_after(
    parameters: Mapping[str, object] | None, settings: SlackSettings, succeeded: bool, has_changed: bool
) -> bool:
    """Return whether a message is wanted after a success, or after a failure; see `occasions.is_wanted`."""
    return is_wanted(_read_notify_on(parameters, settings), succeeded, has_changed)


def choose_channel(parameters: Mapping[str, object] | None, settings: SlackSettings) -> str:
    """Return the name or id of the channel that gets a run's message."""
    return normalize_channel(read_parameter(parameters, CHANNEL) or settings.channel)


def normalize_channel(text: str) -> str:
    """Return a channel's name or id without ``#``, from what a user typed: a name, an id or an address.

    Names are in lower case, ids are not.
    """
    address = _CHANNEL_ADDRESS.fullmatch(text.strip()) if len(text) < MAX_ADDRESS_CHARACTERS else None
    name = address[1] if address else text.strip().removeprefix("#")
    return name if is_channel_id(name) else name.lower()


def is_channel_id(text: str) -> bool:
    """Return whether this is the id of a channel."""
    return _CHANNEL_ID.fullmatch(text) is not None


def is_channel(text: str) -> bool:
    """Return whether this can be a channel's name, id or address."""
    return re.fullmatch(r"[^\s#,@/:.]{1,80}", normalize_channel(text)) is not None


def is_token(text: str) -> bool:
    """Return whether this can be a token."""
    return _TOKEN_TEXT.fullmatch(text.strip()) is not None


def check(parameters: Mapping[str, object], settings: SlackSettings) -> None:
    """Check the parameters of a job that are about Slack.

    Raises
    ------
    InvalidJob
        One of them is not valid, or needs another that is missing. A token is never quoted.
    """
    _check_names(parameters)
    token, channel = read_parameter(parameters, TOKEN), read_parameter(parameters, CHANNEL)
    if channel and not is_channel(channel):
        raise InvalidJob(messages.notifications.not_a_channel(channel))
    if token and not is_token(token):
        raise InvalidJob(messages.notifications.SLACK_CREDENTIAL_NOT_VALID)
    if _read_notify_on(parameters, settings) not in NOTIFY_ON:
        given = read_parameter(parameters, NOTIFY)
        raise InvalidJob(messages.notifications.slack_notify_not_valid(given, NOTIFY_ON))
    if not channel and not settings.channel and any(read_parameter(parameters, name) for name in NAMES):
        raise InvalidJob(messages.notifications.SLACK_CHANNEL_MISSING)
    if channel and not token and not settings.has_token:
        raise InvalidJob(messages.notifications.SLACK_CREDENTIAL_MISSING)


def _check_names(parameters: Mapping[str, object]) -> None:
    """Refuse a misspelt parameter, and a token in a parameter that the notebook gets."""
    unknown = [name for name in parameters if name.startswith(PREFIX) and name not in NAMES]
    if unknown:
        raise InvalidJob(messages.notifications.slack_parameter_not_found(unknown[0], NAMES))
    for name, value in parameters.items():
        meant = name.strip().upper().replace("-", "_")
        if meant in NAMES and name != meant:
            raise InvalidJob(messages.notifications.slack_parameter_misspelt(name, meant))
        if name != TOKEN and isinstance(value, str) and _TOKEN_BEGINNING.match(value):
            raise InvalidJob(messages.notifications.slack_token_misplaced(name))


def _read_notify_on(parameters: Mapping[str, object] | None, settings: SlackSettings) -> str:
    return read_parameter(parameters, NOTIFY).lower() or settings.notify

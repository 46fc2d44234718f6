"""What a run's message to Slack is made from: the run's parameters, else the server's configuration."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.run_settings import NOTIFY_ON, SlackSettings

TOKEN = "SLACK_TOKEN"  # noqa: S105 (a parameter's name)
CHANNEL = "SLACK_CHANNEL"
NOTIFY = "SLACK_NOTIFY"
NAMES = (TOKEN, CHANNEL, NOTIFY)
"""Parameters of a job, and environment variables of the server. No notebook ever gets them, neither way."""

PREFIX = "SLACK_"
"""Parameters that begin so are never the notebook's."""

_WORD = re.compile(r"[\w.-]+", re.ASCII)
"""What a token consists of. Nothing else is taken, so that no error about a malformed header ever quotes one."""


_TOKENS = re.compile(r"\s*(xox[a-z][.-]|xapp-)", re.IGNORECASE)
"""How all tokens begin (docs.slack.dev, *Tokens*)."""

_ADDRESS = re.compile(r"https://[\w.-]+/(?:archives|client/\w+)/([CGDZ][A-Z0-9]{8,})(?:[/?#].*)?")
"""A channel's address, as *Copy link* gives it or a browser shows it."""


ADDRESS_LENGTH = 2048
"""Characters of a channel's address that are looked at; no browser shows a longer one."""


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes
    ----------
    token
        Who sends it.
    channel
        Name or id, without ``#``.
    text
        In Slack's markup.
    path
        The file that goes with it, or None.
    filename
        The name that it gets in Slack.
    """

    token: str = field(repr=False)
    channel: str
    text: str
    path: Path | None = None
    filename: str = ""


def given(parameters: Mapping[str, Any] | None, name: str) -> str:
    """Return a parameter's text, empty where there is none."""
    return str((parameters or {}).get(name, "")).strip()


def is_asked_for(parameters: Mapping[str, Any] | None, settings: SlackSettings) -> bool:
    """Return whether a run has the step `send-to-slack`: it has a channel, and a token to go with it."""
    channel = given(parameters, CHANNEL) or settings.channel
    return bool(channel) and (settings.has_token or bool(given(parameters, TOKEN)))


def notify_on(parameters: Mapping[str, Any] | None, settings: SlackSettings) -> str:
    """Return after which runs a message is wanted: one of `NOTIFY_ON`."""
    return given(parameters, NOTIFY).lower() or settings.notify


def channel_name(text: str) -> str:
    """Return a channel's name or id, as a user types it, without ``#``; names are in lower case, ids are not.

    Of a channel's address it is the id.
    """
    address = _ADDRESS.fullmatch(text.strip()) if len(text) < ADDRESS_LENGTH else None
    name = address[1] if address else text.strip().removeprefix("#")
    return name if is_channel_id(name) else name.lower()


def is_channel_id(text: str) -> bool:
    """Return whether this is an id of a channel, by the pattern that Slack's own error names."""
    return re.fullmatch(r"[CGDZ][A-Z0-9]{8,}", text) is not None


def is_channel(text: str) -> bool:
    """Return whether this can be a channel's name, id or address."""
    return re.fullmatch(r"[^\s#,@/:.]{1,80}", channel_name(text)) is not None


def escape(text: str) -> str:
    """Return a text in which Slack finds no link, mention or entity (docs.slack.dev, *Formatting message text*)."""
    return html.escape(text, quote=False)


def is_token(text: str) -> bool:
    """Return whether this can be a token."""
    return _WORD.fullmatch(text.strip()) is not None


def check(parameters: Mapping[str, Any], settings: SlackSettings) -> None:
    """Check the parameters of a job's message.

    Raises
    ------
    InvalidJob
        One of them cannot be, or does not go without another. A token is never quoted.
    """
    unknown = [name for name in parameters if name.startswith(PREFIX) and name not in NAMES]
    if unknown:
        raise InvalidJob(
            f"There is no parameter '{unknown[0]}': those that begin with {PREFIX} are for the message to Slack. "
            f"Possible: {', '.join(NAMES)}."
        )
    for name, value in parameters.items():
        meant = name.strip().upper().replace("-", "_")
        if meant in NAMES and name != meant:
            raise InvalidJob(f"There is no parameter '{name}': it is called {meant}.")
        if name != TOKEN and isinstance(value, str) and _TOKENS.match(value):
            raise InvalidJob(
                f"Parameter '{name}' is a token of Slack, which anybody could read in the notebook. Only {TOKEN} is kept from it."
            )
    token, channel = given(parameters, TOKEN), given(parameters, CHANNEL)
    if channel and not is_channel(channel):
        raise InvalidJob(
            f"{CHANNEL} is '{channel}', which no channel can be called. Give a name, an id or its link."
        )
    if token and not is_token(token):
        raise InvalidJob(
            f"{TOKEN} has characters that no token of Slack has, such as a space. Copy it again."
        )
    if notify_on(parameters, settings) not in NOTIFY_ON:
        raise InvalidJob(f"{NOTIFY} is '{given(parameters, NOTIFY)}'. Possible: {', '.join(NOTIFY_ON)}.")
    if not channel and not settings.channel and any(given(parameters, name) for name in NAMES):
        raise InvalidJob(
            f"No channel is given for the message to Slack. Add the parameter {CHANNEL}, such as #team."
        )
    if channel and not token and not settings.has_token:
        raise InvalidJob(
            f"{CHANNEL} is given, but there is no token. Add the parameter {TOKEN}, or ask your administrator to configure one "
            "for all: c.ArgoScheduler.slack_token on this machine, c.ArgoScheduler.slack_token_secret on Argo."
        )

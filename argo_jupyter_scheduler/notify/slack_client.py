"""Sends one message with slack-sdk, and translates its errors."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler
from slack_sdk.web import SlackResponse

from argo_jupyter_scheduler.domain.errors import MessageNotSent
from argo_jupyter_scheduler.domain.run_settings import SlackSettings
from argo_jupyter_scheduler.notify.send_once import MAY_HAVE_ARRIVED
from argo_jupyter_scheduler.notify.slack import is_channel_id
from argo_jupyter_scheduler.notify.slack_message import Message, escape

SHOWING_METHODS = frozenset({"files.completeUploadExternal", "chat.postMessage"})
"""Methods that make a message visible. Calls before them have no visible effect."""

CHANNELS_PER_PAGE = 999
"""The most that ``conversations.list`` returns."""

MAX_ATTEMPTS = 100
"""How often a call that Slack limits is repeated. In practice the time runs out first."""

SDK_ERRORS = (SlackClientError, OSError, HTTPException, ValueError)
"""The errors that slack-sdk raises: its own, urllib's, http.client's and json's."""

EXPLANATIONS = {
    "invalid_auth": "Slack does not know the token.",
    "not_authed": "Slack does not know the token.",
    "account_inactive": "the token's app or user was removed from Slack.",
    "token_revoked": "the token was revoked.",
    "token_expired": "the token has expired.",
    "channel_not_found": "the channel does not exist, or it is private and the app is not in it: invite the app there.",
    "not_in_channel": "the app is not in the channel: invite it there, with /invite and its name.",
    "is_archived": "the channel is archived.",
    "missing_scope": "the app lacks a scope.",
    "file_uploads_disabled": "this Slack does not accept files.",
    "file_upload_size_restricted": "this Slack does not accept files of this size.",
    "file_type_not_allowed": "this Slack does not accept files of this type.",
    "storage_limit_reached": "this Slack has no room for files.",
}
"""The meaning of Slack's error codes for a user. Other codes are reported as they are (docs.slack.dev/reference/methods)."""

NOT_SLACK = "the server is not Slack. Check slack_base_url."

_silent_log = logging.getLogger("argo_jupyter_scheduler.slack_sdk")
_silent_log.setLevel(logging.CRITICAL)  # the reason in `MessageNotSent` says it all


def send(message: Message, settings: SlackSettings, until: float, claim: Callable[[], None]) -> str:
    """Send a message; return why its file was left out, empty if it was not.

    Parameters
    ----------
    message
        The message.
    settings
        Where, and how large its file may be.
    until
        When to give up, on the clock of `time.monotonic`.
    claim
        Called once, just before Slack is asked to show the message. What it raises is passed on.

    Raises
    ------
    MessageNotSent
        Slack refused it, did not answer, or there was no time left.
    """
    client = _Client(message.token, settings.base_url, until, claim)
    try:
        channel = message.channel if is_channel_id(message.channel) else client.find_channel(message.channel)
        if message.path is None:
            client.chat_postMessage(channel=channel, text=message.text)
            return ""
        left_out = _upload(client, channel, message, message.path, settings.file_limit)
        if left_out:  # the text alone is better than nothing
            note = f"{escape(message.filename)} is not attached: {escape(left_out)}"
            client.chat_postMessage(channel=channel, text=f"{message.text}\n{note}")
    except SDK_ERRORS as error:
        hint = MAY_HAVE_ARRIVED if client.has_claimed and not _is_refusal(error) else ""
        raise MessageNotSent(explain_error(error) + hint) from error
    return left_out


def _upload(client: _Client, channel: str, message: Message, path: Path, limit_megabytes: float) -> str:
    """Send a message with its file; return why that could not be, empty if it could."""
    megabytes = path.stat().st_size / 1e6
    if megabytes > limit_megabytes:
        return f"it has {megabytes:.3g} MB, and the limit is {limit_megabytes:g} MB."
    try:
        client.files_upload_v2(
            channel=channel, initial_comment=message.text, file=str(path), filename=message.filename
        )
    except SDK_ERRORS as error:
        if client.has_claimed or client.has_expired:
            raise
        return explain_error(error)
    return ""


class _Client(WebClient):
    """slack-sdk's client, which calls nothing after `until`, and never repeats what Slack may have shown.

    Attributes
    ----------
    has_claimed
        Whether Slack was asked to show the message.
    """

    def __init__(self, token: str, base_url: str, until: float, claim: Callable[[], None]) -> None:
        super().__init__(token=token, base_url=base_url or self.BASE_URL, logger=_silent_log)
        self.has_claimed = False
        self._until = until
        self._claim = claim

    @property
    def has_expired(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() > self._until

    def api_call(self, api_method: str, **arguments: Any) -> SlackResponse:
        """Call a method in the time that is left."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise MessageNotSent("there was no time left.")
        self.timeout = math.ceil(left) + 1  # later than `SendOnce.send`, which ends all calls together
        self.retry_handlers = [_RateLimit(self._until)]
        if api_method in SHOWING_METHODS:
            self._claim()
            self.has_claimed = True
        else:
            self.retry_handlers.append(ConnectionErrorRetryHandler())
        return super().api_call(api_method, **arguments)

    def find_channel(self, name: str) -> str:
        """Return the id of the channel with this name.

        Raises
        ------
        MessageNotSent
            The app sees no such channel.
        """
        cursor = ""
        while True:
            page = self.conversations_list(
                types="public_channel,private_channel",
                exclude_archived=True,
                limit=CHANNELS_PER_PAGE,
                cursor=cursor or None,
            )
            for channel in page.get("channels") or []:
                if channel.get("name") == name:
                    return str(channel["id"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                raise MessageNotSent(EXPLANATIONS["channel_not_found"])


class _RateLimit(RateLimitErrorRetryHandler):
    """Waits as long as Slack asks for, if that much time is left."""

    def __init__(self, until: float) -> None:
        super().__init__(max_retry_count=MAX_ATTEMPTS)
        self._until = until

    def _can_retry(self, *, response: Any = None, **others: Any) -> bool:
        is_limited: bool = super()._can_retry(response=response, **others)
        return is_limited and time.monotonic() + _read_retry_after(response.headers) < self._until


def _read_retry_after(headers: dict[str, Any]) -> float:
    """Return the seconds of ``Retry-After``, as Slack gives them; 1 where the header is missing."""
    found = [value for name, value in headers.items() if name.lower() == "retry-after"]
    value = found[0] if found else 1
    return float(value[0] if isinstance(value, list) else value)


def _is_refusal(error: BaseException) -> bool:
    """Return whether Slack has answered that it did not show the message."""
    return isinstance(error, SlackApiError) and error.response.status_code in (200, 429)


def explain_error(error: BaseException) -> str:
    """Return the reason that a user reads for an error of slack-sdk's."""
    if isinstance(error, SlackApiError):
        response = error.response
        code = str(response.get("error"))
        if response.status_code == 429:
            seconds = _read_retry_after(response.headers)
            return f"Slack limits requests and asks to wait {seconds:g} s, longer than the remaining time (ratelimited)."
        if response.status_code != 200:
            return f"Slack has a problem ({response.status_code})."
        if not re.fullmatch(r"\w+", code):
            return NOT_SLACK
        explanation = EXPLANATIONS.get(code, "Slack refused it.").removesuffix(".")
        if response.get("needed"):
            explanation += f": {response['needed']}"
        return f"{explanation} ({code})."
    if isinstance(error, HTTPError):
        return f"Slack has a problem ({error.code})."
    if isinstance(error, (OSError, HTTPException)):
        return f"Slack cannot be reached: {getattr(error, 'reason', None) or error or type(error).__name__}."
    return NOT_SLACK

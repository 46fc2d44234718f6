"""Sends one message with slack-sdk, whose errors are translated here."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable
from dataclasses import replace
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler
from slack_sdk.web import SlackResponse

from argo_jupyter_scheduler.domain.errors import MessageNotSent
from argo_jupyter_scheduler.domain.run_settings import SlackSettings
from argo_jupyter_scheduler.notify import slack
from argo_jupyter_scheduler.notify.slack import Message

SHOWS = frozenset({"files.completeUploadExternal", "chat.postMessage"})
"""Methods that make a message appear; whatever is called before them, nobody sees."""

PAGE = 999
"""Channels a page, the most that ``conversations.list`` gives."""

FOREIGN = (SlackClientError, OSError, HTTPException, ValueError)
"""What slack-sdk raises: its own, urllib's, http.client's, and json's."""

WORDS = {
    "invalid_auth": "Slack does not know the token.",
    "not_authed": "Slack does not know the token.",
    "account_inactive": "the token's app or user was removed from Slack.",
    "token_revoked": "the token was revoked.",
    "token_expired": "the token has expired.",
    "channel_not_found": "there is no such channel, or it is private and the app is not in it: invite the app there.",
    "not_in_channel": "the app is not in the channel: invite it there, with /invite and its name.",
    "is_archived": "the channel is archived.",
    "missing_scope": "the app lacks a scope.",
    "file_uploads_disabled": "this Slack takes no files.",
    "file_upload_size_restricted": "this Slack takes no file of that size.",
    "file_type_not_allowed": "this Slack takes no file of that type.",
    "storage_limit_reached": "this Slack has no room for files.",
}
"""What Slack's error codes mean to a user; others are told as they are (docs.slack.dev/reference/methods)."""

NOT_SLACK = "what answered is not Slack. Is slack_base_url right?"

_quiet = logging.getLogger("argo_jupyter_scheduler.slack_sdk")
_quiet.setLevel(logging.CRITICAL)  # the reason that is told at the end says it all


def send(message: Message, settings: SlackSettings, until: float, claim: Callable[[], None]) -> str:
    """Send a message; return why its file was left out, empty if it was not.

    Parameters
    ----------
    until
        The moment, of `time.monotonic`, at which to give up.
    claim
        Called once, just before Slack is asked to show the message; what it raises is passed on.

    Raises
    ------
    MessageNotSent
        With the reason.
    """
    client = _Client(message.token, settings.base_url, until, claim)
    left_out = ""
    try:
        channel = message.channel if slack.is_channel_id(message.channel) else client.find(message.channel)
        if message.path:
            size = message.path.stat().st_size / 1e6
            if size <= settings.file_limit:
                try:
                    client.files_upload_v2(
                        channel=channel,
                        initial_comment=message.text,
                        file=str(message.path),
                        filename=message.filename,
                    )
                except FOREIGN as error:
                    if client.claimed or time.monotonic() > until:
                        raise
                    left_out = words(error)  # the text alone is better than nothing
                else:
                    return ""
            else:
                left_out = f"it has {size:.3g} MB, and the limit is {settings.file_limit:g} MB."
            text = (
                f"{message.text}\n{slack.escape(message.filename)} is not attached: {slack.escape(left_out)}"
            )
            message = replace(message, text=text)
        client.chat_postMessage(channel=channel, text=message.text)
    except FOREIGN as error:
        maybe = client.claimed and not _refused(error)
        raise MessageNotSent(
            words(error) + (" The message may have arrived all the same." if maybe else "")
        ) from error
    return left_out


class _Client(WebClient):
    """slack-sdk's client, which calls nothing after `until` and does not repeat what Slack may have shown."""

    def __init__(self, token: str, base_url: str, until: float, claim: Callable[[], None]) -> None:
        super().__init__(token=token, base_url=base_url or self.BASE_URL, logger=_quiet)
        self.claimed = False
        self._until = until
        self._claim = claim

    def api_call(self, api_method: str, **arguments: Any) -> SlackResponse:
        """Call a method in the time that is left."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise MessageNotSent("there was no time left.")
        self.timeout = math.ceil(left) + 1  # more: who waits for all calls together says when it is enough
        self.retry_handlers = [_RateLimit(self._until)]
        if api_method in SHOWS:
            self._claim()
            self.claimed = True
        else:
            self.retry_handlers.append(ConnectionErrorRetryHandler())
        return super().api_call(api_method, **arguments)

    def find(self, name: str) -> str:
        """Return the id of the channel with this name.

        Raises
        ------
        MessageNotSent
            The app sees none.
        """
        cursor = ""
        while True:
            page = self.conversations_list(
                types="public_channel,private_channel",
                exclude_archived=True,
                limit=PAGE,
                cursor=cursor or None,
            )
            for channel in page.get("channels") or []:
                if channel.get("name") == name:
                    return str(channel["id"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                raise MessageNotSent(WORDS["channel_not_found"])


class _RateLimit(RateLimitErrorRetryHandler):
    """Waits as long as Slack asks for, where that much time is left."""

    def __init__(self, until: float) -> None:
        super().__init__(max_retry_count=100)
        self._until = until

    def _can_retry(self, *, response: Any = None, **others: Any) -> bool:
        again: bool = super()._can_retry(response=response, **others)
        return again and time.monotonic() + _retry_after(response.headers) < self._until


def _retry_after(headers: dict[str, Any]) -> float:
    """Return the seconds of ``Retry-After``, in whole seconds as Slack gives it; 1 where it is missing."""
    found = [value for name, value in headers.items() if name.lower() == "retry-after"]
    value = found[0] if found else 1
    return float(value[0] if isinstance(value, list) else value)


def _refused(error: BaseException) -> bool:
    """Return whether Slack has said that it did not do what was asked."""
    return isinstance(error, SlackApiError) and error.response.status_code in (200, 429)


def words(error: BaseException) -> str:
    """Return what a user is told of an error of slack-sdk's."""
    if isinstance(error, SlackApiError):
        response = error.response
        code = str(response.get("error"))
        if response.status_code == 429:
            return f"Slack is asked too much and wants {_retry_after(response.headers):g} s, more than there are (ratelimited)."
        if response.status_code != 200:
            return f"Slack has a problem ({response.status_code})."
        if not re.fullmatch(r"\w+", code):
            return NOT_SLACK
        told = WORDS.get(code, "Slack refused it.")
        if response.get("needed"):
            told = told.removesuffix(".") + f": {response['needed']}."
        return f"{told.removesuffix('.')} ({code})."
    if isinstance(error, HTTPError):
        return f"Slack has a problem ({error.code})."
    if isinstance(error, (OSError, HTTPException)):
        return f"Slack cannot be reached: {getattr(error, 'reason', None) or error or type(error).__name__}."
    return NOT_SLACK

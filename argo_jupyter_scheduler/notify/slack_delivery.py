"""Delivers one message to Slack within its time; the first process to claim it sends it."""

from __future__ import annotations

from collections.abc import Callable

from argo_jupyter_scheduler.domain.errors import MessageNotSent
from argo_jupyter_scheduler.domain.run_settings import SlackSettings
from argo_jupyter_scheduler.notify import slack
from argo_jupyter_scheduler.notify.send_once import SendOnce
from argo_jupyter_scheduler.notify.slack_message import Message


def deliver(message: Message, settings: SlackSettings, claim: Callable[[], bool]) -> str:
    """Send a message within its time; return why its file was left out, empty if it was not.

    Parameters
    ----------
    message
        The message.
    settings
        Where, and how long that may take.
    claim
        Leaves a mark that all processes see, just before the message appears; returns False if there is one already.

    Raises
    ------
    MessageNotSent
        A usable token is missing, or Slack refused or did not answer in time.
    SentElsewhere
        Another process shows the message.
    """
    if not message.token:
        raise MessageNotSent(
            "the configured token was not found (slack_token, or the Secret of slack_token_secret)."
        )
    if not slack.is_token(message.token):
        raise MessageNotSent("the configured token contains characters that a Slack token cannot have.")
    from argo_jupyter_scheduler.notify import slack_client  # which takes long to import

    once = SendOnce(claim)
    return once.send(
        lambda until: slack_client.send(message, settings, until, once.claim), settings.time_limit, "Slack"
    )

"""Delivers one message to one target within its time; the first process to claim it sends it."""

from __future__ import annotations

from collections.abc import Callable

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import MessageNotSent
from argo_jupyter_scheduler.domain.run_settings import NotificationSettings
from argo_jupyter_scheduler.notify.send_once import SendOnce, SentElsewhere
from argo_jupyter_scheduler.notify.target_message import TargetMessage


def deliver(
    message: TargetMessage, address: str, settings: NotificationSettings, claim: Callable[[], bool]
) -> None:
    """Send a message within its time.

    Parameters
    ----------
    address
        Apprise's URL of the target; empty where it is missing.
    claim
        Leaves a mark that all processes see, just before the service is called; returns False if there is one already.

    Raises
    ------
    MessageNotSent
        A usable address is missing, or the service refused or did not answer in time.
    SentElsewhere
        Another process sends the message.
    """
    if not address:
        raise MessageNotSent(messages.notifications.TARGET_WITHOUT_ADDRESS)
    once = SendOnce(claim)

    def send(until: float) -> str:
        from argo_jupyter_scheduler.notify import target_client  # which takes half a second to import

        try:
            target_client.send(message, address, settings, once.claim)
        except (MessageNotSent, SentElsewhere):
            raise
        except Exception as error:  # a service's bug, whose text may have the address
            reason = target_client.hide_address(messages.server.unexpected_error(error), address)
            raise MessageNotSent(reason) from None
        return ""

    once.send(send, settings.time_limit, "The service")

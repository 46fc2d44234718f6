"""Sends one message with Apprise, which knows the services, and says why it could not."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from urllib.parse import unquote

import apprise
from apprise.attachment.file import AttachFile

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import MessageNotSent
from argo_jupyter_scheduler.domain.run_settings import NotificationSettings
from argo_jupyter_scheduler.domain.text import one_line
from argo_jupyter_scheduler.notify.target_message import TargetMessage

HIDDEN = "…"
"""Stands for each part of an address in a reason: a webhook's path is a secret too."""

E_MAIL = ("mailto:", "mailtos:")
"""How addresses begin whose services get files."""

SHORTEST_SECRET = 4
"""Shorter parts of an address are not secrets, and occur in many words."""

logging.getLogger("apprise").propagate = False
# Its lines name recipients, and a run's log is seen by others. `MessageNotSent` has what it says of a failure.

_ASSET = apprise.AppriseAsset(
    app_id="argo-jupyter-scheduler",
    app_desc="Runs of notebooks",
    app_url="",
    async_mode=False,
    interpret_emojis=False,  # a job's name may contain :colons:
    pgp_autogen=False,
    pem_autogen=False,
    service_timeout=0,  # `SendOnce` limits the time; Apprise's own limit leaves a thread that keeps the process from ending
)


def is_understood(address: str) -> bool:
    """Return whether Apprise knows the service of an address, and finds in it all that the service needs."""
    return read_service(address) is not None


def send(
    message: TargetMessage, address: str, settings: NotificationSettings, claim: Callable[[], None]
) -> None:
    """Send a message.

    Parameters
    ----------
    settings
        How long the service has to answer, and how large an attached file may be.
    claim
        Called once, just before the service. What it raises is passed on.

    Raises
    ------
    MessageNotSent
        Apprise does not understand the address, or the service refused or cannot be reached. No part of the address is shown.
    """
    service = read_service(address, settings.time_limit)
    if service is None:
        raise MessageNotSent(messages.notifications.TARGET_ADDRESS_UNKNOWN)
    file_limit = settings.file_limit
    text, attachment = message.text, None
    if message.path and address.lower().startswith(E_MAIL):
        megabytes = message.path.stat().st_size / 1e6
        if megabytes <= file_limit:
            attachment = AttachFile(str(message.path), name=message.filename)  # type: ignore[no-untyped-call]
        else:
            note = messages.notifications.file_not_attached(message.filename, megabytes, file_limit)
            text = f"{text}\n\n{note}"
    sender = apprise.Apprise(service, asset=_ASSET)
    claim()
    result = sender.notify(
        text, message.title, message.kind, body_format=apprise.NotifyFormat.TEXT.value, attach=attachment
    )
    if not result:
        lines = (one_line(entry.message).removesuffix(".") for one in result for entry in one.logs())
        reasons = dict.fromkeys(f"{line}." for line in lines)
        raise MessageNotSent(
            hide_address(" ".join(reasons), address) or messages.notifications.TARGET_REFUSED
        )


def hide_address(text: str, address: str) -> str:
    """Return a text without any part of an address, such as a host, a password or an id of a webhook."""
    rest = address.partition("://")[2]
    parts = {part for found in re.split(r"[/?&=@:,;#]", rest) for part in (found, unquote(found))}
    for part in sorted((part for part in parts if len(part) >= SHORTEST_SECRET), key=len, reverse=True):
        text = text.replace(part, HIDDEN)
    return text


def read_service(address: str, time_limit: float = 0) -> apprise.NotifyBase | None:
    """Return the service of an address; None where Apprise does not understand it.

    Apprise takes a service that answers after 4 s, or a mail server that answers after 15 s, for one that is down. So it gets
    the time that a run has, unless the address itself has a limit (``rto``, ``cto``).

    Parameters
    ----------
    time_limit
        Seconds that the service has to answer; 0 for Apprise's own limits.
    """
    service = apprise.Apprise.instantiate(address, asset=_ASSET)
    limit = "socket_connect_timeout" if address.lower().startswith(E_MAIL) else "socket_read_timeout"
    if service and time_limit and getattr(service, limit) == getattr(type(service), limit):
        setattr(service, limit, time_limit)
    return service

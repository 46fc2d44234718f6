"""A run's message to Slack, in Slack's own markup."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from pathlib import Path

from argo_jupyter_scheduler.domain.text import shorten
from argo_jupyter_scheduler.notify.summary import RunSummary


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes
    ----------
    token
        The token with which it is sent.
    channel
        Name or id, without ``#``.
    text
        In Slack's markup.
    path
        The file that goes with it; None for none.
    filename
        The name of that file in Slack.
    """

    token: str = field(repr=False)
    channel: str
    text: str
    path: Path | None = None
    filename: str = ""


def compose_text(summary: RunSummary) -> str:
    """Return the message's text in Slack's markup."""
    name = summary.name.replace("*", "\u2217")  # which does not end bold text
    facts = [fact for fact in (summary.input_filename, summary.duration, summary.place) if fact]
    icon, ended = (":x:", "has failed") if summary.reason else (":white_check_mark:", "has completed")
    text = f"{icon} *{escape(name)}* {ended} · " + " · ".join(map(escape, facts))
    if summary.reason:
        quoted = escape(shorten(summary.reason).replace("```", "'''"))
        text += f"\n```{quoted}```"
    return text


def escape(text: str) -> str:
    """Return a text in which Slack finds no link, mention or entity (docs.slack.dev, *Formatting message text*)."""
    return html.escape(text, quote=False)

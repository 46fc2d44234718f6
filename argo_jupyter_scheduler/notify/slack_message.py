"""Messages about runs, in Slack's own markup."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.text import shorten
from argo_jupyter_scheduler.notify.summary import LateSummary, RunSummary


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
    """Return the message about a run's end in Slack's markup."""
    icon = ":x:" if summary.reason else ":white_check_mark:"
    text = _compose(icon, summary.name, summary.event, summary.facts, summary.reason)
    if summary.failures:
        text += f"\n:rotating_light: {messages.runs.runs_failed(summary.failures)}"
    return text


def compose_late_text(summary: LateSummary) -> str:
    """Return the message about a run that did not begin in time in Slack's markup."""
    return _compose(":hourglass:", summary.name, summary.event, summary.facts, summary.reason)


def _compose(icon: str, name: str, event: str, facts: Sequence[str], reason: str) -> str:
    name = name.replace("*", "\u2217")  # which does not end bold text
    text = f"{icon} *{escape(name)}* {event} · " + " · ".join(map(escape, facts))
    if reason:
        quoted = escape(shorten(reason).replace("```", "'''"))
        text += f"\n```{quoted}```"
    return text


def escape(text: str) -> str:
    """Return a text in which Slack finds no link, mention or entity (docs.slack.dev, *Formatting message text*)."""
    return html.escape(text, quote=False)

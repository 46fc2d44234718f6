"""Messages about runs as plain text, which Apprise turns into what each service takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.text import shorten
from argo_jupyter_scheduler.notify.summary import LateSummary, RunSummary

_MENTION = re.compile(r"@(?=everyone\b|here\b|channel\b|all\b|[!&]?\d)", re.IGNORECASE)
"""Mentions of all members of a chat, which anyone could write into a job's name or an exception."""


@dataclass(frozen=True)
class TargetMessage:
    """A message.

    Attributes
    ----------
    kind
        The kind of message, which services show as a colour or an icon.
    title
        The subject, on one line.
    text
        Plain text.
    path
        The file that goes with it where the service is e-mail; None for none.
    filename
        The name of that file.
    """

    kind: Literal["success", "failure", "warning"]
    title: str
    text: str
    path: Path | None = None
    filename: str = ""


def compose_message(summary: RunSummary) -> TargetMessage:
    """Return the message about a run's end."""
    failures = messages.runs.runs_failed(summary.failures) if summary.failures else ""
    return TargetMessage(
        kind="failure" if summary.reason else "success",
        title=_disarm(f"{summary.name} {summary.event}"),
        text=_compose(summary.facts, summary.reason, failures, summary.link),
        path=summary.attachment,
        filename=summary.attachment_name,
    )


def compose_late_message(summary: LateSummary) -> TargetMessage:
    """Return the message about a run that did not begin in time."""
    return TargetMessage(
        kind="warning",
        title=_disarm(f"{summary.name} {summary.event}"),
        text=_compose(summary.facts, summary.reason),
    )


def _compose(facts: Sequence[str], *paragraphs: str) -> str:
    return "\n\n".join(_disarm(part) for part in (" · ".join(facts), *map(shorten, paragraphs)) if part)


def _disarm(text: str) -> str:
    """Return a text without mentions: an invisible word joiner breaks each one."""
    return _MENTION.sub("@\u2060", text)

"""Rows as text for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.status import FAILED, LIVE
from argo_jupyter_scheduler.domain.text import one_line
from argo_jupyter_scheduler.notify.slack import TOKEN
from argo_jupyter_scheduler.storage.schema import JobRow

ID_LENGTH = 8
"""Characters of an id in a table: enough to be unique among thousands of jobs."""

NOTHING = "-"
"""Shown in a cell of a table without a value."""


def render_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as text, a line each; the last column is as wide as it likes."""
    lines = [tuple(titles), *(tuple(row) for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(titles) - 1)]
    return "\n".join(
        "  ".join(
            [*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]
        ).rstrip()
        for line in lines
    )


def render_json(content: object) -> str:
    """Return JSON as it is printed."""
    return json.dumps(content, indent=1, ensure_ascii=False)


def render_moment(moment_ms: int | None) -> str:
    """Return a moment in this machine's time zone, such as ``2026-03-02 14:10``.

    Parameters
    ----------
    moment_ms
        Milliseconds since 1970; None for none.
    """
    if moment_ms is None:
        return NOTHING
    return datetime.fromtimestamp(moment_ms / 1000).strftime("%Y-%m-%d %H:%M")


def render_duration(seconds: float | None) -> str:
    """Return a duration, such as ``3.2 s``, ``4:10 min`` or ``1:02:05 h``; None for none."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def duration_seconds(job: JobRow, now: int | None = None) -> float | None:
    """Return how long a job has taken so far, in seconds; None if it has not begun.

    Parameters
    ----------
    now
        Milliseconds since 1970; by default the time.
    """
    if job.start_time is None:
        return None
    end = job.end_time
    if end is None:
        end = (now_ms() if now is None else now) if job.status in LIVE else job.update_time
    return max(end - job.start_time, 0) / 1000


def make_cell(text: str | None) -> str:
    """Return text for a cell of a table."""
    return one_line(text or "") or NOTHING


def hide_secrets(parameters: Mapping[str, str] | None) -> dict[str, str]:
    """Return a notebook's parameters without the token for Slack."""
    return {name: "***" if name == TOKEN else value for name, value in (parameters or {}).items()}


def describe_outcome(job: JobRow) -> str:
    """Return the status of a job and why, in the words of the panel."""
    message = job.status_message or ("no reason was given" if job.status == FAILED else "")
    return f"{job.status}: {message}" if message else job.status

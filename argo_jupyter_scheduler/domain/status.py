"""The statuses of a job, in the words of ``jupyter_scheduler.models.Status``.

Copied as plain text: a step's process must not pay for that module's imports. A test holds the two together.
"""

from __future__ import annotations

CREATED = "CREATED"
QUEUED = "QUEUED"
IN_PROGRESS = "IN_PROGRESS"
COMPLETED = "COMPLETED"
FAILED = "FAILED"
STOPPING = "STOPPING"
STOPPED = "STOPPED"

WAITING = (CREATED, QUEUED)
"""Statuses of a job that has not begun."""

LIVE = (CREATED, QUEUED, IN_PROGRESS, STOPPING)
"""Statuses that may still change. All others are end statuses, which are never overwritten."""

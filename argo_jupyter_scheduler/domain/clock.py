"""The clock, in the unit of Jupyter-Scheduler's rows."""

from __future__ import annotations

import time
from datetime import datetime


def now_ms() -> int:
    """Return the time in milliseconds since 1970."""
    return int(time.time() * 1000)


def milliseconds(moment: str) -> int:
    """Return a moment in RFC 3339, such as Argo's ``{{workflow.creationTimestamp}}``, as milliseconds since 1970."""
    return int(datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp() * 1000)

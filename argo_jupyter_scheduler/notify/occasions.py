"""After which runs a message is wanted, for Slack and for targets."""

from __future__ import annotations

from argo_jupyter_scheduler.domain.run_settings import ALWAYS, CHANGE, FAILURE, SUCCESS


def is_wanted(notify_on: str, succeeded: bool, has_changed: bool) -> bool:
    """Return whether a message is wanted after a success, or after a failure.

    Parameters
    ----------
    notify_on
        One of `NOTIFY_ON`, in which case a message is wanted.
    has_changed
        Whether the definition's last run ended otherwise; of a job of its own, whether it failed.
    """
    if notify_on == CHANGE:
        return has_changed
    return notify_on in (ALWAYS, SUCCESS if succeeded else FAILURE)

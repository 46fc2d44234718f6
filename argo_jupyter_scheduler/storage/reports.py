"""Records the reports about a job definition: each is made once, by the first server or run that comes to it.

A mark is an empty file in the private folder of the definition, named after the kind of the report and a moment. Only the latest
moment matters: a mark stands for all earlier ones too, so old ones are deleted.
"""

from __future__ import annotations

from argo_jupyter_scheduler.storage.folders import RunFolder

LATE = "late"
"""A scheduled run did not begin in time; for a notification target, with its name after a hyphen.

The moment is the one for which it was scheduled, in seconds since 1970."""

FAILING = "failing"
"""Several runs in a row have failed. The moment is the end of the last success, in milliseconds since 1970; 0 for none."""


def claim_report(definition: RunFolder, kind: str, moment: int) -> bool:
    """Leave a mark that a report is made; return whether it is this caller's to make.

    Nobody makes a report where the definition's folder is gone, or where one for a later moment was made.
    """
    if not definition.private.is_dir() or was_reported(definition, kind, moment):
        return False
    if not definition.claim(f"{kind}-{moment}"):
        return False
    for marked in _list_moments(definition, kind):
        if marked < moment:
            (definition.private / f"{kind}-{marked}").unlink(missing_ok=True)
    return True


def was_reported(definition: RunFolder, kind: str, moment: int) -> bool:
    """Return whether a report for this moment, or for a later one, was made."""
    return any(marked >= moment for marked in _list_moments(definition, kind))


def _list_moments(definition: RunFolder, kind: str) -> list[int]:
    names = (path.name.rpartition("-") for path in definition.private.glob(f"{kind}-*"))
    return [int(moment) for marked, _, moment in names if marked == kind and moment.isdecimal()]

"""Records the scheduled runs that a user deleted, since a deleted row leaves no trace of its run.

A mark is an empty file in the private folder of the run's definition. Only the latest moment matters: of several missed runs,
the last is made up for, and a run that was deleted is not reported as missing.
"""

from __future__ import annotations

from argo_jupyter_scheduler.storage.folders import RunFolder

_MARK = "deleted-"


def mark_deleted_run(definition: RunFolder, moment: int) -> None:
    """Mark that the run of a moment is deleted. Call it before the row is deleted, so that one of the two always tells.

    Parameters
    ----------
    definition
        The definition's folder. Without it nobody starts runs.
    moment
        Seconds since 1970.
    """
    definition.claim(f"{_MARK}{moment}")
    for mark in definition.private.glob(f"{_MARK}*"):
        if int(mark.name.removeprefix(_MARK)) < moment:
            mark.unlink(missing_ok=True)


def was_run_deleted(definition: RunFolder, moment: int) -> bool:
    """Return whether the run of a moment (seconds since 1970) existed and was deleted."""
    return (definition.private / f"{_MARK}{moment}").exists()


def find_deleted_run(definition: RunFolder) -> int:
    """Return the latest moment (seconds since 1970) whose run was deleted; 0 for none."""
    marks = (mark.name.removeprefix(_MARK) for mark in definition.private.glob(f"{_MARK}*"))
    return max((int(moment) for moment in marks if moment.isdecimal()), default=0)

"""Which scheduled runs of this machine were deleted by their user: a row that is gone no longer says that its run was.

A mark is an empty file in the private folder of the run's definition. Only of the last moment it matters: of several runs that
were missed, the last is made up for.
"""

from __future__ import annotations

from argo_jupyter_scheduler.storage.staging import RunFolder

_MARK = "deleted-"


def remember(definition: RunFolder, moment: int) -> None:
    """Mark that the run of a moment (seconds since 1970) is deleted; before its row is, so that one of the two always tells.

    Parameters
    ----------
    definition
        The definition's folder; if it is gone, nobody starts runs either.
    """
    definition.claim(f"{_MARK}{moment}")
    for mark in definition.private.glob(f"{_MARK}*"):
        if int(mark.name.removeprefix(_MARK)) < moment:
            mark.unlink(missing_ok=True)


def was_deleted(definition: RunFolder, moment: int) -> bool:
    """Return whether the run of a moment (seconds since 1970) was there and is deleted."""
    return (definition.private / f"{_MARK}{moment}").exists()

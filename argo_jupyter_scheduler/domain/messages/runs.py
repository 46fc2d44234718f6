"""How a run ended, and why."""

from __future__ import annotations

from argo_jupyter_scheduler.domain.text import MESSAGE_LENGTH, format_limit, shorten

PAUSED = "The job definition was paused before this run began."
REPLACED = (
    "The next run of this schedule began while this one was still in progress, and replaced it. If runs take longer than "
    "the interval, none completes: give the job definition the tag concurrency:forbid or concurrency:allow, or a longer "
    "interval."
)
"""Late runs and metrics recognise such runs by this text, so a change of it must still recognise rows of earlier versions."""
STILL_WAITING = " It was still waiting: "
"""Joins why a run that had not begun was ended, and why it had not begun."""
WAITED = f"{REPLACED}{STILL_WAITING}"
DEFINITION_DELETED = "The job definition was deleted while this run was in progress."
STOPPED_IN_ARGO = "The run was stopped in Argo before it finished."
NO_REASON = "The run ended without giving a reason."
OTHER_BACKEND = "Another scheduler backend started this job, and this server does not use that backend. Create the job again."
WORKFLOW_GONE = "The run's workflow was deleted from Argo before the notebook finished. Run the job again."
PROCESS_GONE = "The run's process ended before the notebook finished: it was killed, or this machine restarted. Run the job again."
POD_LOST = "The pod that executed the notebook was lost before the notebook finished."
FOLDER_GONE = (
    "The run's folder in the staging area was deleted before the notebook finished. Run the job again."
)
TERMINATED = "The run was terminated before it finished (SIGTERM): its machine shut down, or its pod was evicted or deleted."
STOPPED_WHILE_RUNNING = "The job was stopped or deleted while it was running."


def input_gone(name: str) -> str:
    """Return the message for a definition whose staged input is missing."""
    return (
        f"The input '{name}' of the job definition is missing from the staging area. Edit the job definition and update its "
        "input file snapshot."
    )


def compute_type_gone(name: str, available: str) -> str:
    """Return the message for a run whose compute type is missing from the configuration."""
    return f"Compute type '{name}' is missing from the configuration. Available: {available}."


def timed_out(seconds: int | None, cell: int = 0) -> str:
    """Return the message for a run whose time is over.

    Parameters
    ----------
    seconds
        How long its option ``timeout`` allows; None where the administrator's limit holds.
    cell
        The cell that was being executed, from 1; 0 for none.
    """
    option = f"{format_limit(seconds)}, the limit that its option timeout sets" if seconds else ""
    where = f" It was executing cell {cell}." if cell else ""
    return f"The run took longer than {option or 'your administrator allows'}.{where}"


def after_attempts(message: str, attempts: int) -> str:
    """Return the message for a run that failed although it was tried again; an empty one stays empty."""
    note = f" (after {attempts} attempts)"
    return shorten(message, MESSAGE_LENGTH - len(note)) + note if message and attempts > 1 else message


def runs_failed(count: int) -> str:
    """Return what a message adds to the failure of a run whose definition has failed several times in a row."""
    return f"The last {count} runs of this job definition have failed."

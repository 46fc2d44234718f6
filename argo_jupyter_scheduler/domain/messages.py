"""The sentences that a job's row, the dialog or a log can show.

Write what happened, why, and what to do, in that order.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping

from argo_jupyter_scheduler.domain.text import MESSAGE_LENGTH, format_limit, shorten

PAUSED = "The job definition was paused before this run began."
REPLACED = (
    "The next run of this schedule began while this one was still in progress, and replaced it. If runs take longer than the "
    "interval, none completes: give the job definition the tag concurrency:forbid or concurrency:allow, or a longer interval."
)
STILL_WAITING = " It was still waiting: "
"""Joins why a run that had not begun was ended, and why it had not begun."""
WAITED = f"{REPLACED}{STILL_WAITING}"
DEFINITION_DELETED = "The job definition was deleted while this run was in progress."
STOPPED_IN_ARGO = "The run was stopped in Argo before it had finished."
NO_REASON = "The run ended without giving a reason."
OTHER_BACKEND = "The job was started by another backend, which is not there any more. Create the job again."
WORKFLOW_GONE = (
    "The workflow of this run no longer exists in Argo: it was deleted before the notebook had finished."
)
POD_SHAPE_UNKNOWN = (
    "The shape of the pods is unknown, so nothing can run on Argo. Either set c.ArgoScheduler.image to an image that has "
    "argo-jupyter-scheduler, with c.ArgoScheduler.volumes and c.ArgoScheduler.volume_mounts for the home. Or give this "
    "server's pod a service account that may get pods, so that runs inherit from it (c.ArgoScheduler.inherit_pod)."
)
PROCESS_GONE = "The run's process is gone: it was killed, or this machine was restarted, before the notebook had finished."
INTERACTIVE_OUTPUT = "[Interactive output: see the HTML]"
NOT_EXECUTED = "The notebook was not executed."
FOLDER_GONE = "The run's folder in the staging area is gone."
TERMINATED = "The run was ended from outside before it had finished (SIGTERM)."
STOPPED_WHILE_RUNNING = "The job was stopped or deleted while it ran."
NO_OUTPUT_FORMAT = "No output format is chosen. Choose at least one, such as Notebook or HTML."
NO_EMAIL = "email_notifications cannot be honoured: this server sends no e-mail. Leave it out, or use the parameter SLACK_CHANNEL."
NO_RETRY_ON_TIMEOUT = (
    "retry_on_timeout cannot be honoured, since timeout_seconds limits all attempts together. Leave it out, or allow "
    "more time."
)
SLACK_NOT_CONFIGURED = (
    "A channel of Slack is configured, but no token: only jobs with a SLACK_TOKEN of their own send messages there. Set "
    "c.ArgoScheduler.slack_token, or on Argo c.ArgoScheduler.slack_token_secret."
)


def input_gone(name: str) -> str:
    """Return the message for a definition whose staged input is missing."""
    return (
        f"The job definition's input '{name}' is no longer in the staging area. "
        "Edit the job definition and update its input file snapshot."
    )


def job_not_found(job_id: str) -> str:
    """Return the message for an unknown job."""
    return f"Job {shorten(job_id, 80)} not found."


def definition_not_found(job_definition_id: str) -> str:
    """Return the message for an unknown job definition."""
    return f"Job definition {shorten(job_definition_id, 80)} not found."


def job_keeps(field: str) -> str:
    """Return the message for a change of a job's option: its run has begun with the old one."""
    return f"{field} of a job cannot be changed. Create the job again."


def compute_type_gone(name: str, available: str) -> str:
    """Return the message for a run whose compute type was removed from the configuration."""
    return f"Compute type '{name}' no longer exists. Available: {available}."


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


def unexpected_error(error: Exception) -> str:
    """Return the message for an error that no other message explains, such as one of the system."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" while {error.filename} was written" if error.filename else ""
        return f"The disk is full{where}. Delete files that you do not need, such as old jobs, then run the job again."
    return f"{type(error).__name__}: {str(error).strip()}"


def formats_failed(errors: Mapping[str, Exception]) -> str:
    """Return the message for formats that could not be made; `errors` has the reason of each."""
    reasons = dict.fromkeys(shorten(unexpected_error(error), 300) for error in errors.values())
    return (
        f"The notebook was executed, but could not be converted to {', '.join(errors)}. {' '.join(reasons)}"
    )


def after_attempts(message: str, attempts: int) -> str:
    """Return the message for a run that failed although it was tried again; an empty one stays empty."""
    note = f" (after {attempts} attempts)"
    return shorten(message, MESSAGE_LENGTH - len(note)) + note if message and attempts > 1 else message


def lies_beside(name: str) -> str:
    """Return what to add to the failure of a notebook that misses a module or a file which the run did not get."""
    return f" {name} is beside the notebook: tick *Run job with input folder*."


def kernel_replaced(named: str, used: str) -> str:
    """Return the message for a notebook that names a kernel which is not installed."""
    return f"The notebook names kernel '{named}', which is not installed: it is executed with '{used}'."


def kernel_refused(named: str, used: str) -> str:
    """Return the message for a job whose kernel would be replaced, where the configuration refuses that."""
    return (
        f"The notebook names kernel '{named}', which is not installed. Install it, pick another environment, or open the "
        f"notebook and select a kernel such as '{used}'."
    )


def no_output_template(template: str) -> str:
    """Return the message for a request that names outputs otherwise than the panel."""
    return f"output_filename_template cannot be honoured: outputs are named {template}. Leave it out."


def unusable_notebook(name: str, reason: object) -> str:
    """Return the message for an input that is damaged beyond repair."""
    return f"'{name}' cannot be executed: {reason}"


def cell_place(cell: int, execution_count: int | None) -> str:
    """Return which cell of the user's notebook failed; 0 is the one that sets the parameters."""
    if not cell:
        return "(in the cell that sets the parameters)"
    return f"(cell {cell}, In [{execution_count}])" if execution_count else f"(cell {cell})"


def kernel_silent(printed: str, place: str) -> str:
    """Return the message for a kernel that stopped without a reply; `printed` is what the cell printed last."""
    return f"{printed or 'The kernel stopped without a reply.'} {place}"


def input_requested(place: str) -> str:
    """Return the message for a cell that calls ``input()`` or ``getpass()``."""
    return f"The notebook asks for input, but nobody can answer in a scheduled run. Use a parameter instead. {place}"


def kernel_ended(how: str, cell: int, kernel: str) -> str:
    """Return the message for a dead kernel.

    Parameters
    ----------
    how
        Such as "was killed (SIGKILL)".
    cell
        The cell that it executed, from 1; 0 before the first.
    kernel
        Its name and its environment.
    """
    return f"The kernel {how} in cell {cell}." if cell else f"The kernel {how} while it started ({kernel})."


def out_of_memory(limit: str, cell: int, kernel: str) -> str:
    """Return the message for a kernel that the system killed for its memory; `limit` may be empty."""
    how = f"ran out of memory (limit {limit})" if limit else "ran out of memory"
    return kernel_ended(how, cell, kernel)


def memory_is_limited(compute_type: str, size: str) -> str:
    """Return what to add to a kernel's death where a compute type limits its memory."""
    return f" It may need more memory: compute type {compute_type} allows {size}."


def picture_placeholder(name: str) -> str:
    """Return what an output shows instead of a picture."""
    return f"[Picture not shown: {name}]"


def picture_missing(where: str, name: str, is_attachment: bool, is_missing: bool) -> str:
    """Return the log's warning for a picture that an output cannot show.

    Parameters
    ----------
    where
        Such as "Cell 3".
    name
        The picture's name.
    is_attachment
        Whether it should be an attachment of that cell, instead of a file.
    is_missing
        Whether it is missing or damaged; else the format cannot show pictures of its type.
    """
    if not is_missing:
        return f"{where}: the picture '{name}' is of a type that this format cannot show."
    if is_attachment:
        return f"{where}: the attachment '{name}' is missing or damaged. Attach the picture again."
    return (
        f"{where}: the picture '{name}' was not found beside the notebook, or is too large. "
        "If it is in the notebook's folder, tick Run job with input folder."
    )


def pictures_left_out(output_format: str) -> str:
    """Return the log's warning for a format that could be made only without the notebook's pictures."""
    return f"Format {output_format} has no pictures of Markdown cells: one of them is damaged."


def chart_left_out(types: str, error: Exception) -> str:
    """Return the log's warning for an output that does not contain what its type promises."""
    return f"An output of type {types} is damaged and not in the HTML: {type(error).__name__}: {error}"

"""Executing a notebook, its kernel, and the conversion to other formats."""

from __future__ import annotations

from collections.abc import Mapping

from argo_jupyter_scheduler.domain.messages.server import unexpected_error
from argo_jupyter_scheduler.domain.text import shorten


def unusable_notebook(name: str, reason: object) -> str:
    """Return the message for an input that is damaged beyond repair."""
    return f"'{name}' cannot be executed: {reason}"


def not_a_notebook(name: str, reason: object) -> str:
    """Return the message for an input that cannot be read."""
    return f"'{name}' is not a notebook that can be executed: {reason}"


def not_executable(name: str) -> str:
    """Return the message for an input that the execution manager refuses."""
    return f"'{name}' is not a notebook that can be executed."


def metadata_damaged(key: str) -> str:
    """Return the message for a notebook whose metadata has a value instead of an object."""
    return f"The notebook is damaged: its {key} is not an object."


def kernel_replaced(named: str, used: str) -> str:
    """Return the message for a notebook that names a kernel which is not installed."""
    return f"The notebook names kernel '{named}', which is not installed. It runs with '{used}' instead."


def kernel_refused(named: str, used: str) -> str:
    """Return the message for a job whose kernel would be replaced, where the configuration refuses that."""
    return (
        f"The notebook names kernel '{named}', which is not installed. Install it, pick another environment, or open the "
        f"notebook and select a kernel such as '{used}'."
    )


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
    return f"The kernel {how} in cell {cell}." if cell else f"The kernel {how} while starting ({kernel})."


def out_of_memory(limit: str, cell: int, kernel: str) -> str:
    """Return the message for a kernel that the system killed for its memory; `limit` may be empty."""
    how = f"ran out of memory (limit {limit})" if limit else "ran out of memory"
    return kernel_ended(how, cell, kernel)


def memory_is_limited(compute_type: str, size: str) -> str:
    """Return what to add to a kernel's death where a compute type limits its memory."""
    return f" It may need more memory: compute type {compute_type} allows {size}."


def lies_beside(name: str) -> str:
    """Return what to add to the failure of a notebook that misses a module or a file which the run did not get."""
    return f" {name} is in the notebook's folder: tick *Run job with input folder*."


def leads_out(path: str) -> str:
    """Return what to add to the failure of a notebook that misses a file above the run's folder."""
    return f" '{shorten(path, 100)}' leads out of the run's folder: use its full path."


def papermill_failed(code: int, line: str) -> str:
    """Return the message for papermill's own failure in the chosen environment."""
    return f"papermill failed in the environment (exit code {code}): {line}"


def formats_failed(errors: Mapping[str, Exception]) -> str:
    """Return the message for formats that could not be made; `errors` has the reason of each."""
    reasons = dict.fromkeys(shorten(unexpected_error(error), 300) for error in errors.values())
    return (
        f"The notebook was executed, but could not be converted to {', '.join(errors)}. {' '.join(reasons)}"
    )


INTERACTIVE_OUTPUT = "[Interactive output: see the HTML]"


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
        return f"{where}: the picture '{name}' has a type that this format cannot show."
    if is_attachment:
        return f"{where}: the attachment '{name}' is missing or damaged. Attach the picture again."
    return (
        f"{where}: the picture '{name}' was not found next to the notebook, or is too large. If it is in the notebook's folder, "
        "tick Run job with input folder."
    )


def pictures_left_out(output_format: str) -> str:
    """Return the log's warning for a format that could be made only without the notebook's pictures."""
    return f"Format {output_format} was made without the pictures in Markdown cells, because one of them is damaged."


def chart_left_out(types: str, error: Exception) -> str:
    """Return the log's warning for an output that does not contain what its type promises."""
    return f"The HTML leaves out a damaged output of type {types}: {type(error).__name__}: {error}"

"""Where outputs go: the option `output`, and writing them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from argo_jupyter_scheduler.domain.messages.server import unexpected_error
from argo_jupyter_scheduler.domain.text import nearest_names, shorten

ROOT_UNKNOWN = (
    "The root folder is unknown, because an earlier version of argo-jupyter-scheduler created the job. Create the job "
    "again."
)
ROOT_NOT_MOUNTED = "the pods do not mount the root folder. Run jupyter argo-scheduler doctor."
OUTPUT_OUTSIDE_ROOT = "it is outside the root folder, or inside the staging area."
OUTPUT_EMPTY = (
    "Option output: the folder is missing. Write one within the root folder, such as output:reports/{name}."
)
OUTPUT_CONTROL_CHARACTERS = "Option output: the folder contains control characters. Remove them."
OUTPUT_CREDENTIALS = (
    "Option output: an address must not contain credentials, because anyone who can see the job could read them. Leave "
    "them out: runs get them from their environment or service account."
)


def output_length(limit: int) -> str:
    """Return the message for an option ``output`` that is too long."""
    return f"Option output: the path is too long. Use at most {limit} characters."


def output_not_relative(value: str) -> str:
    """Return the message for an option ``output`` that is not a path within the root folder."""
    return f"Option output: '{value}' is not a path within the root folder. Write one with /, such as output:reports/{{name}}."


def output_folder_hidden(name: str) -> str:
    """Return the message for an option ``output`` with a folder that leads up, or is hidden."""
    return f"Option output: the folder '{name}' begins with a dot, so it is hidden or a parent folder. Choose another name."


def output_folder_long(limit: int) -> str:
    """Return the message for an option ``output`` with a folder whose name is too long."""
    return f"Option output: the name of a folder is too long. Use at most {limit} bytes."


def output_brace(name: str) -> str:
    """Return the message for an option ``output`` with a brace that has no partner."""
    return f"Option output: '{name}' has an unmatched brace. Write placeholders as {{name}}."


def placeholder_not_found(name: str, known: Iterable[str]) -> str:
    """Return the message for an option ``output`` with a placeholder that no run can fill."""
    return f"Option output: placeholder '{{{name[:80]}}}' not found. Available: {nearest_names(name, known)}."


def placeholder_computed(name: str) -> str:
    """Return the message for an option ``output`` with a parameter whose value only the running notebook knows."""
    return (
        f"Option output: the folder cannot have placeholder '{{{name[:80]}}}', because the notebook computes that parameter. "
        "Give it a value, or use another placeholder."
    )


def store_not_found(protocol: str, known: Iterable[str]) -> str:
    """Return the message for an option ``output`` with the address of something else than an object store."""
    addresses = ", ".join(f"{name}://" for name in known)
    return f"Option output: '{protocol}://' is not an object store. Available: {addresses}."


def bucket_not_valid(bucket: str, protocol: str) -> str:
    """Return the message for an option ``output`` with a name that no bucket has."""
    return f"Option output: '{bucket}' is not the name of a bucket. Write {protocol}://bucket/folder, without placeholders in it."


def store_not_installed(protocol: str, extra: str) -> str:
    """Return the message for an object store whose package is missing."""
    return (
        f"Outputs cannot be written to {protocol}://, because a package is missing. Install it where notebooks run: pip install "
        f"'argo-jupyter-scheduler[{extra}]'. See docs/troubleshooting.md#store-not-installed."
    )


def output_not_writable(folder: str, reason: str) -> str:
    """Return the message for a folder of outputs that cannot be written."""
    return f"Outputs cannot be written to '{folder}': {reason.removesuffix('.')}. Choose another folder."


def output_occupied(path: str) -> str:
    """Return the message for an output whose name a file has that this package did not write."""
    return f"'{path}' already exists, and no run wrote it, so it was not overwritten. Move it, or choose another folder."


def outputs_not_delivered(place: str, reason: str) -> str:
    """Return the message for a run whose notebook was executed, but whose outputs are not where they should be."""
    return f"The outputs could not be written to {place}: {reason.removesuffix('.')}. You can still download them in the panel."


def outputs_unpublished(error: Exception) -> str:
    """Return the message for a run whose outputs could not be given the names under which they are downloaded."""
    return f"The outputs could not be published. {unexpected_error(error)}"


def outputs_missing(formats: Iterable[str]) -> str:
    """Return the message for a run whose notebook was executed, but whose outputs are not all there."""
    names = ", ".join(formats)
    return f"The notebook was executed, but these outputs could not be written: {names}. Perhaps the disk is full or read-only."


def no_result(job_id: str) -> str:
    """Return the message for a link to the result of a job that has none."""
    return f"Job {shorten(job_id, 80)} has no output to show. See its status in the list of jobs."


def format_not_available(name: str, missing: Sequence[str], commands: Iterable[str]) -> str:
    """Return the message for an output format whose programs or packages are missing; `commands` install them."""
    verb = "are" if len(missing) > 1 else "is"
    return (
        f"Output format '{name}' cannot be made: {' and '.join(missing)} {verb} missing. Install what is missing "
        f"({', '.join(commands)}), then restart JupyterLab."
    )

"""The notebook of a job, its linked input and its input folder."""

from __future__ import annotations

from collections.abc import Iterable

from argo_jupyter_scheduler.domain.text import nearest_names


def notebook_ambiguous(name: str, found: Iterable[str]) -> str:
    """Return the message for a job that is made from jobs of several notebooks."""
    return (
        f"There are jobs of several notebooks '{name}': {', '.join(found)}. Create this job from its "
        "notebook."
    )


def notebook_of_job_gone(job_id: str) -> str:
    """Return the message for a job that cannot run again, since its staged notebook is missing."""
    return f"The notebook of job {job_id} is no longer in the staging area."


def input_outside_root(path: str) -> str:
    """Return the message for an input outside the root folder."""
    return f"Input path '{path}' is outside the root folder of this Jupyter server."


def input_not_found(path: str) -> str:
    """Return the message for an input that does not exist."""
    return f"Input path '{path}' does not exist."


FILENAME_NOT_VALID = "input_filename contains characters that are not valid in a file name."


def not_a_plain_name(name: str) -> str:
    """Return the message for an ``input_filename`` with a folder."""
    return f"'{name[:80]}' is not a plain file name. Give input_filename without a folder."


def filename_too_long(length: int, limit: int) -> str:
    """Return the message for an ``input_filename`` that no file system takes."""
    return f"input_filename has {length} bytes; a file name can have {limit}."


def input_not_chosen(value: str, known: Iterable[str]) -> str:
    """Return the message for an option ``input`` with another value."""
    return f"Option input: '{value}' is not valid. Available: {', '.join(known)}."


def linked_input_unknown(name: str) -> str:
    """Return the message for a linked notebook of which nobody knows where it is."""
    return f"Option input: where '{name}' is in the root folder is unknown. Choose the notebook again."


def linked_input_not_found(path: str, near: Iterable[str]) -> str:
    """Return the message for a linked notebook that is missing when the job is created."""
    return (
        f"Option input: the linked notebook '{path}' does not exist. Available: {nearest_names(path, near)}."
    )


def linked_input_gone(path: str) -> str:
    """Return the message for a linked notebook that is missing when the run begins."""
    return f"The linked notebook '{path}' does not exist. Move it back, or choose another input."


def linked_input_unusable(path: str, reason: object) -> str:
    """Return the message for a linked notebook that cannot be read when the run begins."""
    return f"The linked notebook '{path}' cannot be executed: {reason}"


def linked_file_changing(path: str) -> str:
    """Return the message for a linked file that somebody keeps writing while it is copied."""
    return f"'{path}' kept changing while it was copied. Run it again when nobody writes the file."


def input_folder_has_files(name: str, limit: int, ignore_file: str) -> str:
    """Return the message for an input folder with too many files."""
    return (
        f"The input folder '{name}' has more than {limit} files. Move the notebook to a folder of its "
        f"own, or name what is not needed in a file {ignore_file}."
    )


def input_folder_is_large(name: str, megabytes: float, ignore_file: str) -> str:
    """Return the message for an input folder that is too large."""
    return (
        f"The input folder '{name}' has more than {megabytes:.0f} MB. Move the notebook to a folder "
        f"of its own, or name what is not needed in a file {ignore_file}."
    )


def copying_input_folder(files: int, all_files: int, megabytes: float, all_megabytes: float) -> str:
    """Return the message for an input folder that takes long to copy."""
    return (
        f"The input folder is being copied: {files} of {all_files} files, "
        f"{megabytes:.0f} of {all_megabytes:.0f} MB."
    )

"""The notebook of a job, its linked input and its input folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from argo_jupyter_scheduler.domain.text import nearest_names


def notebook_ambiguous(name: str, found: Iterable[str]) -> str:
    """Return the message for a job that is made from jobs of several notebooks."""
    return (
        f"Several notebooks called '{name}' have jobs: {', '.join(found)}. Create this job from its notebook."
    )


def notebook_of_job_gone(job_id: str) -> str:
    """Return the message for a job that cannot run again, since its staged notebook is missing."""
    return (
        f"The notebook of job {job_id} is missing from the staging area. Create a new job from the notebook."
    )


def input_outside_root(path: str) -> str:
    """Return the message for an input outside the root folder."""
    return f"Input path '{path}' is outside the root folder of this Jupyter server."


def input_not_found(path: str, near: Sequence[str]) -> str:
    """Return the message for an input that does not exist; `near` are the notebooks of its folder."""
    available = f" Available: {nearest_names(path, near)}." if near else ""
    return f"Input path '{path}' does not exist.{available}"


FILENAME_NOT_VALID = (
    "input_filename contains characters that are not valid in a file name. Rename the notebook."
)


def not_a_plain_name(name: str) -> str:
    """Return the message for an ``input_filename`` with a folder."""
    return f"'{name[:80]}' is not a plain file name. Give input_filename without a folder."


def filename_too_long(length: int, limit: int) -> str:
    """Return the message for an ``input_filename`` that no file system takes."""
    return f"input_filename has {length} bytes. Use at most {limit}."


def input_not_chosen(value: str, known: Iterable[str]) -> str:
    """Return the message for an option ``input`` with another value."""
    return f"Option input: '{value}' is not valid. Available: {', '.join(known)}."


def linked_input_unknown(name: str) -> str:
    """Return the message for a linked notebook whose path is unknown."""
    return f"Option input: the path of '{name}' in the root folder is unknown. Choose the notebook again."


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
    return f"The linked notebook '{path}' cannot be executed: {str(reason).removesuffix('.')}."


def linked_file_changing(path: str) -> str:
    """Return the message for a linked file that somebody keeps writing while it is copied."""
    return f"'{path}' kept changing while it was copied. Run the job again when nothing writes to the file."


def input_folder_has_files(name: str, limit: int, ignore_file: str) -> str:
    """Return the message for an input folder with too many files."""
    return (
        f"The input folder '{name}' has more than {limit} files. Move the notebook to a folder of its own, or list unneeded "
        f"files in {ignore_file}."
    )


def input_folder_is_large(name: str, megabytes: float, ignore_file: str) -> str:
    """Return the message for an input folder that is too large."""
    return (
        f"The input folder '{name}' has more than {megabytes:.0f} MB. Move the notebook to a folder of its own, or list "
        f"unneeded files in {ignore_file}."
    )


def copying_input_folder(files: int, all_files: int, megabytes: float, all_megabytes: float) -> str:
    """Return the message for an input folder that takes long to copy."""
    return (
        f"Copying the input folder: {files} of {all_files} files, {megabytes:.0f} of {all_megabytes:.0f} MB."
    )

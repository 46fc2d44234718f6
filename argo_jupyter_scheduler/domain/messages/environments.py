"""Environments, and the kernels in them."""

from __future__ import annotations

from collections.abc import Iterable

from argo_jupyter_scheduler.domain.text import nearest_names


def environment_not_found(name: str, offered: Iterable[str], troubles: str) -> str:
    """Return the message for an environment that is not offered; `troubles` may be empty."""
    return f"Environment '{name[:80]}' not found. Available: {nearest_names(name, offered)}.{troubles}"


def environment_ambiguous(name: str, prefixes: Iterable[str]) -> str:
    """Return the message for a name that several environments have."""
    return f"Environment '{name}' is ambiguous: it could be {' or '.join(prefixes)}."


def environment_folder_gone(name: str, prefix: str) -> str:
    """Return the message for an environment whose folder is gone."""
    return f"Environment '{name}' is missing: its folder {prefix} does not exist."


def no_environment(manager: str) -> str:
    """Return the message for an environment manager that offers nothing."""
    return f"{manager} does not offer any environment."


def kernel_of_other_language(language: str, kernel: str, runs: str) -> str:
    """Return the message for a kernel that does not run the notebook's language."""
    return (
        f"The notebook is written in {language}, but kernel '{kernel}' runs {runs}. Pick an environment that has a kernel for "
        f"{language}."
    )


def kernel_program_gone(kernel: str, program: str) -> str:
    """Return the message for a kernel whose program is gone."""
    return f"Kernel '{kernel}' cannot start: {program} does not exist."


def environment_not_found_by_run(name: str, paths: Iterable[str], others: Iterable[str]) -> str:
    """Return the message for an environment that a run does not find; `paths` are the folders that it searched."""
    searched = f"Searched: {' and '.join(paths)}." if paths else "No folder can have this name."
    return (
        f"Environment '{name}' not found. {searched} It may have been removed or renamed, or it is not mounted where the notebook "
        f"runs. Available: {nearest_names(name, others)}."
    )


def environment_without_kernel(
    name: str, prefix: str, wanted: str, kernels: Iterable[str], advice: str
) -> str:
    """Return the message for an environment without a fitting kernel.

    Parameters
    ----------
    wanted
        The notebook's language or kernel; empty if it names neither.
    kernels
        The kernels that the environment has.
    advice
        One of the next two messages, or empty.
    """
    only = ", ".join(kernels)
    return (
        f"Environment '{name}' ({prefix}) has no kernel for {wanted or 'a notebook'}{only and f', only {only}'}"
        f"{advice and f': {advice}'}."
    )


def add_ipykernel(install: str) -> str:
    """Return how an environment gets a kernel for Python."""
    return f"ipykernel is missing. Add it with `{install} ipykernel`, or where the environment is defined"


def python_gone(path: str) -> str:
    """Return what is wrong with an environment whose Python is gone."""
    return f"{path} does not exist, or is a broken link. Create the environment again"


def source_failed(source: str, reason: str) -> str:
    """Return the log's warning for a source of environments that fails; `reason` says why."""
    return f"Environments of {source}: {reason}."

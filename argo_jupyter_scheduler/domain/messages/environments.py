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

"""The addresses of named targets.

An address may contain a password. The server's configuration or a Kubernetes Secret has it, and a run's process gets it as an
environment variable. Nothing else has it: no row, manifest, log or command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

PREFIX = "NOTIFICATION_TARGET_"
"""Environment variables of a run that begin so have the addresses of targets. No notebook gets them."""


def name_variable(target: str) -> str:
    """Return the name of the environment variable that has a target's address."""
    return f"{PREFIX}{target}"


def make_environment(addresses: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that give a process the addresses of targets, by their names."""
    return {name_variable(target): address for target, address in addresses.items()}


def read_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the addresses of targets by their names, from a process's environment variables."""
    return {
        name.removeprefix(PREFIX): value.strip()
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }


def find_variables(names: Iterable[str]) -> list[str]:
    """Return those names of environment variables that have addresses."""
    return [name for name in names if name.startswith(PREFIX)]

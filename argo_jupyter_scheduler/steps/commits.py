"""Finds the git commit of a run's input."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

GIT_SECONDS = 10
"""How long git may take for one answer: on a slow network, a large repository takes seconds."""

_OPTIONS = (
    # A pod may have another user id than the owner of the files.
    *("-c", "safe.directory=*"),
    # Programs that a repository's configuration may name.
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
)


@dataclass(frozen=True)
class Commit:
    """The commit of an input.

    Attributes
    ----------
    id
        Its hash.
    has_changes
        Whether the input differs from it.
    """

    id: str
    has_changes: bool

    def __str__(self) -> str:
        return f"{self.id} with changes" if self.has_changes else self.id


def find_commit(source: Path, copy: Path, with_folder: bool) -> Commit | None:
    """Return the commit of a notebook; None outside a repository, or without git.

    Parameters
    ----------
    source
        Where it was taken from.
    copy
        The content that is executed: the source may have changed since.
    with_folder
        Whether its folder is part of the input; changes of files there that git knows then count, too.
    """
    folder = source.resolve().parent
    commit = _ask_git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None
    name = source.resolve().name
    committed = _ask_git(folder, "rev-parse", "--verify", f"HEAD:./{name}")
    executed = _ask_git(folder, "hash-object", f"--path={folder / name}", str(copy))
    has_changes = not committed or committed != executed
    if with_folder and not has_changes:
        has_changes = _ask_git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".") != ""
    return Commit(commit, has_changes)


def _ask_git(folder: Path, *arguments: str) -> str | None:
    """Return what a git command prints; None where it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        answer = subprocess.run(
            ["git", *_OPTIONS, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode(errors="replace").strip() if answer.returncode == 0 else None

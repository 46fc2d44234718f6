"""Why a kernel died: its exit code or signal, and whether the system had no memory left."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CGROUP_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class MemoryState:
    """The memory figures of this process's control group.

    Attributes
    ----------
    kills
        How many processes were killed because memory ran out; 0 where that is unknown.
    limit
        Bytes; None if unlimited or unknown.
    """

    kills: int = 0
    limit: int | None = None


def read_memory_state(root: Path = CGROUP_ROOT, own: Path = Path("/proc/self/cgroup")) -> MemoryState:
    """Return the state of this process's control group (cgroup v2, or v1's memory controller).

    Parameters
    ----------
    root, own
        Where the system shows control groups, and to which ones this process belongs.
    """
    kills, limits = 0, []
    for folder in _find_folders(root, own):
        kills = max(kills, _read_number(folder / "memory.events", "oom_kill") or 0)
        kills = max(kills, _read_number(folder / "memory.oom_control", "oom_kill") or 0)
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _read_number(folder / name)
            if limit is not None and limit < 2**60:  # v1 says "no limit" with a huge number
                limits.append(limit)
    return MemoryState(kills, min(limits, default=None))


def has_run_out_of_memory(before: MemoryState, after: MemoryState) -> bool:
    """Return whether the system has killed a process for its memory in between."""
    return after.kills > before.kills


def describe_exit(code: int | None) -> str:
    """Return how a kernel ended, such as ``was killed (SIGKILL)``; negative codes are signals."""
    if code is None:
        return "died"
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"was killed ({signal.Signals(-code).name})"
        return f"was killed (signal {-code})"
    if code > 128:  # a shell's way to say it
        with contextlib.suppress(ValueError):
            return f"was killed ({signal.Signals(code - 128).name})"
    return f"ended with exit code {code}"


def _find_folders(root: Path, own: Path) -> Iterator[Path]:
    """Yield the folders of this process's control group and those above it: the smallest limit counts."""
    with contextlib.suppress(OSError, ValueError):  # such a system shows no control groups
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            top = root / "memory" if controllers else root
            folder = top / path.lstrip("/")
            while True:
                yield folder
                if folder == top or top not in folder.parents:
                    break
                folder = folder.parent


def _read_number(path: Path, name: str = "") -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in path.read_text().splitlines():
            words = line.split()
            if not name or words[0] == name:
                return int(words[-1])
    return None

"""What a compute type limits on this machine: a kernel's memory and its cores."""

from __future__ import annotations

import math
import os
import random
import sys
from collections.abc import Mapping
from typing import Any

from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.domain.text import nearest_names
from argo_jupyter_scheduler.steps.context import log


def of(compute_type: str | None, settings: Mapping[str, Any]) -> dict[str, int]:
    """Return the limits of a run, ``memory`` in bytes and ``cores``, and log them; empty on Argo, where Kubernetes limits it.

    Parameters
    ----------
    compute_type
        The row's.
    settings
        The content of ``run.json``.

    Raises
    ------
    RunError
        There is no such compute type any more.
    """
    known = settings.get("compute_types")
    if not compute_type or known is None:
        return {}
    if compute_type not in known:
        raise RunError(
            f"There is no compute type '{compute_type}' any more. Possible: {nearest_names(compute_type, known)}."
        )
    limits: dict[str, Any] = known[compute_type]
    without_effect = [*limits["without_effect"]]
    if sys.platform != "linux":  # whose calls `limit` needs
        without_effect += [name for name in ("memory", "cores") if name in limits]
        limits = {}
    if without_effect:
        log.warning(
            "Of compute type %s, %s has no effect on this machine.", compute_type, ", ".join(without_effect)
        )
    found, words = {}, []
    if "memory" in limits:
        found["memory"] = limits["memory"]
        words.append(f"{size(limits['memory'])} of memory")
    if "cores" in limits:  # whole ones, of those that there are
        asked = limits["cores"]
        found["cores"] = min(max(1, math.ceil(asked)), len(os.sched_getaffinity(0)))
        cores = "1 core" if found["cores"] == 1 else f"{found['cores']} cores"
        words.append(cores + (f", not {asked:g}" if found["cores"] != asked else ""))
    if words:
        log.info("Compute type %s: the kernel has %s.", compute_type, " and ".join(words))
    return found


def size(amount: int) -> str:
    """Return an amount of memory for people; its units are powers of 1024, as compute types have them."""
    power = next((power for power in (3, 2, 1) if amount >= 1024**power), 0)
    return f"{amount / 1024**power:.4g} {('B', 'KB', 'MB', 'GB')[power]}"


def limit(pid: int, limits: Mapping[str, int]) -> None:
    """Limit a process that has just begun, and so all that it starts.

    Memory is what each process has for itself alone (``RLIMIT_DATA``): address space that is only reserved, or files that are
    mapped, do not count. Cores are some of those that there are.
    """
    try:
        if "memory" in limits:
            import resource

            most = limits["memory"]
            _, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.prlimit(pid, resource.RLIMIT_DATA, (most, most))
        if "cores" in limits:
            cores = sorted(os.sched_getaffinity(pid))
            os.sched_setaffinity(pid, random.sample(cores, min(limits["cores"], len(cores))))
    except ProcessLookupError:
        pass
    except OSError as error:  # a container may not allow it
        log.warning(
            "The compute type has no effect on this machine: the kernel could not be limited (%s).", error
        )

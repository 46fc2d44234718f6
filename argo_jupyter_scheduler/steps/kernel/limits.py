"""The limits of a compute type on this machine: a kernel's memory and its cores."""

from __future__ import annotations

import math
import os
import random
import sys
from dataclasses import dataclass

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.domain.run_settings import LOCAL, ComputeLimits, RunSettings
from argo_jupyter_scheduler.domain.text import nearest_names
from argo_jupyter_scheduler.steps.context import log


@dataclass(frozen=True)
class KernelLimits:
    """The limits of a kernel.

    Attributes
    ----------
    memory
        Bytes that each of its processes may have for itself; None for no limit.
    cores
        A number of whole cores; None for all.
    """

    memory: int | None = None
    cores: int | None = None


def find_limits(compute_type: str | None, settings: RunSettings) -> KernelLimits:
    """Return the limits of a run, and log them. On Argo there are none here: Kubernetes limits the pod.

    Parameters
    ----------
    compute_type
        The row's.
    settings
        The run's.

    Raises
    ------
    RunError
        The compute type no longer exists.
    """
    if not compute_type or settings.engine != LOCAL:
        return KernelLimits()
    if compute_type not in settings.compute_types:
        raise RunError(
            messages.runs.compute_type_gone(compute_type, nearest_names(compute_type, settings.compute_types))
        )
    asked = settings.compute_types[compute_type]
    without_effect = list(asked.without_effect)
    if sys.platform != "linux":  # whose system calls `limit_process` needs
        without_effect += [name for name in ("memory", "cores") if getattr(asked, name) is not None]
        asked = ComputeLimits()
    if without_effect:
        log.warning(
            "Of compute type %s, %s has no effect on this machine.", compute_type, ", ".join(without_effect)
        )
    cores = None
    if asked.cores is not None:
        cores = min(max(1, math.ceil(asked.cores)), len(os.sched_getaffinity(0)))
    limits = KernelLimits(asked.memory, cores)
    if described := _describe(limits, asked):
        log.info("Compute type %s: the kernel has %s.", compute_type, described)
    return limits


def _describe(limits: KernelLimits, asked: ComputeLimits) -> str:
    words = []
    if limits.memory is not None:
        words.append(f"{format_size(limits.memory)} of memory")
    if limits.cores is not None:
        cores = "1 core" if limits.cores == 1 else f"{limits.cores} cores"
        words.append(cores + (f", not {asked.cores:g}" if limits.cores != asked.cores else ""))
    return " and ".join(words)


def format_size(amount: int) -> str:
    """Return an amount of memory for people; its units are powers of 1024, as compute types have them."""
    power = next((power for power in (3, 2, 1) if amount >= 1024**power), 0)
    return f"{amount / 1024**power:.4g} {('B', 'KB', 'MB', 'GB')[power]}"


def limit_process(pid: int, limits: KernelLimits) -> None:
    """Limit a process that has just begun, and so everything that it starts.

    Memory is what each process has for itself alone (``RLIMIT_DATA``): address space that is only reserved, and mapped files, do
    not count. Cores are some of those that this process may use.
    """
    try:
        if limits.memory is not None:
            import resource

            _, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
            memory = limits.memory if hard == resource.RLIM_INFINITY else min(limits.memory, hard)
            resource.prlimit(pid, resource.RLIMIT_DATA, (memory, memory))
        if limits.cores is not None:
            cores = sorted(os.sched_getaffinity(pid))
            os.sched_setaffinity(pid, random.sample(cores, min(limits.cores, len(cores))))
    except ProcessLookupError:
        pass
    except OSError as error:  # a container may not allow it
        log.warning(
            "The compute type has no effect on this machine: the kernel could not be limited (%s).", error
        )

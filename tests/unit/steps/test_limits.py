"""What a compute type limits on this machine."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.domain.run_settings import ComputeLimits, RunSettings
from argo_jupyter_scheduler.steps.kernel.limits import KernelLimits, find_limits, format_size, limit_process

SETTINGS = RunSettings(
    compute_types={
        "half": ComputeLimits(512 * 1024**2, 0.5, without_effect=("node_selector",)),
        "any": ComputeLimits(),
    }
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they have no effect")


@linux
def test_a_fraction_of_a_core_is_a_whole_one(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert find_limits("half", SETTINGS) == KernelLimits(512 * 1024**2, 1)
    assert caplog.messages == [
        "Of compute type half, node_selector has no effect on this machine.",
        "Compute type half: the kernel has 512 MB of memory and 1 core, not 0.5.",
    ]
    assert find_limits("any", SETTINGS) == KernelLimits()


def test_without_a_compute_type_or_on_argo_nothing_is_limited() -> None:
    assert find_limits(None, SETTINGS) == KernelLimits()
    assert find_limits("half", RunSettings(engine="argo")) == KernelLimits()


def test_a_compute_type_that_is_gone_is_named() -> None:
    with pytest.raises(
        RunError, match=r"Compute type 'halv' is missing from the configuration. Available: half\."
    ):
        find_limits("halv", SETTINGS)


@linux
def test_a_process_is_limited_with_what_it_starts() -> None:
    code = "import os, resource; input(); print(resource.getrlimit(resource.RLIMIT_DATA), os.sched_getaffinity(0))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        limit_process(process.pid, KernelLimits(1024**3, 1))
        limits, cores = process.communicate("\n")[0].split("{")
    assert limits.strip() == str((1024**3, 1024**3))
    assert "," not in cores
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] != 1024**3


@linux
def test_what_the_system_does_not_allow_costs_no_run(caplog: pytest.LogCaptureFixture) -> None:
    limit_process(os.getpid(), KernelLimits(cores=0))  # which no process can have
    assert "has no effect on this machine: the kernel could not be limited (" in caplog.text
    limit_process(2**22 + 1, KernelLimits(memory=1))  # it is gone


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0 B"), (1023, "1023 B"), (1024**2, "1 MB"), (1536 * 1024**2, "1.5 GB")]
)
def test_sizes_are_for_people(amount: int, text: str) -> None:
    assert format_size(amount) == text

from __future__ import annotations

from pathlib import Path

import pytest

from argo_jupyter_scheduler.steps.kernel.death import (
    MemoryState,
    describe_exit,
    has_run_out_of_memory,
    read_memory_state,
)

NO_LIMIT_V1 = 9223372036854771712


def make_system(root: Path, own: str, files: dict[str, str]) -> tuple[Path, Path]:
    """Make what a system shows of control groups; return its root and the file that names this process's."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "own").write_text(own)
    return root, root / "own"


def test_a_pod_sees_its_own_control_group_as_the_top(tmp_path: Path) -> None:
    files = {"memory.events": "low 0\noom 3\noom_kill 2\noom_group_kill 0\n", "memory.max": "314572800\n"}
    assert read_memory_state(*make_system(tmp_path, "0::/\n", files)) == MemoryState(2, 300 * 1024**2)


def test_the_smallest_limit_above_counts(tmp_path: Path) -> None:
    files = {
        "user/job/memory.max": "max\n",
        "user/job/memory.events": "oom_kill 1\n",
        "user/memory.max": "1048576\n",
        "user/memory.events": "oom_kill 5\n",
    }
    assert read_memory_state(*make_system(tmp_path, "0::/user/job\n", files)) == MemoryState(5, 1024**2)


def test_version_1_has_a_controller_for_memory(tmp_path: Path) -> None:
    files = {
        "memory/pod/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
        "memory/pod/memory.limit_in_bytes": "314572800\n",
        "memory/memory.limit_in_bytes": f"{NO_LIMIT_V1}\n",
        "cpu/pod/memory.limit_in_bytes": "1\n",
    }
    own = "4:memory:/pod\n1:cpu:/pod\n0::/\n"
    assert read_memory_state(*make_system(tmp_path, own, files)) == MemoryState(1, 300 * 1024**2)


def test_a_system_without_control_groups_says_nothing(tmp_path: Path) -> None:
    assert read_memory_state(tmp_path, tmp_path / "none") == MemoryState()
    assert read_memory_state(*make_system(tmp_path, "nonsense\n4:memory:/gone\n", {})) == MemoryState()


def test_only_a_kill_in_between_counts() -> None:
    assert has_run_out_of_memory(MemoryState(1), MemoryState(2))
    assert not has_run_out_of_memory(MemoryState(1), MemoryState(1))


@pytest.mark.parametrize(
    ("code", "description"),
    [
        (None, "died"),
        (-9, "was killed (SIGKILL)"),
        (137, "was killed (SIGKILL)"),
        (-99, "was killed (signal 99)"),
        (3, "ended with exit code 3"),
        (255, "ended with exit code 255"),
    ],
)
def test_an_exit_is_described(code: int | None, description: str) -> None:
    assert describe_exit(code) == description

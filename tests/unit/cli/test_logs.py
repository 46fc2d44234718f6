"""A log that is read while it is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from argo_jupyter_scheduler.cli.logs import read_growing


def test_a_log_that_grows(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    steps: list[Callable[[], object]] = [
        lambda: None,  # it does not exist yet
        lambda: path.write_bytes("één\ntw".encode()),
        lambda: path.write_bytes("één\ntwö".encode()[:-1]),  # half a character
        lambda: path.write_bytes("één\ntwö\nlast".encode()),
    ]

    def is_growing() -> bool:
        steps.pop(0)()
        return bool(steps)

    assert list(read_growing(path, is_growing)) == ["één\n", "twö\nlast"]


def test_a_log_that_is_complete_or_missing(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    assert list(read_growing(path, lambda: False)) == []
    path.write_bytes(b"a\nb\xff")
    assert list(read_growing(path, lambda: False)) == ["a\nb�"]

"""The room that folders take."""

from __future__ import annotations

import os
from pathlib import Path

from argo_jupyter_scheduler.storage.disk_use import measure_folder


def test_a_folder_is_measured_with_all_within_and_each_file_once(tmp_path: Path) -> None:
    assert measure_folder(tmp_path / "gone") == 0
    (tmp_path / "a" / "b").mkdir(parents=True)
    empty = measure_folder(tmp_path)
    (tmp_path / "a" / "b" / "large").write_bytes(os.urandom(300_000))
    size = measure_folder(tmp_path)
    assert 300_000 <= size - empty < 400_000
    os.link(tmp_path / "a" / "b" / "large", tmp_path / "second name")
    (tmp_path / "out").symlink_to("/usr")
    assert measure_folder(tmp_path) - size < 100_000

from __future__ import annotations

from pathlib import Path

import pytest

from argo_jupyter_scheduler.storage.atomic import copy_whole, link_or_copy, sync, write_whole


@pytest.mark.parametrize("publish", [copy_whole, link_or_copy])
def test_a_file_replaces_the_one_before_it(publish: object, tmp_path: Path) -> None:
    assert callable(publish)
    source, destination = tmp_path / "a", tmp_path / "b"
    for text in ("first", "second", "second"):
        write_whole(source, text)
        publish(source, destination)
        assert destination.read_text() == text
    write_whole(source, "third")  # as the next attempt does
    assert destination.read_text() == "second"
    sync(destination, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_copy_has_no_link(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    copy_whole(tmp_path / "a", tmp_path / "b")
    link_or_copy(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "b").stat().st_nlink == 1
    assert (tmp_path / "c").samefile(tmp_path / "a")

from __future__ import annotations

from pathlib import Path

import pytest

from argo_jupyter_scheduler.storage.copying import copy_content


@pytest.mark.parametrize("size", [0, 1, 70_000_000])
def test_a_copy_is_whole_and_every_byte_is_counted(tmp_path: Path, size: int) -> None:
    source, destination = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"x" * size)
    destination.write_bytes(b"what was there before, longer than one byte")
    portions: list[int] = []
    copy_content(source, destination, portions.append)
    assert destination.read_bytes() == source.read_bytes()
    assert sum(portions) == size


def test_a_copy_is_a_file_of_its_own(tmp_path: Path) -> None:
    """A run may write into its inputs, so no name of a user's own file may lead to the same content."""
    source, destination = tmp_path / "a", tmp_path / "b"
    source.write_text("mine")
    copy_content(source, destination)
    destination.write_text("the run's")
    assert source.read_text() == "mine"
    with destination.open("a") as file:
        file.write(" more")
    assert source.read_text() == "mine"


def test_what_the_kernel_does_not_copy_is_read(tmp_path: Path) -> None:
    copy_content(Path("/proc/version"), tmp_path / "b")
    assert (tmp_path / "b").read_text() == Path("/proc/version").read_text()


def test_an_error_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        copy_content(tmp_path / "gone", tmp_path / "b")
    assert not (tmp_path / "b").exists()

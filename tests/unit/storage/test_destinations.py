"""Folders that outputs are put into: files appear whole, nothing of others is overwritten, nothing leads out of the root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.storage.destinations import RECORD, RootFolder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_text("new")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


def test_a_file_is_put_into_a_folder_that_is_made(root: Path, source: Path) -> None:
    folder = RootFolder(root, ["a", "b"])
    assert not (root / "a").exists()
    assert folder.create(source, "n/data.csv")
    assert Path(folder.locate("n/data.csv")).read_text() == "new"
    assert os.listdir(root / "a" / "b" / "n") == ["data.csv"]


def test_a_file_of_others_is_not_overwritten(root: Path, source: Path) -> None:
    folder = RootFolder(root, [])
    (root / "x").write_text("theirs")
    (root / "y").symlink_to("nowhere")
    (root / "z").mkdir()
    assert [folder.create(source, name) for name in "xyz"] == [False] * 3
    assert (root / "x").read_text() == "theirs"
    assert sorted(os.listdir(root)) == ["x", "y", "z"]


def test_what_an_earlier_process_put_there_counts_as_put(root: Path, source: Path) -> None:
    folder = RootFolder(root, [])
    assert folder.create(source, "x")
    assert folder.create(source, "x")


def test_a_file_is_replaced_whole(root: Path, source: Path) -> None:
    folder = RootFolder(root, [])
    (root / "x").write_text("old")
    with open(root / "x") as reader:
        folder.replace(source, "x")
        assert reader.read() == "old"  # whoever reads goes on with what there was
    assert (root / "x").read_text() == "new"


def test_what_is_in_the_way_is_named(root: Path, source: Path) -> None:
    (root / "file").write_text("theirs")
    (root / "link").symlink_to("nowhere")
    (root / "x").mkdir()
    for folders, blocked in ((["file", "a"], "file"), (["link"], "link"), ([], "x")):
        with pytest.raises(RunError, match=f"/root/{blocked}' already exists, and no run wrote it"):
            RootFolder(root, folders).replace(source, "x")
    assert sorted(os.listdir(root)) == ["file", "link", "x"]


def test_links_do_not_lead_out_of_the_root(tmp_path: Path, root: Path, source: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "link").symlink_to(outside)
    with pytest.raises(RunError, match="it is outside the root folder"):
        RootFolder(root, ["link", "a"])
    folder = RootFolder(root, ["later"])
    (root / "later").symlink_to(outside)  # put there by a notebook
    with pytest.raises(RunError, match="it is outside the root folder"):
        folder.create(source, "x")
    (root / "here").mkdir()
    (root / "within").symlink_to("here")
    assert RootFolder(root, ["within"]).create(source, "x")
    assert os.listdir(outside) == []


def test_a_link_in_latest_makes_nothing_elsewhere(tmp_path: Path, root: Path, source: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = RootFolder(root, ["latest"])
    (root / "latest").mkdir()
    (root / "latest" / "n").symlink_to(outside)
    with pytest.raises(RunError, match="it is outside the root folder"):
        folder.replace(source, "n/a/data.csv")
    (root / "latest" / f"{RECORD}.lock").symlink_to(outside / "lock")
    with pytest.raises(RunError, match="it is outside the root folder"), folder.locked():
        pass
    assert os.listdir(outside) == []


def test_the_staging_area_is_not_a_folder_of_outputs(root: Path) -> None:
    with pytest.raises(RunError, match="or inside the staging area"):
        RootFolder(root, ["staging", "a"], [root / "staging"])


@pytest.mark.parametrize("name", ["../theirs", "a/../../theirs", "/theirs"])
def test_a_name_from_a_record_leads_nowhere_else(root: Path, source: Path, name: str) -> None:
    (root / "theirs").write_text("theirs")
    folder = RootFolder(root, ["latest"])
    for call in (
        lambda: folder.delete(name),
        lambda: folder.replace(source, name),
        lambda: folder.exists(name),
    ):
        with pytest.raises(RunError, match="it is outside"):
            call()
    assert (root / "theirs").read_text() == "theirs"


def test_a_damaged_record_is_as_none(root: Path) -> None:
    folder = RootFolder(root, ["latest"])
    assert folder.read_record() == {}
    folder.write_record({"files": {"a": {"job": "1"}}})
    assert folder.read_record() == {"files": {"a": {"job": "1"}}}
    (root / "latest" / ".argo-jupyter-scheduler.json").write_text("[")
    assert folder.read_record() == {}
    os.remove(folder.locate(RECORD))
    os.mkfifo(folder.locate(RECORD))
    assert folder.read_record() == {}

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.engines.argo.manifests import literal
from argo_jupyter_scheduler.storage.atomic import write_whole
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.disk_use import measure_folder
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.input_folder import PRIVATE, CopyProgress, FolderRules, copy_folder
from argo_jupyter_scheduler.storage.markers import CHANGE, DEFINITIONS, JOBS, ChangeMarkers


@given(st.text())
def test_nothing_is_left_that_argo_expands(text: str) -> None:
    from urllib.parse import unquote

    assert "{{" not in literal(text)
    assert unquote(literal(text)) == text.encode("utf-8", "replace").decode() or max(text) >= "\ud800"


def test_a_folder_is_copied_without_what_cannot_be(tmp_path: Path) -> None:
    home = tmp_path / "home"
    staging = home / "staging"
    (home / "data").mkdir(parents=True)
    staging.mkdir()
    (home / "n.ipynb").write_text("{}")
    (home / "data" / "a.txt").write_text("a")
    (staging / "other.txt").write_text("another run's")
    (home / PRIVATE).mkdir()
    (home / PRIVATE / "run.json").write_text("{}")
    (home / "link.txt").symlink_to("data/a.txt")
    (home / "dangling").symlink_to("nowhere")
    (home / "data" / "loop").symlink_to("..")
    os.mkfifo(home / "pipe")
    run = RunFolder(staging, "id")
    run.create()
    assert copy_folder(home, run.path, FolderRules(left_out=[staging])) == [
        "data/a.txt",
        "link.txt",
        "n.ipynb",
    ]
    assert run.files() == ["data/a.txt", "link.txt", "n.ipynb"]
    run.delete()
    run.delete()
    assert not run.path.exists()


def test_a_file_that_cannot_be_written_whole_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\ud800")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["result.json"]


def test_a_password_is_on_no_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database("postgresql+psycopg://user:secret@localhost/jupyter")
    assert "secret" not in database.url
    monkeypatch.setenv("ARGO_JUPYTER_SCHEDULER_DB_PASSWORD", database.environment.popitem()[1])
    assert Database(database.url).environment == {"ARGO_JUPYTER_SCHEDULER_DB_PASSWORD": "secret"}


def test_changes_of_many_threads_do_not_meet(tmp_path: Path) -> None:
    def change(name: str) -> None:
        unsettled = ChangeMarkers(tmp_path, DEFINITIONS)
        for _ in range(100):
            with unsettled.mark_change(name):
                pass

    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(change, "ab"[n % 2]) for n in range(4)]:
            done.result()
    assert list(tmp_path.iterdir()) == []


class HastyMarkers(ChangeMarkers):
    ABANDONED_SECONDS = 0.4


class WithoutLocks(HastyMarkers):
    def is_held(self, path: Path) -> None:
        return None


@pytest.mark.parametrize("kind", [HastyMarkers, WithoutLocks])
def test_a_change_that_takes_long_is_left_only_when_its_process_is_gone(
    tmp_path: Path, kind: type[ChangeMarkers]
) -> None:
    unsettled = kind(tmp_path, JOBS)
    with unsettled.mark_change("a", "create"):
        time.sleep(0.8)
        assert unsettled.find_abandoned() == []
        assert unsettled.find_in_progress() == {"a"}
    with pytest.raises(OSError, match="disk"):
        change_and_fail(unsettled)
    assert unsettled.find_in_progress() == {"a"}
    with unsettled.mark_change("a"):
        pass
    [left] = unsettled.find_abandoned()
    assert (left.id, left.action) == ("a", "delete")
    unsettled.remove(left)
    assert unsettled.find_abandoned() == []


def change_and_fail(unsettled: ChangeMarkers) -> None:
    with unsettled.mark_change("a", "create") as mark:
        mark.become("delete")
        raise OSError("disk full")


def test_the_change_of_a_killed_process_is_found_at_once(tmp_path: Path) -> None:
    code = f"""
import os, signal
from argo_jupyter_scheduler.storage.markers import JOBS, ChangeMarkers
with ChangeMarkers({str(tmp_path)!r}, JOBS).mark_change("a", "create"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    [left] = ChangeMarkers(tmp_path, JOBS).find_abandoned()
    assert (left.id, left.action) == ("a", "create")


def test_marks_of_earlier_versions_are_judged_by_their_age(tmp_path: Path) -> None:
    unsettled = ChangeMarkers(tmp_path, DEFINITIONS)
    folder = tmp_path / ".argo-jupyter-scheduler" / "unsettled"
    folder.mkdir(parents=True)
    old = folder / "a.8f2e"
    old.touch()
    assert unsettled.find_abandoned() == []
    os.utime(old, (0, 0))
    [left] = unsettled.find_abandoned()
    assert (left.id, left.action) == ("a", CHANGE)


def test_a_name_of_all_the_length_that_there_is(tmp_path: Path) -> None:
    write_whole(tmp_path / ("n" * 255), "x")


def test_what_is_excluded_stays_out(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in (
        "n.ipynb",
        "a.tmp",
        ".git/config",
        "data/raw/x",
        "data/y",
        "deep/__pycache__/z.pyc",
        "jobs/old/o.html",
        "b.log",
    ):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("x")
    (source / ".jupyterscheduleignore").write_text("# logs\n*.log\ndata/raw/\n\n")
    rules = FolderRules(excluded=[".git", "__pycache__", "*.tmp"], left_out=[source / "jobs"])
    assert copy_folder(source, tmp_path / "copy", rules) == [".jupyterscheduleignore", "data/y", "n.ipynb"]


@pytest.mark.parametrize(
    ("rules", "words"),
    [(FolderRules(max_files=2), "more than 2 files"), (FolderRules(max_bytes=2_000_000), "2 MB")],
)
def test_a_folder_that_is_too_large_is_refused_before_it_is_copied(
    tmp_path: Path, rules: FolderRules, words: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(3):
        (source / str(number)).write_bytes(b"x" * 1_000_000)
    with pytest.raises(InvalidJob, match=words):
        copy_folder(source, tmp_path / "copy", rules)
    assert not (tmp_path / "copy").exists()
    assert len(copy_folder(source, tmp_path / "copy", FolderRules(max_files=3, max_bytes=3_000_000))) == 3


def test_only_files_that_a_run_made_or_changed_are_found(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("n.ipynb", "kept.csv", "changed.csv"):
        (source / name).write_text("x")
    run = RunFolder(tmp_path, "run")
    run.create()
    assert run.stage(source / "n.ipynb", FolderRules()) == ["changed.csv", "kept.csv"]
    (run.path / "changed.csv").write_text("xyz")
    (run.path / "new").mkdir()
    (run.path / "new" / "made.txt").write_text("x")
    (run.path / "new" / "__pycache__").mkdir()
    (run.path / "new" / "__pycache__" / "helper.pyc").write_text("x")
    assert run.find_made_files() == ["changed.csv", "new/made.txt"]


def test_links_that_lead_out_of_the_folder_are_not_published(staging_path: Path, tmp_path: Path) -> None:
    folder = RunFolder(staging_path, "a")
    folder.create()
    (tmp_path / "secret").write_text("s")
    folder.write("settings-like.json", {})
    (folder.path / "data.csv").write_text("1")
    links = {
        "inside": folder.path / "data.csv",
        "outside": tmp_path / "secret",
        "dangling": tmp_path / "none",
        "private": folder.private / "settings-like.json",
        "folder": tmp_path,
        "loop": folder.path / "loop",
    }
    for name, target in links.items():
        (folder.path / name).symlink_to(target)
    assert folder.find_made_files() == ["data.csv", "inside"]


@pytest.mark.parametrize("content", ["[]", "3", "null", "{", "[" * 100_000, "folder", "pipe", "link"])
def test_a_private_file_that_a_notebook_damaged_is_as_none(tmp_path: Path, content: str) -> None:
    folder = RunFolder(tmp_path, "id")
    folder.create()
    path = folder.private / "run.json"
    makers = {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path), "link": lambda: path.symlink_to("none")}
    makers.get(content, lambda: path.write_text(content))()
    assert folder.read("run.json") == {}
    assert folder.read_settings() == RunSettings.from_json({})


@pytest.mark.parametrize("damage", [{"slack": 3}, {"environment": 3}, {"places": "x"}, {"compute_types": []}])
def test_settings_that_a_notebook_damaged_are_the_defaults(tmp_path: Path, damage: dict[str, object]) -> None:
    folder = RunFolder(tmp_path, "id")
    folder.create()
    folder.write("run.json", {"version": 6, **damage})
    assert isinstance(folder.read_settings(), RunSettings)


def test_a_suffix_leads_to_no_other_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "id")
    folder.create()
    folder.write("suffixes.json", {"html": "/../../../secret", "script": "py", "ipynb": 3})
    assert folder.suffixes(["html", "script", "ipynb"]) == {"html": "html", "script": "py", "ipynb": "ipynb"}


@pytest.mark.parametrize("makes_link", [True, False])
def test_what_takes_the_place_of_a_runs_folder_is_deleted(tmp_path: Path, makes_link: bool) -> None:
    folder = RunFolder(tmp_path / "staging", "id")
    folder.path.parent.mkdir()
    (tmp_path / "kept").mkdir()
    if makes_link:
        folder.path.symlink_to(tmp_path / "kept")
    else:
        folder.path.write_text("x")
    assert folder.read("run.json") == {}
    assert folder.claim("slack-message")
    folder.delete()
    assert not os.path.lexists(folder.path)
    assert (tmp_path / "kept").is_dir()


def test_folders_that_a_notebook_made_read_only_are_deleted(tmp_path: Path) -> None:
    """Go's module cache is such a folder. Root, who may write everything, sees no difference."""
    folder = RunFolder(tmp_path, "id")
    folder.create()
    (folder.path / "a" / "b").mkdir(parents=True)
    (folder.path / "a" / "b" / "c").write_text("x")
    for path, mode in ((folder.path / "a" / "b", 0o500), (folder.path / "a", 0), (folder.private, 0o500)):
        path.chmod(mode)
    folder.delete()
    assert not folder.path.exists()


def test_folders_of_any_depth_are_listed_and_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path, "id")
    folder.create()
    monkeypatch.chdir(folder.path)
    for _ in range(1_200):
        os.mkdir("a")
        os.chdir("a")
    Path("x").write_text("x")
    os.chdir(tmp_path)
    assert folder.files() == ["a/" * 1_200 + "x"]
    assert measure_folder(folder.path) > 0
    folder.delete()
    assert not folder.path.exists()


def test_a_run_has_the_rights_to_its_folder_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "id")
    folder.restore_rights()  # there is none
    folder.create()
    folder.write("result.json", {"succeeded": True})
    folder.private.chmod(0)
    folder.path.chmod(0)
    folder.restore_rights()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder.path, folder.private)] == [0o700] * 2
    assert folder.read("result.json") == {"succeeded": True}


def test_a_run_writes_into_its_own_copies_only(tmp_path: Path) -> None:
    """Neither a user's file nor a definition's, of which all its later runs are made, is changed by a run."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "n.ipynb").write_text("{}")
    (tmp_path / "home" / "data.csv").write_text("mine")
    definition, run = RunFolder(tmp_path, "definition"), RunFolder(tmp_path, "run")
    for folder, notebook in (
        (definition, tmp_path / "home" / "n.ipynb"),
        (run, definition.path / "n.ipynb"),
    ):
        folder.create()
        assert folder.stage(notebook, FolderRules()) == ["data.csv"]
    for name in ("n.ipynb", "data.csv"):
        with (run.path / name).open("r+") as file:
            file.write("changed in place")
    for original in (tmp_path / "home", definition.path):
        assert (original / "n.ipynb").read_text() == "{}"
        assert (original / "data.csv").read_text() == "mine"


def test_a_staged_folder_stays_private_and_keeps_empty_folders(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "out").mkdir(parents=True)
    (source / "n.ipynb").write_text("{}")
    (source / "n.ipynb").chmod(0o640)
    source.chmod(0o755)
    run = RunFolder(tmp_path, "run")
    run.create()
    run.stage(source / "n.ipynb", FolderRules())
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((run.path / "n.ipynb").stat().st_mode) == 0o640
    assert (run.path / "out").is_dir()


def test_a_copy_says_how_far_it_is(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(3):
        (source / str(number)).write_bytes(b"x" * 1_000_000)
    said: list[str] = []
    copy_folder(source, tmp_path / "copy", FolderRules(), CopyProgress(said.append, period=0))
    assert said[-1] == messages.inputs.copying_input_folder(2, 3, 3.0, 3.0)
    assert len(said) == 3
    said.clear()
    copy_folder(source, tmp_path / "another", FolderRules(), CopyProgress(said.append, period=3600))
    assert said == []

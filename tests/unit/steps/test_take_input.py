"""A linked input: the notebook as it is in the root folder when the run begins."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest

from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.domain.run_settings import LinkedInput, RunSettings
from argo_jupyter_scheduler.steps.commits import find_commit
from argo_jupyter_scheduler.steps.context import Context
from argo_jupyter_scheduler.steps.take_input import take_linked_input
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import TAKEN
from argo_jupyter_scheduler.storage.stable_copies import copy_stable, read_stable
from tests.support.runs import Run

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def notebook(source: str) -> str:
    return str(nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])))


class Linked:
    """A run with a linked input, whose snapshot is another notebook."""

    def __init__(self, database: Database, tmp_path: Path, **fields: Any) -> None:
        self.root = tmp_path / "root"
        self.folder = self.root / "project"
        self.folder.mkdir(parents=True)
        self.source = self.folder / "source.ipynb"
        self.source.write_text(notebook("now"))
        settings = RunSettings(
            root_dir=str(self.root), origin="project/source.ipynb", linked=LinkedInput(excluded=("*.tmp",))
        )
        self.run = Run(database, tmp_path / "staging", notebook("before"), settings, **fields)
        self.context = Context(self.run.id, database, self.run.folder)

    def take(self) -> None:
        take_linked_input(self.context, self.run.row)

    @property
    def taken(self) -> str:
        return self.run.folder.path.joinpath("n.ipynb").read_text()


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_a_run_takes_the_notebook_as_it_is_now(database: Database, tmp_path: Path) -> None:
    linked = Linked(database, tmp_path)
    linked.take()
    assert '"now"' in linked.taken
    linked.source.write_text(notebook("later"))
    linked.take()  # a second attempt executes the same
    assert '"now"' in linked.taken
    assert linked.run.folder.find_made_files() == []


def test_a_run_takes_the_folder_as_it_is_now(database: Database, tmp_path: Path) -> None:
    linked = Linked(database, tmp_path, package_input_folder=True)
    (linked.run.folder.path / "gone.py").write_text("1")
    (linked.folder / "new.py").write_text("2")
    (linked.folder / "left.tmp").write_text("3")
    linked.take()
    assert linked.run.folder.files() == ["n.ipynb", "new.py", "source.ipynb"]
    assert linked.run.folder.find_made_files() == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "The linked notebook 'project/source.ipynb' does not exist"),
        (b'{"cells": [', "The linked notebook 'project/source.ipynb' cannot be executed: It is not JSON"),
        (b"\xff\xfe", "The linked notebook 'project/source.ipynb' cannot be executed: It is not UTF-8"),
    ],
)
def test_a_missing_or_broken_notebook_fails_the_run(
    database: Database, tmp_path: Path, content: bytes | None, words: str
) -> None:
    linked = Linked(database, tmp_path)
    linked.source.unlink()
    if content is not None:
        linked.source.write_bytes(content)
    with pytest.raises(RunError) as failure:
        linked.take()
    assert str(failure.value).startswith(words)
    assert '"before"' in linked.taken  # nothing was half replaced
    assert not linked.run.folder.read(TAKEN)


def test_an_edit_is_never_half_read(tmp_path: Path) -> None:
    path, texts = tmp_path / "n.ipynb", [notebook(letter * 50_000) for letter in "ab"]
    path.write_text(texts[0])
    over = threading.Event()

    def edit() -> None:
        turn = 0
        while not over.wait(0.05):
            turn += 1
            with open(path, "w") as file:  # in place, and in two pieces
                file.write(texts[turn % 2][:20_000])
                file.flush()
                over.wait(0.01)
                file.write(texts[turn % 2][20_000:])

    def is_whole(content: bytes) -> bool:
        try:
            json.loads(content)
        except ValueError:
            return False
        return True

    editor = threading.Thread(target=edit)
    editor.start()
    try:
        for _ in range(5):
            with contextlib.suppress(RunError):  # on a slow disk, each attempt may meet an edit
                assert read_stable(path, is_whole).decode() in texts
    finally:
        over.set()
        editor.join()


def test_a_file_that_keeps_changing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("")

    def grow(content: bytes) -> bool:
        with open(path, "a") as file:
            file.write("x")
        return True

    with pytest.raises(RunError, match=r"log' kept changing"):
        read_stable(path, grow, attempts=2)


def test_a_stable_copy_is_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text")
    counted: list[int] = []
    copy_stable(tmp_path / "a", tmp_path / "b", counted.append)
    assert (tmp_path / "b").read_text() == "text"
    assert counted == [4]


@needs_git
def test_the_commit_is_noted(database: Database, tmp_path: Path) -> None:
    linked = Linked(database, tmp_path, tags=("a", "commit:old"))
    git(linked.root, "init", "-q")
    git(linked.root, "add", ".")
    git(linked.root, "commit", "-qm", "one")
    commit = git(linked.root, "rev-parse", "HEAD")
    linked.take()
    assert linked.run.row.tags == ("a", f"commit:{commit}")
    assert linked.run.folder.read(TAKEN) == {
        "path": "project/source.ipynb",
        "commit": commit,
        "with_changes": False,
    }


@needs_git
def test_changes_are_noted(tmp_path: Path) -> None:
    source = tmp_path / "n.ipynb"
    source.write_text("{}")
    assert find_commit(source, source, with_folder=False) is None
    git(tmp_path, "init", "-q")
    assert find_commit(source, source, with_folder=False) is None  # no commit yet
    git(tmp_path, "add", ".")
    (tmp_path / "helper.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert str(find_commit(source, source, with_folder=True)) == commit
    (tmp_path / "helper.py").write_text("2")
    assert str(find_commit(source, source, with_folder=False)) == commit
    assert str(find_commit(source, source, with_folder=True)) == f"{commit} with changes"
    executed = tmp_path / "copy"
    executed.write_text("{ }")
    assert str(find_commit(source, executed, with_folder=False)) == f"{commit} with changes"
    new = tmp_path / "new.ipynb"
    new.write_text("{}")
    assert str(find_commit(new, new, with_folder=False)) == f"{commit} with changes"


@needs_git
def test_programs_of_a_repository_are_not_started(tmp_path: Path) -> None:
    source = tmp_path / "n.ipynb"
    source.write_text("{}")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    program.chmod(0o755)
    git(tmp_path, "config", "core.fsmonitor", str(program))
    for hook in ("post-index-change", "reference-transaction"):
        shutil.copy(program, tmp_path / ".git" / "hooks" / hook)
    assert find_commit(source, source, with_folder=True)
    assert not (tmp_path / "started").exists()


def test_without_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    source = tmp_path / "n.ipynb"
    source.write_text("{}")
    assert find_commit(source, source, with_folder=False) is None

"""What tells one database from all others."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.database_id import find_database_id


def sqlite(path: Path) -> Database:
    return Database(f"sqlite:///{path}")


def test_a_file_gets_an_id_when_it_is_asked_for_and_keeps_it(tmp_path: Path) -> None:
    one = sqlite(tmp_path / "a.sqlite")
    assert one.id == ""
    assert list(tmp_path.iterdir()) == []
    made = one.make_id()
    assert len(made) == 32
    assert one.id == one.make_id() == sqlite(tmp_path / "a.sqlite").make_id() == made
    assert sqlite(tmp_path / "b.sqlite").make_id() != made
    # The same address on another volume.
    (tmp_path / "a.sqlite.id").unlink()
    assert one.make_id() != made


@pytest.mark.parametrize("content", ["", "x", "0" * 31, "../" * 10, "é"])
def test_an_id_that_is_damaged_is_none_and_is_made_anew(tmp_path: Path, content: str) -> None:
    one = sqlite(tmp_path / "a.sqlite")
    (tmp_path / "a.sqlite.id").write_text(content, encoding="utf-8")
    assert one.id == ""
    assert one.make_id() == one.id != ""


def test_where_nothing_can_be_written_there_is_none(tmp_path: Path) -> None:
    assert sqlite(tmp_path / "gone" / "a.sqlite").make_id() == ""
    assert Database("sqlite://").make_id() == ""


def test_a_database_server_has_the_id_of_its_address_without_its_password() -> None:
    def of(address: str) -> str:
        return find_database_id(make_url(address))

    shared = of("postgresql+psycopg://me:secret@db.example:5432/jobs")
    assert shared == of("postgresql+psycopg://me:other@db.example:5432/jobs")
    others = ["me@db.example:5432/other", "me@db2.example:5432/jobs", "you@db.example:5432/jobs", "me@/jobs"]
    others += ["me@/jobs?host=/a", "me@/jobs?host=/b"]
    ids = {of(f"postgresql+psycopg://{other}") for other in others}
    assert len(ids) == len(others)
    assert shared not in ids

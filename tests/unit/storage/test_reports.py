"""Marks of reports that were made."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from argo_jupyter_scheduler.storage.deleted_runs import find_deleted_run, mark_deleted_run
from argo_jupyter_scheduler.storage.folders import RunFolder
from argo_jupyter_scheduler.storage.reports import FAILING, LATE, claim_report, was_reported


@pytest.fixture
def definition(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path, "d")
    folder.create()
    return folder


def test_one_of_many_makes_a_report(definition: RunFolder) -> None:
    together = threading.Barrier(8)

    def claim(moment: int) -> bool:
        together.wait()
        return claim_report(definition, LATE, moment)

    with ThreadPoolExecutor(8) as pool:
        for moment in range(100):
            assert sum(pool.map(claim, [moment] * 8)) == 1


def test_a_mark_stands_for_earlier_moments_too(definition: RunFolder) -> None:
    assert not was_reported(definition, LATE, 5)
    assert [claim_report(definition, LATE, moment) for moment in (5, 7, 6, 7, 8)] == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert [was_reported(definition, LATE, moment) for moment in (5, 8, 9)] == [True, True, False]
    assert [path.name for path in definition.private.iterdir()] == ["late-8"]


def test_kinds_of_reports_are_apart(definition: RunFolder) -> None:
    assert claim_report(definition, LATE, 5)
    assert claim_report(definition, FAILING, 0)
    assert not claim_report(definition, FAILING, 0)


def test_nobody_reports_what_has_no_folder(tmp_path: Path) -> None:
    assert not claim_report(RunFolder(tmp_path, "gone"), LATE, 5)
    assert not was_reported(RunFolder(tmp_path, "gone"), LATE, 5)


def test_the_last_run_that_was_deleted(definition: RunFolder, tmp_path: Path) -> None:
    assert find_deleted_run(definition) == find_deleted_run(RunFolder(tmp_path, "gone")) == 0
    for moment in (5, 9, 7):
        mark_deleted_run(definition, moment)
    assert find_deleted_run(definition) == 9


def test_kinds_that_begin_alike_are_told_apart(definition: RunFolder) -> None:
    assert claim_report(definition, "late-a-b", 7)
    assert not was_reported(definition, "late-a", 7)
    assert claim_report(definition, "late", 7)
    assert was_reported(definition, "late-a-b", 7)

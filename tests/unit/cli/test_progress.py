"""Progress in cells of the user's notebook: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from argo_jupyter_scheduler.cli.progress import Progress, ProgressBar, count_cells, progress_of
from tests.support.jobs import notebook


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("status", "reported", "cells", "text"),
    [
        ("QUEUED", {}, 7, "cell 0 of 7"),
        ("IN_PROGRESS", {"cell": 3, "cells": 7}, 7, "cell 3 of 7"),
        (
            "IN_PROGRESS",
            {"cell": 8, "cells": 8},
            7,
            "cell 7 of 7",
        ),  # an older run counted the cell of parameters
        ("COMPLETED", {"cell": 2, "cells": 7}, 7, "cell 2 of 7"),  # it has ended itself there
        ("FAILED", {"cell": 3, "cells": 7}, 7, "cell 3 of 7"),
        ("IN_PROGRESS", {"cell": 3, "cells": 7}, 0, "cell 3 of 7"),
    ],
)
def test_cells_are_those_of_the_users_notebook(
    status: str, reported: dict[str, Any], cells: int, text: str
) -> None:
    assert progress_of(status, reported, cells).text == text


def test_cells_of_a_notebook(tmp_path: Path) -> None:
    path = tmp_path / "n.ipynb"
    assert count_cells(path) == 0
    path.write_text("no notebook")
    assert count_cells(path) == 0
    path.write_text(notebook("1", "2", "3"))
    assert count_cells(path) == 3


def test_a_bar_is_drawn_at_once_and_stays_with_the_status() -> None:
    stream = Terminal()
    with ProgressBar("n.ipynb", 7, stream=stream) as bar:
        assert "n.ipynb: cell 0 of 7" in stream.getvalue()
        bar.show(Progress("IN_PROGRESS", 3, 7))
        assert "n.ipynb: cell 3 of 7" in stream.getvalue()
        bar.show(Progress("COMPLETED", 7, 7))
    last = stream.getvalue().rstrip("\n").rpartition("\r")[2]
    assert last.startswith("n.ipynb: cell 7 of 7 |")
    assert last.endswith("COMPLETED")


def test_a_bar_of_a_job_that_was_refused_goes_away() -> None:
    stream = Terminal()
    with ProgressBar("n.ipynb", 7, stream=stream):
        pass
    assert stream.getvalue().endswith("\r")
    assert stream.getvalue().split("\r")[-2].strip() == ""


def test_lines_where_there_is_no_terminal() -> None:
    moment = [100.0]
    stream = io.StringIO()
    with ProgressBar("n.ipynb", 7, stream=stream, clock=lambda: moment[0]) as bar:
        assert stream.getvalue() == ""
        for status, cell, seconds in [
            ("QUEUED", 0, 0.1),
            ("IN_PROGRESS", 1, 0.1),
            ("IN_PROGRESS", 2, 0.1),  # within a second: no line
            ("IN_PROGRESS", 3, 5.0),
            ("IN_PROGRESS", 3, 5.0),
            ("COMPLETED", 7, 0.1),
        ]:
            moment[0] += seconds
            bar.show(Progress(status, cell, 7))
    assert stream.getvalue().splitlines() == [
        "n.ipynb: QUEUED, cell 0 of 7",
        "n.ipynb: IN_PROGRESS, cell 1 of 7",
        "n.ipynb: IN_PROGRESS, cell 3 of 7",
        "n.ipynb: COMPLETED, cell 7 of 7",
    ]


def test_a_bar_that_leaves_nothing_writes_no_lines() -> None:
    stream = io.StringIO()
    with ProgressBar("n.ipynb", 1, leave=False, stream=stream) as bar:
        bar.show(Progress("COMPLETED", 1, 1))
    assert stream.getvalue() == ""

"""What lies beside a notebook and is missed by its failure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from argo_jupyter_scheduler.steps.notebook.missing_files import find_missing, find_outside
from argo_jupyter_scheduler.storage.input_folder import MAX_BESIDE, list_beside

BESIDE = ("helper.py", "package/", "data/", "rows.csv", "it's.csv", "not-utf-8-\udcff.csv")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ModuleNotFoundError", "No module named 'helper'", "helper.py"),
        ("ModuleNotFoundError", "No module named 'package.inner'", "package/"),
        ("ModuleNotFoundError", "No module named 'helper'; 'helper' is not a package", "helper.py"),
        ("ModuleNotFoundError", "No module named 'numpy'", ""),
        ("FileNotFoundError", "[Errno 2] No such file or directory: 'rows.csv'", "rows.csv"),
        ("FileNotFoundError", "[Errno 2] No such file or directory: './rows.csv'", "rows.csv"),
        ("FileNotFoundError", '[Errno 2] No such file or directory: "it\'s.csv"', "it's.csv"),
        ("FileNotFoundError", "[Errno 2] No such file or directory: 'data/2024/rows.csv'", "data/"),
        ("FileNotFoundError", "[Errno 2] No such file or directory: 'RUN/rows.csv'", "rows.csv"),
        ("FileNotFoundError", "No such file or directory (os error 2): rows.csv", "rows.csv"),
        ("FileNotFoundError", "rows.csv not found.", "rows.csv"),
        ("Exception", "File `'helper.py'` not found.", "helper.py"),
        ("Exception", "File `'helper'` not found.", "helper.py"),
        ("FileNotFoundError", "[Errno 2] No such file or directory: '/etc/rows.csv'", ""),
        ("FileNotFoundError", "[Errno 2] No such file or directory: '../rows.csv'", ""),
        ("FileNotFoundError", "[Errno 2] No such file or directory: '../data/x'", ""),
        ("FileNotFoundError", "[Errno 2] No such file or directory: ''", ""),
        ("FileNotFoundError", "", ""),
        ("FileNotFoundError", "'a\0b' 'rows.csv'", "rows.csv"),
        ("ValueError", "No module named 'helper'", ""),
    ],
)
def test_what_is_missed(tmp_path: Path, name: str, value: str, expected: str) -> None:
    value = value.replace("RUN", os.path.realpath(tmp_path))
    assert find_missing(name, value, BESIDE, tmp_path) == expected
    assert find_missing(name, value, (), tmp_path) == ""


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("FileNotFoundError", "[Errno 2] No such file or directory: '../data/rows.csv'", "../data/rows.csv"),
        ("FileNotFoundError", "No such file or directory (os error 2): ../rows.csv", "../rows.csv"),
        (
            "FileNotFoundError",
            "[Errno 2] No such file or directory: 'data/../../rows.csv'",
            "data/../../rows.csv",
        ),
        ("Exception", "File `'../other.ipynb'` not found.", "../other.ipynb"),
        ("FileNotFoundError", "[Errno 2] No such file or directory: '/etc/rows.csv'", ""),
        ("FileNotFoundError", "[Errno 2] No such file or directory: '..rows.csv'", ""),
        ("FileNotFoundError", "", ""),
        ("KeyError", "'../rows.csv'", ""),
    ],
)
def test_what_leads_out_of_the_folder(name: str, value: str, expected: str) -> None:
    assert find_outside(name, value) == expected


def test_names_beside_a_notebook(tmp_path: Path) -> None:
    for name in ("n.ipynb", "other.ipynb", "b.csv", "a.py", ".hidden"):
        (tmp_path / name).touch()
    for name in ("data", ".git"):
        (tmp_path / name).mkdir()
    assert list_beside(tmp_path / "n.ipynb") == ("a.py", "data/", "b.csv", "other.ipynb")
    assert list_beside(tmp_path / "no folder" / "n.ipynb") == ()
    for number in range(300):
        (tmp_path / f"{number}.csv").touch()
    names = list_beside(tmp_path / "n.ipynb")
    assert (len(names), names[:2]) == (MAX_BESIDE, ("a.py", "data/"))

"""What cells print, as JupyterLab shows it."""

from __future__ import annotations

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from argo_jupyter_scheduler.steps.notebook.output_log import apply_overwriting, join_streams


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\r 0%\r50%\r100%\n", "100%\n"),
        ("abc\rX", "Xbc"),
        ("abc\r\x1b[KX", "\x1b[KX"),
        ("a\r\nb\r\r\n", "a\nb\n"),
        ("abc\b\bX", "aX"),
        ("abc\b\b\b\b\bX", "X"),
        ("abc\r\bX", "Xbc"),
        ("a\n\bb", "a\nb"),
        pytest.param("a" * 300_000 + "\b" * 300_000, "", id="many backspaces"),
        ("done\r", "done"),
        ("\r", ""),
        ("no control\n", "no control\n"),
    ],
)
def test_what_overwrites(text: str, shown: str) -> None:
    assert apply_overwriting(text) == shown


def test_only_neighbours_of_one_stream_are_joined() -> None:
    printed = [("stdout", "a"), ("stdout", "b\n"), ("stderr", "c"), ("stdout", "d"), ("stdout", "\rD")]
    outputs = [new_output("stream", name=name, text=text) for name, text in printed]
    outputs.insert(2, new_output("display_data", {"text/plain": "x"}))
    notebook = new_notebook(cells=[new_code_cell(outputs=outputs), new_code_cell()])
    join_streams(notebook)
    assert [output.get("text") for output in notebook.cells[0].outputs] == ["ab\n", None, "c", "D"]

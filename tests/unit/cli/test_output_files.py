"""Files that a run made, copied beside the notebook."""

from __future__ import annotations

from pathlib import Path

from argo_jupyter_scheduler.cli.output_files import OutputFile, copy_files


def test_outputs_replace_nothing_and_written_files_replace_those_of_earlier_runs(tmp_path: Path) -> None:
    (tmp_path / "n-1.html").write_text("new")
    (tmp_path / "table.csv").write_text("new")
    files = [
        OutputFile("html", tmp_path / "n-1.html", "n-1.html"),
        OutputFile("", tmp_path / "table.csv", "data/table.csv"),
    ]
    folder = tmp_path / "out"
    assert [file.path for file in copy_files(files, folder)] == [
        folder / "n-1.html",
        folder / "data/table.csv",
    ]
    for path in folder.rglob("*.*"):
        path.write_text("old")
    copies = copy_files(files, folder)
    assert [file.path for file in copies] == [folder / "n-1-2.html", folder / "data/table.csv"]
    assert (folder / "n-1.html").read_text() == "old"
    assert (folder / "data/table.csv").read_text() == "new"
    assert copies[0].as_json() == {"format": "html", "path": str(folder / "n-1-2.html")}

"""Files that a run made, copied beside the notebook."""

from __future__ import annotations

from pathlib import Path

from argo_jupyter_scheduler.cli.output_files import OutputFile, copy_files, find_output_files
from argo_jupyter_scheduler.storage.folders import STAGED, SUFFIXES, RunFolder
from argo_jupyter_scheduler.storage.input_folder import FolderRules
from argo_jupyter_scheduler.storage.output_names import output_filename
from argo_jupyter_scheduler.storage.schema import JobRow


def test_what_a_run_made(tmp_path: Path) -> None:
    row = JobRow(
        job_id="a",
        input_filename="n.ipynb",
        create_time=1,
        output_formats=("html", "log"),
        packaged_files=("old",),
    )
    (tmp_path / "input").mkdir()
    for name in ("n.ipynb", "old"):
        (tmp_path / "input" / name).write_text(name)
    folder = RunFolder(tmp_path, "a")
    folder.create()
    folder.stage(tmp_path / "input" / "n.ipynb", FolderRules())
    (folder.path / output_filename("n.ipynb", 1, "html")).write_text("html")
    (folder.path / "new").write_text("new")
    assert [(file.output_format, file.name) for file in find_output_files(tmp_path, row)] == [
        ("html", output_filename("n.ipynb", 1, "html")),
        ("", "new"),
    ]
    (folder.private / STAGED).unlink()  # as an earlier version left it
    assert [file.name for file in find_output_files(tmp_path, row)][1:] == ["old"]


def test_outputs_are_called_as_in_the_panel(tmp_path: Path) -> None:
    row = JobRow(job_id="a", input_filename="n.ipynb", create_time=1, output_formats=("script", "slides"))
    folder = RunFolder(tmp_path, "a")
    folder.create()
    folder.write(SUFFIXES, {"script": "py"})
    names = [
        output_filename("n.ipynb", 1, suffix) for suffix in ("py", "slides")
    ]  # slides of an earlier version
    for name in names:
        (folder.path / name).write_text(name)
    assert [file.name for file in find_output_files(tmp_path, row)] == names


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

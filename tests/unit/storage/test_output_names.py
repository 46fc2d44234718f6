"""The names under which outputs are published, found and downloaded."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_scheduler.utils import create_output_filename

from argo_jupyter_scheduler.storage.folders import SUFFIXES, RunFolder
from argo_jupyter_scheduler.storage.output_names import (
    find_output,
    output_filename,
    output_suffix,
    shorten_input_name,
)

FORMATS: tuple[str, ...] = (
    "ipynb",
    "html",
    "log",
    "pdf",
    "webpdf",
    "qtpdf",
    "qtpng",
    "slides",
    "markdown",
    "script",
    "latex",
)
FORMATS += ("rst", "asciidoc", "html_toc", "md", "py")  # the last three are of other packages

NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=300
).filter(lambda name: name.strip(".") != "")


@given(st.text(min_size=1), st.integers(0, 4102444800000), st.sampled_from(["html", "ipynb", "log"]))
def test_output_names_are_those_of_the_panel(name: str, create_time: int, output_format: str) -> None:
    assert output_filename(name, create_time, output_format) == create_output_filename(
        name, create_time, output_format
    )


@pytest.mark.parametrize(
    ("output_format", "extension", "suffix"),
    [
        ("html", ".html", "html"),
        ("slides", ".slides.html", "slides.html"),
        ("markdown", ".md", "md"),
        ("latex", ".tex", "tex"),
        ("webpdf", ".pdf", "webpdf.pdf"),
        ("script", ".py", "py"),
        ("script", ".sh", "sh"),
        ("script", "r", "r"),
        ("script", ".html", "script.html"),
        ("script", "", "txt"),
        ("script", ".a/../b", "txt"),
        ("html_toc", ".html", "html_toc.html"),
    ],
)
def test_suffixes_are_those_that_programs_open(output_format: str, extension: str, suffix: str) -> None:
    assert output_suffix(output_format, extension) == suffix


@given(NAMES, st.integers(0, 4102444800000), st.lists(st.text(max_size=20), min_size=16, max_size=16))
def test_outputs_of_one_run_never_clash_and_are_found(
    name: str, create_time: int, extensions: list[str]
) -> None:
    input_name = shorten_input_name(f"{name}.ipynb")
    suffixes = {
        output_format: output_suffix(output_format, extension)
        for output_format, extension in zip(FORMATS, extensions, strict=True)
    }
    names = {
        output_format: output_filename(input_name, create_time, suffix)
        for output_format, suffix in suffixes.items()
    }
    assert len({*names.values(), input_name}) == len(FORMATS) + 1
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        for made in names.values():
            (folder / made).touch()
        for output_format, made in names.items():
            elsewhere = create_time + 3_600_000  # as the job's time is read in another time zone
            for moment in (create_time, elsewhere):
                assert find_output(folder, input_name, moment, suffixes[output_format]).name == made


def test_what_a_notebook_wrote_is_not_taken_for_its_output(tmp_path: Path) -> None:
    (tmp_path / "n-results.html").touch()
    (tmp_path / "n-2026-01-01-01-01-01-AM.slides.html").touch()
    assert not find_output(tmp_path, "n.ipynb", 1, "html").exists()


def test_outputs_of_earlier_versions_have_their_formats_as_suffixes(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "a")
    folder.create()
    assert folder.suffixes(["script", "slides"]) == {"script": "script", "slides": "slides"}
    folder.write(SUFFIXES, {"script": "py"})
    assert folder.suffixes(["script", "slides"]) == {"script": "py", "slides": "slides"}

"""Pictures of Markdown cells in outputs."""

from __future__ import annotations

import base64
from pathlib import Path

import nbformat
import pytest

from argo_jupyter_scheduler.steps.notebook.pictures import PlaceBeside, embed_pictures, place_inside

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
EMBEDDED = f"data:image/png;base64,{PIXEL}"


def markdown(source: str, **attachments: object) -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(source)])
    notebook.cells[0].attachments = {name: {"image/png": data} for name, data in attachments.items()}
    return notebook


def embedded(source: str, folder: Path, **attachments: object) -> tuple[str, list[str]]:
    notebook = markdown(source, **attachments)
    missing = embed_pictures(notebook, folder, place_inside)
    assert "attachments" not in notebook.cells[0]
    return notebook.cells[0].source, missing


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("plan.png", "![p](attachment:plan.png)"),
        ("my plan.png", "![p](attachment:my%20plan.png)"),
        ("my plan.png", "![p](attachment:my plan.png)"),
        ("my plan.png", "![p](<attachment:my plan.png>)"),
        ("my%20plan.png", "![p](attachment:my plan.png)"),
        ("sjø.png", "![p](attachment:sjø.png)"),
        ("sjø.png", "![p](attachment:sj%C3%B8.png)"),
        ("a\u0308.png", "![p](attachment:ä.png)"),  # as macOS writes it
        ("图.png", "![p](attachment:%E5%9B%BE.png)"),
        ("a (1).png", "![p](attachment:a%20(1).png)"),
        ("a (1).png", "![p](attachment:a \\(1\\).png)"),
        ("a&b.png", "![p](attachment:a&amp;b.png)"),
    ],
)
def test_an_attachment_is_found_however_its_name_is_written(
    name: str, reference: str, tmp_path: Path
) -> None:
    assert embedded(reference, tmp_path, **{name: PIXEL}) == (f"![p]({EMBEDDED})", [])


def test_all_ways_to_show_a_picture(tmp_path: Path) -> None:
    (tmp_path / "on disk.png").write_bytes(base64.b64decode(PIXEL))
    source = "\n".join(
        [
            "![p](attachment:a.png 'title')",
            "[![p](attachment:a.png)](https://example.org)",
            "![p][ref]",
            "<img width=10 src='attachment:a.png'>",
            "![p](on%20disk.png)",
            "",
            "[ref]: attachment:a.png 'title'",
        ]
    )
    text, missing = embedded(source, tmp_path, **{"a.png": [PIXEL[:20], PIXEL[20:]]})
    assert text.splitlines()[:5] == [
        f"![p]({EMBEDDED} 'title')",
        f"[![p]({EMBEDDED})](https://example.org)",
        f"![p]({EMBEDDED} 'title')",
        f"<img width=10 src='{EMBEDDED}'>",
        f"![p]({EMBEDDED})",
    ]
    assert missing == []


@pytest.mark.parametrize(
    "source",
    [
        "![w](https://example.org/a.png)",
        "![w](//example.org/a.png)",
        f"![d]({EMBEDDED})",
        "![absolute](/a.png)",
        "![]()",
        "`![c](attachment:a.png)`",
        "``` markdown\n![c](attachment:a.png)\n```",
        "[link](attachment:a.png)",
    ],
)
def test_what_stays(source: str, tmp_path: Path) -> None:
    assert embedded(source, tmp_path) == (source, [])


@pytest.mark.parametrize("data", ["%%%", "", None, 5, {}])
def test_a_damaged_attachment_has_a_placeholder(data: object, tmp_path: Path) -> None:
    text, missing = embedded("![p](attachment:my_plan.png)", tmp_path, **{"my_plan.png": data})
    assert text.replace("\\", "") == "*[Picture not shown: my_plan.png]*"
    assert missing == [
        "Cell 1: the attachment 'my_plan.png' is missing or damaged. Attach the picture again."
    ]


def test_a_file_that_is_missing_or_elsewhere_has_a_placeholder(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    text, missing = embedded("![](gone.png) ![](../secret.png) ![](link.png) <img src='gone.png'/>", folder)
    assert text.count("Picture not shown") == 4
    assert missing[0].startswith("Cell 1: the picture 'gone.png' was not found next to the notebook")


@pytest.mark.parametrize("attachments", [None, [], "x", {"a.png": None}])
def test_attachments_that_are_none(attachments: object, tmp_path: Path) -> None:
    notebook = markdown("![p](attachment:a.png)")
    notebook.cells[0].attachments = attachments
    assert len(embed_pictures(notebook, tmp_path, place_inside)) == 1


def test_pictures_that_cells_display(tmp_path: Path) -> None:
    (tmp_path / "made.png").write_bytes(base64.b64decode(PIXEL))
    data = {
        "text/markdown": "![](made.png) ![](attachment:a.png)",
        "text/html": "<img src='made.png'><img src='b.png'>",
    }
    output = nbformat.v4.new_output("display_data", data)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])])
    assert len(embed_pictures(notebook, tmp_path, place_inside)) == 1
    data = notebook.cells[0].outputs[0].data
    assert data["text/html"] == f"<img src='{EMBEDDED}'><img src='b.png'>"
    assert data["text/markdown"].startswith(f"![]({EMBEDDED}) *")


def test_latex_gets_files_of_different_names_and_nothing_that_it_cannot_show(tmp_path: Path) -> None:
    notebook = markdown("![p](attachment:image.png)", **{"image.png": PIXEL})
    other = markdown(
        f"![p](attachment:image.png) ![w](https://example.org/a.png) ![d]({EMBEDDED})", **{"image.png": PIXEL}
    )
    drawing = markdown("![v](attachment:v.svg)")
    drawing.cells[0].attachments = {"v.svg": {"image/svg+xml": "<svg/>"}}
    notebook.cells += [*other.cells, *drawing.cells]
    beside = PlaceBeside()
    missing = embed_pictures(notebook, tmp_path, beside)
    sources = [cell.source for cell in notebook.cells]
    assert sources[:2] == ["![p](picture-1.png)", "![p](picture-2.png) w ![d](picture-3.png)"]
    assert set(beside.files) == {"picture-1.png", "picture-2.png", "picture-3.png"}
    assert missing == ["Cell 3: the picture 'v.svg' has a type that this format cannot show."]

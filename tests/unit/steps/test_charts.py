"""Outputs that only JupyterLab shows, in HTML. `tests/e2e/test_charts.py` lets a browser draw them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from argo_jupyter_scheduler.steps.notebook.charts import note_charts, render_charts
from argo_jupyter_scheduler.steps.notebook.libraries import PLOTLY_URLS, VEGA_URLS, Libraries, escape_script
from argo_jupyter_scheduler.steps.notebook.widgets import describe_widget

PLOTLY = {"application/vnd.plotly.v1+json": {"data": [{"y": [1, float("nan")], "text": "</script>"}]}}
VEGA = {"application/vnd.vegalite.v5+json": {"mark": "bar"}}
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class NoPackages(Libraries):
    """An environment without any of the packages."""

    def _find_packages(self, name: str) -> list[Path]:
        return []

    vega_bundle = ""


def displayed(*data: dict[str, Any], widgets: dict[str, Any] | None = None) -> nbformat.NotebookNode:
    outputs = [
        nbformat.from_dict({"output_type": "display_data", "data": one, "metadata": {}}) for one in data
    ]
    metadata = {"widgets": {WIDGET_STATE: {"state": widgets}}} if widgets else {}
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("", outputs=outputs)], metadata=nbformat.from_dict(metadata)
    )


def shown(*data: dict[str, Any], libraries: Libraries | None = None, **fields: Any) -> list[dict[str, str]]:
    notebook = displayed(*data, **fields)
    render_charts(notebook, libraries or NoPackages(""))
    return [dict(output.data) for output in notebook.cells[0].outputs]


def test_a_chart_becomes_html_with_one_library_for_all() -> None:
    first, second = shown(PLOTLY, PLOTLY)
    assert list(first) == ["text/html"]
    assert PLOTLY_URLS[0] in first["text/html"]
    assert PLOTLY_URLS[0] not in second["text/html"]
    assert "\\u003c/script>" in second["text/html"]
    assert "NaN" in second["text/html"]


def test_vega_of_every_version_is_drawn() -> None:
    vega: dict[str, Any] = {"application/vnd.vega.v5+json": {"marks": []}}
    altair_6 = {"application/vnd.vegalite.v6.json": '{"mark": "bar"}'}  # text, since nbformat wants it
    texts = [one["text/html"] for one in shown(VEGA, vega, altair_6)]
    assert all(url in texts[0] for url in VEGA_URLS)
    assert [re.findall(r'"mode": "([a-z-]+)"', text) for text in texts] == [
        ["vega-lite"],
        ["vega"],
        ["vega-lite"],
    ]


def test_the_kernels_library_is_preferred_and_embedded(tmp_path: Path) -> None:
    package = tmp_path / "plotly"
    (package / "package_data").mkdir(parents=True)
    (package / "package_data" / "plotly.min.js").write_text("kernels('</script>')")
    python = tmp_path / "python3"
    python.write_text(f"#!/bin/sh\necho '{package}'\n")
    python.chmod(0o755)
    [chart] = shown(PLOTLY, libraries=Libraries(str(python)))
    assert "kernels('\\x3C/script>')" in chart["text/html"]
    assert "https://" not in chart["text/html"]


@pytest.mark.parametrize("program", ["", "python", "/nowhere/python3", "/usr/bin/R"])
def test_without_the_kernels_library_that_of_this_environment_is_embedded(program: str) -> None:
    [chart] = shown(PLOTLY, libraries=Libraries(program))
    assert "plotly.js v" in chart["text/html"]


def test_files_that_jupyterlab_shows() -> None:
    gif, document, data, known = shown(
        {"image/gif": "R0lG", "text/plain": "<Image>"},
        {"application/pdf": "JVBE"},
        {"application/json": {"a": "<b>"}, "text/plain": "<JSON>"},
        {"application/json": {}, "text/html": "<b>known</b>"},
    )
    assert gif["text/html"] == '<img src="data:image/gif;base64,R0lG">'
    assert "data:application/pdf;base64,JVBE" in document["text/html"]
    assert "&lt;b&gt;" in data["text/html"]
    assert known["text/html"] == "<b>known</b>"


@pytest.mark.parametrize(
    "data",
    [
        {"application/vnd.plotly.v1+json": None},
        {"application/vnd.plotly.v1+json": {"config": 5}},
        {"application/vnd.vegalite.v5+json": "no JSON", "text/plain": "x"},
        {"application/vnd.bokehjs_load.v0+json": "x", "application/javascript": 'const js_urls = ["x"];'},
        {WIDGET_VIEW: {"model_id": "unknown"}},
        {WIDGET_VIEW: None},
        {"text/plain": "x"},
    ],
)
def test_what_cannot_be_drawn_stays_as_it_is(data: dict[str, Any]) -> None:
    assert shown(data, widgets={"a": {}}) == [data]


def test_a_widget_is_for_the_manager_and_for_a_reader_without_a_network() -> None:
    widgets = {"a": {"model_name": "IntSliderModel", "state": {"value": 3, "description": "<days>"}}}
    [widget] = shown({WIDGET_VIEW: {"model_id": "a"}, "text/plain": "IntSlider"}, widgets=widgets)
    assert f'<script type="{WIDGET_VIEW}">{{"model_id": "a"}}</script>' in widget["text/html"]
    assert '<div class="widget-snapshot">&lt;days&gt; 3</div>' in widget["text/html"]
    [widget] = shown({WIDGET_VIEW: {"model_id": "a"}, "text/plain": "Odd()"}, widgets={"a": {"state": {}}})
    assert "<pre>Odd()</pre>" in widget["text/html"]


def test_widgets_are_described_with_their_children_and_outputs() -> None:
    widgets: dict[str, Any] = {
        "box": {
            "state": {
                "children": ["IPY_MODEL_html", "IPY_MODEL_bar", "IPY_MODEL_out", "IPY_MODEL_box", "gone"]
            }
        },
        "html": {"model_name": "HTMLModel", "state": {"value": "<b>3/3</b>"}},
        "bar": {"model_name": "FloatProgressModel", "state": {"value": 3.0, "max": 3.0}},
        "out": {"state": {"outputs": [{"output_type": "stream", "text": "\x1b[31m<red>\x1b[0m"}]}},
    }
    described = describe_widget(widgets, "box")
    assert described.startswith(
        '<b>3/3</b> <progress value="3.0" max="3.0"></progress> <pre>&lt;red&gt;</pre>'
    )


def test_formats_that_are_no_html_say_what_they_leave_out() -> None:
    notebook = displayed(PLOTLY, {**PLOTLY, "image/png": "x"}, {"application/vnd.bokehjs_load.v0+json": ""})
    note_charts(notebook)
    assert [output.data.get("text/plain") for output in notebook.cells[0].outputs] == [
        "[Interactive output: see the HTML]",
        None,
        "",
    ]


def test_scripts_end_where_they_should() -> None:
    assert escape_script("a('</Script>', '<!--', '<b>')") == "a('\\x3C/Script>', '\\x3C!--', '<b>')"

"""Charts of a real run, drawn by a real browser that has no network."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright import sync_api

from argo_jupyter_scheduler.storage.database import Database
from tests.support.jobs import notebook
from tests.support.runs import Run

pytestmark = pytest.mark.browser

CHARTS = {
    "plotly": "import plotly.graph_objects as go\ngo.Figure(go.Scatter(y=[1, 3, 2]))",
    "plotly again": "go.Figure(go.Bar(y=[1, 3, 2], text='</script><!--<script>')).show()",
    "altair": "import altair, pandas\n"
    "bars = altair.Chart(pandas.DataFrame({'a': [1, 2], 'b': [3, 4]})).mark_bar().encode(x='a', y='b')\nbars",
    "altair for JupyterLab": "altair.renderers.enable('mimetype')\nbars",
    "loads bokeh": "from bokeh.io import output_notebook, show\nfrom bokeh.plotting import figure\noutput_notebook()",
    "bokeh": "line = figure()\nline.line([1, 2], [3, 4])\nshow(line)",
    "widgets": "import ipywidgets\n"
    "ipywidgets.VBox([ipywidgets.IntSlider(3, description='days'), ipywidgets.Dropdown(options=['Oslo', 'Bergen'])])",
    "progress": "from tqdm.notebook import tqdm\nfor _ in tqdm(range(3)):\n    pass",
}

DRAWN = (".js-plotly-plot .trace path", ".vega-embed svg.marks", ".bk-Figure")
"""What each library draws into."""


@pytest.fixture(scope="module", params=["html", "slides"])
def output_format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_charts_are_drawn_without_a_network(
    browser: sync_api.Browser,
    database: Database,
    staging_path: Path,
    tmp_path: Path,
    jp_environ: None,
    output_format: str,
) -> None:
    formats = ("ipynb", "log", output_format)
    run = Run(database, staging_path, notebook(*CHARTS.values()), output_formats=formats)
    assert run.finish(120).status == "COMPLETED", run.log
    page = browser.new_context(offline=True).new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(run.published({"html": ".html", "slides": ".slides.html"}[output_format]).as_uri())
    plotly, vega, bokeh = (page.locator(selector) for selector in DRAWN)
    bokeh.wait_for(state="attached")
    vega.nth(1).wait_for(state="attached")
    plotly.first.wait_for(state="attached")
    assert (page.locator(".js-plotly-plot").count(), vega.count(), bokeh.count()) == (2, 2, 1)
    text = page.locator("body").text_content() or ""
    assert "successfully loaded" in text  # BokehJS says it
    described = page.locator(".widget-snapshot").all_text_contents()
    assert described[0].split() == ["days", "3", "Oslo"]
    assert "100%" in described[1]
    # Slides need reveal.js, and nbconvert loads it from the web.
    assert [error for error in errors if "require is not defined" not in error] == []
    assert "not able to be represented" not in run.log

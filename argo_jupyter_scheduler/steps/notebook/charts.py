"""Turns outputs that only JupyterLab and its extensions show into HTML: charts, widgets, and a few types of files.

nbconvert leaves out what it does not know (https://github.com/jupyter/nbconvert/issues/2235, docs/upstream.md#nbconvert-outputs).
Each function here gets one output and returns HTML that shows what JupyterLab shows, or None where the output is not its kind.
"""

from __future__ import annotations

import html
import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from nbformat import NotebookNode

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.steps.context import log
from argo_jupyter_scheduler.steps.notebook.libraries import Libraries, escape_script
from argo_jupyter_scheduler.steps.notebook.repair import WIDGET_STATE
from argo_jupyter_scheduler.steps.notebook.widgets import describe_widget

PLOTLY = "application/vnd.plotly.v1+json"
BOKEH_LOAD = "application/vnd.bokehjs_load.v0+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

SHOWN_BY_NBCONVERT = frozenset(
    {
        "application/javascript",
        "text/html",
        "text/markdown",
        "image/svg+xml",
        "text/vnd.mermaid",
        "text/latex",
        "image/png",
        "image/jpeg",
    }
)
"""Types that nbconvert shows in HTML, but for plain text (``HTMLExporter.default_config``)."""

PICTURES = ("image/gif", "image/webp", "image/bmp")
"""Further types that JupyterLab shows."""

_VEGA = re.compile(r"application/vnd\.(vega|vegalite)\.v\d+(?:\+json|\.json)")
"""Altair 6 writes ``.json``."""

_VEGA_SCRIPT = re.compile(r'maybeLoadScript\("([\w-]{1,20})", "([\w.]{1,20})"\)')
"""How the HTML that Altair displays loads its libraries."""

_ALTAIR_AMD = 'typeof define === "function" && define.amd'
"""The condition under which that HTML loads its libraries from the web again: nbconvert's pages have require.js."""

_BOKEH_URLS = re.compile(r"\bjs_urls = (\[\s*\"[^\[\]]*\]);")
_BOKEH_URL = re.compile(r"https?://\S+/(bokeh(?:-[a-z]+)?)-(\d+(?:\.\w+)*)\.min\.js")

_WIDGET_STYLE = "<style>.widget-subarea ~ .widget-snapshot { display: none; }</style>"
"""The widget manager puts a widget before its snapshot, and gives it this class."""

Output: TypeAlias = Any
"""An output, an ``nbformat.NotebookNode``, which has no types."""


def render_charts(notebook: Any, libraries: Libraries) -> None:
    """Give each output of a notebook, in place, the HTML that shows it as JupyterLab does.

    Parameters
    ----------
    notebook
        The notebook.
    libraries
        Where the JavaScript comes from.
    """
    page = _Page(libraries, (notebook.metadata.get("widgets") or {}).get(WIDGET_STATE) or {})
    for cell in notebook.cells:
        for output in cell.get("outputs") or ():
            if not output.get("data"):
                continue
            try:
                shown = page.render(output)
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                log.warning("%s", messages.notebooks.chart_left_out(", ".join(output.data), error))
            else:
                output.data = NotebookNode({"text/html": shown}) if shown is not None else output.data


def note_charts(notebook: Any) -> None:
    """Give each output of a notebook that only HTML can show, in place, a text that says so.

    Parameters
    ----------
    notebook
        The notebook.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs") or ():
            data = output.get("data")
            if data and not any(
                kind.startswith(("text/", "image/")) or kind == "application/pdf" for kind in data
            ):
                data["text/plain"] = "" if BOKEH_LOAD in data else messages.notebooks.INTERACTIVE_OUTPUT


class _Page:
    """One HTML file: what its outputs share.

    Parameters
    ----------
    libraries
        Where the JavaScript comes from.
    widgets
        The notebook's state of widgets.
    """

    def __init__(self, libraries: Libraries, widgets: Mapping[str, Any]) -> None:
        self._libraries = libraries
        self._widgets: Mapping[str, Any] = widgets.get("state") or {}
        self._loaded: set[str] = set()
        self._kinds: tuple[Callable[[Output], str | None], ...] = (
            self._render_widget,
            self._render_plotly,
            self._render_vega,
            self._render_altair,
            self._render_bokeh,
            _render_file,
        )

    def render(self, output: Output) -> str | None:
        """Return HTML that shows an output, or None where nbconvert does."""
        return next((shown for render in self._kinds if (shown := render(output)) is not None), None)

    def _load(self, library: str) -> str:
        """Return a library the first time."""
        if library in self._loaded:
            return ""
        self._loaded.add(library)
        return library

    def _render_plotly(self, output: Output) -> str | None:
        figure = _read_json(output.data.get(PLOTLY))
        if not isinstance(figure, dict):
            return None
        figure = {**figure, "config": {"responsive": True, **(figure.get("config") or {})}}
        name = _make_name()
        return f"""{self._load(self._libraries.plotly)}<div id="{name}"></div>
<script>Plotly.newPlot("{name}", {_as_script(figure)});</script>"""

    def _render_vega(self, output: Output) -> str | None:
        kind, mode = next(
            ((kind, match[1]) for kind in output.data if (match := _VEGA.fullmatch(kind))), ("", "")
        )
        chart = _read_json(output.data.get(kind))
        if not isinstance(chart, dict):
            return None
        given = (output.get("metadata") or {}).get(kind) or {}
        options = {**(given.get("embed_options") or {}), "mode": mode.replace("vegalite", "vega-lite")}
        name = _make_name()
        return f"""{self._load(self._libraries.vega)}<div id="{name}"></div>
<script>vegaEmbed("#{name}", {_as_script(chart)}, {_as_script(options)});</script>"""

    def _render_altair(self, output: Output) -> str | None:
        """Return the HTML that Altair displays with its libraries, which it loads from the web otherwise."""
        text = output.data.get("text/html")
        versions = dict(_VEGA_SCRIPT.findall(text)) if isinstance(text, str) else {}
        if "vega-embed" not in versions or not self._libraries.vega_bundle:
            return None
        loaded = {f"{name.replace('-', '')}_version": version for name, version in versions.items()}
        text = text.replace(_ALTAIR_AMD, "false")
        return f"""{self._load(self._libraries.vega_bundle)}
<script>var VEGA_DEBUG = Object.assign(window.VEGA_DEBUG || {{}}, {_as_script(loaded)});</script>{text}"""

    def _render_bokeh(self, output: Output) -> str | None:
        """Return what loads BokehJS, with BokehJS; other outputs of Bokeh work as they are."""
        code = output.data.get("application/javascript")
        urls = _BOKEH_URLS.search(code) if BOKEH_LOAD in output.data and isinstance(code, str) else None
        parts = [_BOKEH_URL.fullmatch(str(url)) for url in _read_json(urls[1]) or ()] if urls else []
        names = [(part[1], part[2]) for part in parts if part]
        if not urls or not names or len(names) < len(parts):
            return None
        library = self._libraries.read_bokeh([name for name, _ in names], names[0][1])
        if not library:
            return None
        code = f"{code[: urls.start(1)]}[]{code[urls.end(1) :]}"
        return f"{self._load(library)}<script>{escape_script(code)}</script>"

    def _render_widget(self, output: Output) -> str | None:
        """Return a widget for the widget manager, which the page loads from the web, and what is shown without it."""
        view = output.data.get(WIDGET_VIEW)
        if not isinstance(view, dict) or view.get("model_id") not in self._widgets:
            return None
        plain = f"<pre>{html.escape(str(output.data.get('text/plain', '')))}</pre>"
        return f"""{self._load(_WIDGET_STYLE)}<div class="jupyter-widgets">
<script type="{WIDGET_VIEW}">{_as_script(view)}</script>
<div class="widget-snapshot">{describe_widget(self._widgets, view["model_id"]) or plain}</div></div>"""


def _render_file(output: Output) -> str | None:
    """Return a picture, a document or JSON that nbconvert does not show."""
    if SHOWN_BY_NBCONVERT & set(output.data):
        return None
    for kind, value in output.data.items():
        if kind in PICTURES and isinstance(value, str):
            return f'<img src="data:{kind};base64,{html.escape(value)}">'
        if kind == "application/pdf" and isinstance(value, str):
            source = f"data:{kind};base64,{html.escape(value)}"
            return f'<embed type="{kind}" src="{source}" style="width: 100%; height: 500px">'
        if kind == "application/json":
            return f"<pre>{html.escape(json.dumps(value, indent=1, ensure_ascii=False))}</pre>"
    return None


def _read_json(value: object) -> Any:
    """Return JSON's value, which some outputs have as text; None where it is not JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


def _as_script(value: object) -> str:
    """Return a value as JavaScript within HTML. NaN is allowed there."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _make_name() -> str:
    return f"chart-{uuid.uuid4()}"

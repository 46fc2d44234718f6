"""The JavaScript libraries that draw a notebook's charts, taken from Python packages where these contain them.

An HTML file that contains its libraries shows its charts without a network, also years later. They come from the kernel's
environment, whose version fits the charts, else from this package's environment. What neither has is loaded from the web.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from argo_jupyter_scheduler.environments.kernels import PYTHON_SECONDS

PLOTLY_URLS = ("https://cdn.plot.ly/plotly-4.1.1.min.js",)
VEGA_URLS = (
    "https://cdn.jsdelivr.net/npm/vega@6.2.0",
    "https://cdn.jsdelivr.net/npm/vega-lite@6.4.1",
    "https://cdn.jsdelivr.net/npm/vega-embed@7.0.2",
)

_FIND_PACKAGE = """
import importlib.util, sys
spec = importlib.util.find_spec(sys.argv[1])
print(*(spec.submodule_search_locations or ()) if spec else (), sep="\\n", end="")
"""
_MAKE_VEGA = "import vl_convert; print(vl_convert.javascript_bundle())"

_WITHOUT_AMD = "<script>window.suspendedDefine = window.define; window.define = undefined;</script>"
_WITH_AMD = "<script>window.define = window.suspendedDefine;</script>"
"""nbconvert's pages load require.js. A library that sees its ``define`` becomes a module instead of a global name."""


class Libraries:
    """The libraries of a notebook's charts.

    Parameters
    ----------
    kernel_program
        The command that starts the notebook's kernel; its environment is searched first if it is a Python. May be empty.
    """

    def __init__(self, kernel_program: str) -> None:
        is_python = os.path.isabs(kernel_program) and os.path.basename(kernel_program).startswith("python")
        self._pythons = list(dict.fromkeys([*([kernel_program] if is_python else []), sys.executable]))

    @functools.cached_property
    def plotly(self) -> str:
        """HTML that defines ``Plotly``."""
        for folder in self._find_packages("plotly"):
            file = folder / "package_data" / "plotly.min.js"
            if file.is_file():
                return embed_scripts([file.read_text(encoding="utf-8")])
        return link_scripts(PLOTLY_URLS)

    @functools.cached_property
    def vega(self) -> str:
        """HTML that defines ``vegaEmbed``."""
        return self.vega_bundle or link_scripts(VEGA_URLS)

    @functools.cached_property
    def vega_bundle(self) -> str:
        """HTML that contains all of Vega; empty where no environment has vl-convert."""
        for python in self._pythons:
            if code := _run(python, _MAKE_VEGA):
                return embed_scripts([code])
        return ""

    def read_bokeh(self, names: Sequence[str], version: str) -> str:
        """Return HTML that contains parts of BokehJS, such as ``bokeh-widgets``; empty unless all are there in this version."""
        for folder in self._find_packages("bokeh"):
            files = [folder / "server" / "static" / "js" / f"{name}.min.js" for name in names]
            if (folder.parent / f"bokeh-{version}.dist-info").is_dir() and all(map(Path.is_file, files)):
                return embed_scripts([file.read_text(encoding="utf-8") for file in files])
        return ""

    def _find_packages(self, name: str) -> list[Path]:
        """Return the folders of a package, the kernel's first."""
        found = (_run(python, _FIND_PACKAGE, name) for python in self._pythons)
        return [Path(line) for answer in found for line in answer.splitlines()]


def embed_scripts(sources: Sequence[str]) -> str:
    """Return HTML that contains JavaScript libraries."""
    scripts = "\n".join(f"<script>{escape_script(source)}</script>" for source in sources)
    return f"{_WITHOUT_AMD}\n{scripts}\n{_WITH_AMD}\n"


def link_scripts(urls: Sequence[str]) -> str:
    """Return HTML that loads JavaScript libraries from the web."""
    scripts = "\n".join(f'<script src="{url}"></script>' for url in urls)
    return f"{_WITHOUT_AMD}\n{scripts}\n{_WITH_AMD}\n"


def escape_script(code: str) -> str:
    """Return JavaScript as it can stand within a ``<script>`` of HTML."""
    return re.sub(r"<(?=/script|!--)", r"\\x3C", code, flags=re.IGNORECASE)


def _run(python: str, code: str, *arguments: str) -> str:
    """Return what a Python program prints; empty if it fails."""
    command = [python, "-c", code, *arguments]
    folder = os.path.dirname(python)
    try:
        answer = subprocess.run(command, cwd=folder, capture_output=True, timeout=PYTHON_SECONDS, check=True)
        return answer.stdout.decode()
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""

"""Converts the executed notebook to the requested formats."""

from __future__ import annotations

import contextlib
import copy
import functools
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.steps.context import log
from argo_jupyter_scheduler.steps.notebook.charts import note_charts, render_charts
from argo_jupyter_scheduler.steps.notebook.libraries import Libraries
from argo_jupyter_scheduler.steps.notebook.output_log import join_streams
from argo_jupyter_scheduler.steps.notebook.pictures import (
    Place,
    PlaceBeside,
    embed_pictures,
    place_inside,
    place_nowhere,
)
from argo_jupyter_scheduler.storage.atomic import write_whole
from argo_jupyter_scheduler.storage.folders import SUFFIXES, RunFolder
from argo_jupyter_scheduler.storage.output_names import output_suffix

if TYPE_CHECKING:
    from nbconvert import Exporter

NOT_CONVERTED = frozenset({"ipynb", "log"})
"""Formats that papermill and the run itself write."""


_exporter_log = log.getChild("nbconvert")
# nbconvert warns of each chart and picture of a cell: none has a description, and their author can give them none.
_exporter_log.addFilter(lambda record: not str(record.msg).startswith("Alternative text is missing"))

_exporters_lock = threading.Lock()
"""Held while something is converted: `warm_up` has its own thread, and exporters are shared."""


def warm_up(output_formats: Iterable[str]) -> None:
    """Convert a small notebook to HTML if that is asked for; called in a thread while the kernel starts.

    The imports and the compilation take longer than the conversion itself.
    """
    if "html" not in output_formats:
        return
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    output = new_output("stream", text="1")
    notebook = new_notebook(
        cells=[new_markdown_cell("*1*"), new_code_cell("1", outputs=[output])],
        metadata={"language_info": {"name": "python", "pygments_lexer": "ipython3"}},
    )
    with _exporters_lock, contextlib.suppress(Exception):  # the conversion reports what is wrong
        _make_exporter("html").from_notebook_node(notebook)


@functools.cache
def _make_exporter(output_format: str) -> Exporter:
    """Return the exporter of a format: with its templates, once they are compiled."""
    from nbconvert import get_exporter
    from traitlets.config import Config

    settings = Config()
    if output_format == "markdown":
        # One file is published per format, so pictures go into it rather than beside it.
        settings.ExtractOutputPreprocessor.enabled = False
    return get_exporter(output_format)(config=settings, log=_exporter_log)


def convert(
    folder: RunFolder, input_filename: str, output_formats: Iterable[str], kernel_program: str = ""
) -> None:
    """Write ``output.<format>`` for each format; without an executed notebook there is nothing to write.

    Parameters
    ----------
    folder
        The run's.
    input_filename
        The input's name, which becomes the title of an output.
    output_formats
        Names of nbconvert's exporters.
    kernel_program
        The command that started the kernel, see `Libraries`.

    Raises
    ------
    RunError
        A format could not be made. The others are.
    """
    wanted = [name for name in output_formats if name not in NOT_CONVERTED]
    executed = folder.output("ipynb")
    if not wanted or not executed.is_file():
        return
    import nbformat

    notebook = nbformat.read(executed, as_version=4)
    join_streams(notebook)  # those of a run that was killed are not
    conversion = _Conversion(notebook, folder, input_filename, Libraries(kernel_program))
    suffixes: dict[str, str] = {}
    failed: dict[str, Exception] = {}
    for output_format in wanted:
        try:
            with _exporters_lock:
                content, extension = conversion.export(output_format)
            write_whole(folder.output(output_format), content)
            suffixes[output_format] = output_suffix(output_format, extension)
            folder.write(SUFFIXES, suffixes)
        except Exception as error:  # one format's trouble (no LaTeX, say) must not cost the others
            log.exception("Format %s could not be made", output_format)
            failed[output_format] = error
    for warning in conversion.warnings:
        log.warning("%s", warning)
    if failed:
        raise RunError(messages.notebooks.formats_failed(failed))


@dataclass
class _Conversion:
    """An executed notebook on its way to several formats.

    Attributes
    ----------
    warnings
        A warning for each thing that the formats cannot show, once.
    """

    notebook: Any
    folder: RunFolder
    input_filename: str
    libraries: Libraries
    warnings: dict[str, None] = field(default_factory=dict)

    def export(self, output_format: str) -> tuple[str | bytes, str]:
        """Return the notebook in another format, and the extension of its file."""
        from nbconvert.exporters import HTMLExporter, LatexExporter, ScriptExporter

        exporter = _make_exporter(output_format)
        if isinstance(exporter, ScriptExporter):
            return self._run(exporter, self.notebook)
        if isinstance(exporter, LatexExporter):
            return self._export_latex(exporter, output_format)
        notebook = self._copy(place_inside)
        if isinstance(exporter, HTMLExporter):
            render_charts(notebook, self.libraries)
        else:
            note_charts(notebook)
        return self._run(exporter, notebook)

    def _export_latex(self, exporter: Exporter, output_format: str) -> tuple[str | bytes, str]:
        """Export with pictures, or without them where LaTeX refuses one: the format is worth more than they are."""
        beside = PlaceBeside()
        notebook = self._copy(beside)
        note_charts(notebook)
        try:
            return self._run(exporter, notebook, beside.files)
        except Exception:
            if not beside.files:
                raise
            notebook = copy.deepcopy(self.notebook)
            embed_pictures(notebook, self.folder.path, place_nowhere)
            note_charts(notebook)
            made = self._run(exporter, notebook)
            self.warnings[messages.notebooks.pictures_left_out(output_format)] = None
            return made

    def _copy(self, place: Place) -> Any:
        """Return a copy of the notebook that needs no file beside it but those that `place` puts there."""
        notebook = copy.deepcopy(self.notebook)
        self.warnings |= dict.fromkeys(embed_pictures(notebook, self.folder.path, place))
        return notebook

    def _run(
        self, exporter: Exporter, notebook: Any, files: dict[str, bytes] | None = None
    ) -> tuple[str | bytes, str]:
        metadata = {"name": self.input_filename.removesuffix(".ipynb"), "path": str(self.folder.path)}
        content, resources = exporter.from_notebook_node(
            notebook, resources={"metadata": metadata, "outputs": files or {}}
        )
        return content, str(resources.get("output_extension") or "")

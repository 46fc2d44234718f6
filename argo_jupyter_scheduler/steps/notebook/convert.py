"""Converts the executed notebook to the requested formats."""

from __future__ import annotations

from collections.abc import Iterable

from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.steps.context import log
from argo_jupyter_scheduler.storage.atomic import write_whole
from argo_jupyter_scheduler.storage.folders import RunFolder

NOT_CONVERTED = frozenset({"ipynb", "log"})
"""Formats that papermill and the run itself write."""


def warm_up() -> None:
    """Import what `convert` needs; called in a thread while the kernel starts."""
    import nbconvert.exporters.html  # noqa: F401


def convert(folder: RunFolder, input_filename: str, output_formats: Iterable[str]) -> None:
    """Write ``output.<format>`` for each format; without an executed notebook there is nothing to write.

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
    failed = []
    for output_format in wanted:
        try:
            write_whole(
                folder.output(output_format), _export(notebook, output_format, folder, input_filename)
            )
        except Exception as error:  # one format's trouble (no LaTeX, say) must not cost the others
            log.exception("Format %s could not be made", output_format)
            failed.append(f"{output_format} ({type(error).__name__}: {str(error).strip()[:200]})")
    if failed:
        raise RunError(f"The notebook was executed, but could not be converted to {', '.join(failed)}.")


def _export(notebook: object, output_format: str, folder: RunFolder, input_filename: str) -> str | bytes:
    from nbconvert import get_exporter
    from traitlets.config import Config

    settings = Config()
    if output_format == "markdown":
        # One file is published per format, so pictures go into it rather than beside it.
        settings.ExtractOutputPreprocessor.enabled = False
    exporter = get_exporter(output_format)(config=settings)
    name = input_filename.removesuffix(".ipynb")
    output, _ = exporter.from_notebook_node(
        notebook, resources={"metadata": {"name": name, "path": str(folder.path)}}
    )
    content: str | bytes = output
    return content

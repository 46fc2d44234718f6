"""Repairs notebooks that JupyterLab opens although nbformat calls them invalid.

Tools and people write such files: a cell without metadata, ``"id": null``, an object where text belongs. JupyterLab tolerates
them, so a run must too. What was repaired goes to the run's log. What cannot be repaired is refused with the cell and the reason.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import threading
import uuid
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from argo_jupyter_scheduler.domain import messages

if TYPE_CHECKING:
    import nbformat

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"

CELL_TYPES = ("code", "markdown", "raw")

MINOR_WITH_IDS = 5
"""The minor version of nbformat 4 that introduced ids of cells."""

DISPLAYS = ("display_data", "execute_result", "update_display_data")
"""Types of messages that display something."""

MAX_REPAIRS = 20
"""How many repairs are listed; a generator repeats its mistake in every cell."""

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")

NESTED = "It is nested too deeply."

Object = MutableMapping[str, Any]


class UnusableNotebook(ValueError):
    """A file is not a notebook, or its damage cannot be repaired; the text says where and why."""


def repair_notebook(content: str) -> tuple[nbformat.NotebookNode, list[str]]:
    """Return a notebook of nbformat 4, and what was repaired.

    Parameters
    ----------
    content
        The file's text.

    Raises
    ------
    UnusableNotebook
        It is not a notebook, or a cell cannot be repaired.
    """
    repaired, repairs = repair_json(content)
    notebook, more = read_repaired(repaired)
    return notebook, [*repairs, *more]


def repair_json(content: str) -> tuple[dict[str, Any], list[str]]:
    """Return a notebook's JSON and what was repaired; its metadata is an object. The fast half of `repair_notebook`.

    Raises
    ------
    UnusableNotebook
        See `repair_notebook`.
    """
    try:
        notebook = json.loads(content)
    except RecursionError as error:
        raise UnusableNotebook(NESTED) from error
    except ValueError as error:
        raise UnusableNotebook(f"It is not JSON: {error}.") from error
    if not isinstance(notebook, dict):
        raise UnusableNotebook("It is not a JSON object.")
    if notebook.get("nbformat", 4) == 4:
        return notebook, list(_repair(notebook))
    if not isinstance(notebook.get("metadata"), dict):
        notebook["metadata"] = {}
    return notebook, []


def read_repaired(notebook: dict[str, Any]) -> tuple[nbformat.NotebookNode, list[str]]:
    """Return the notebook of a repaired JSON, and what else was repaired. The slow half: it imports nbformat.

    Raises
    ------
    UnusableNotebook
        See `repair_notebook`.
    """
    import nbformat

    try:
        with _without_complaints():
            made = nbformat.reads(json.dumps(notebook), as_version=4)
    except RecursionError as error:
        raise UnusableNotebook(NESTED) from error
    except Exception as error:  # nbformat raises what its parsers raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UnusableNotebook(lines[0]) from error
    if notebook.get("nbformat", 4) == 4:
        return made, list(_strip_invalid_metadata(made))
    # An upgraded notebook is of its old format's class, which papermill refuses.
    made = nbformat.from_dict(made)
    return made, [*_repair(made), *_strip_invalid_metadata(made)]


@contextlib.contextmanager
def _without_complaints() -> Iterator[None]:
    """Keep nbformat's complaints out of the server's log: they quote the notebook, in many lines. What matters is reported here."""
    from traitlets.log import get_logger

    here, log = threading.get_ident(), get_logger()
    logger = log.logger if isinstance(log, logging.LoggerAdapter) else log

    def is_others(record: logging.LogRecord) -> bool:
        return record.thread != here or "nbformat" not in record.pathname

    logger.addFilter(is_others)
    try:
        yield
    finally:
        logger.removeFilter(is_others)


def shorten_repairs(repairs: list[str]) -> list[str]:
    """Return the first repairs, and how many more there were."""
    if len(repairs) <= MAX_REPAIRS:
        return repairs
    return [*repairs[:MAX_REPAIRS], f"{len(repairs) - MAX_REPAIRS} more repairs of this kind."]


def repair_output(output: Object) -> list[str]:
    """Make one output valid; return what was repaired.

    Raises
    ------
    UnusableNotebook
        Its type is unknown.
    """
    kind = output.get("output_type")
    if kind == "stream":
        return list(_repair_stream(output))
    if kind in ("display_data", "execute_result"):
        return list(_repair_display(output, kind))
    if kind == "error":
        return list(_repair_error(output))
    raise UnusableNotebook(f"output_type {_quote(kind)} is unknown.")


def repair_message(kind: str, content: Object) -> list[str]:
    """Make what a kernel displays valid, before it becomes an output; return what was repaired.

    Parameters
    ----------
    kind
        The message's type.
    content
        The message's content.
    """
    return list(_repair_display(content, kind)) if kind in DISPLAYS else []


def _repair(notebook: Object) -> Iterator[str]:
    """Repair a notebook of nbformat 4 in place."""
    notebook["nbformat"] = 4  # 4.0 is the same to Python, but not to nbformat
    minor = notebook.get("nbformat_minor")
    if not isinstance(minor, int) or minor < 0:
        notebook["nbformat_minor"] = minor = MINOR_WITH_IDS
    yield from _repair_object(notebook, "metadata", "The notebook")
    yield from _repair_notebook_metadata(notebook["metadata"])
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise UnusableNotebook("It has no list of cells.")
    seen: set[str] = set()
    for number, cell in enumerate(cells, 1):
        where = f"Cell {number}"
        if not isinstance(cell, dict):
            raise UnusableNotebook(f"{where} is not an object.")
        if cell.get("cell_type") not in CELL_TYPES:
            raise UnusableNotebook(f"{where}: cell_type {_quote(cell.get('cell_type'))} is unknown.")
        yield from _repair_id(cell, where, minor, seen)
        yield from _repair_cell(cell, where)


def _repair_notebook_metadata(metadata: Object) -> Iterator[str]:
    for name in ("kernelspec", "language_info"):
        if name in metadata and not isinstance(metadata[name], dict):
            if metadata[name] is not None:
                raise UnusableNotebook(messages.notebooks.metadata_damaged(name))
            del metadata[name]
    kernelspec = metadata.get("kernelspec")
    if kernelspec and "name" in kernelspec:
        kernelspec.setdefault("display_name", kernelspec["name"])
    widgets = metadata.get("widgets")
    state = widgets.get(WIDGET_STATE) if isinstance(widgets, dict) else None
    is_complete = isinstance(state, dict) and isinstance(state.get("state"), dict)
    if "widgets" in metadata and not is_complete:
        del metadata["widgets"]
        yield "The notebook: metadata of widgets without state was removed."


def _repair_id(cell: Object, where: str, minor: int, seen: set[str]) -> Iterator[str]:
    if minor < MINOR_WITH_IDS:
        cell.pop("id", None)
        return
    had_id, given = "id" in cell, cell.get("id")
    if not isinstance(given, str) or not _ID.fullmatch(given) or given in seen:
        cell["id"] = uuid.uuid4().hex[:8]
        if had_id:
            yield f"{where}: id {_quote(given)} was replaced."
    seen.add(cell["id"])


def _repair_cell(cell: Object, where: str) -> Iterator[str]:
    yield from _repair_object(cell, "metadata", where)
    tags = cell["metadata"].get("tags")
    if "tags" in cell["metadata"] and not _is_list_of_text(tags):
        yield f"{where}: tags {_quote(tags)} are not a list of text."
        cell["metadata"]["tags"] = [tags] if isinstance(tags, str) else [str(tag) for tag in tags or []]
    source = cell.get("source")
    if not isinstance(source, str) and not _is_list_of_text(source):
        if isinstance(source, dict):
            raise UnusableNotebook(f"{where}: its source is not text.")
        lines = source if isinstance(source, list) else [source]
        cell["source"] = "".join(str(line) for line in lines if line is not None)
        yield f"{where}: its source was not text."
    if cell["cell_type"] == "code":
        yield from _repair_outputs(cell, where)
        return
    for name in ("outputs", "execution_count"):
        if cell.pop(name, None):
            yield f"{where}: {name} of a {cell['cell_type']} cell were removed."
    if "attachments" in cell and not isinstance(cell["attachments"], dict):
        del cell["attachments"]


def _repair_outputs(cell: Object, where: str) -> Iterator[str]:
    if not isinstance(cell.get("execution_count"), int):
        cell["execution_count"] = None
    outputs = cell.get("outputs")
    if not isinstance(outputs, list):
        if outputs is not None:
            yield f"{where}: its outputs were not a list."
        outputs = []
    valid = []
    for output in outputs:
        try:
            if not isinstance(output, dict):
                raise UnusableNotebook("an output is not an object.")
            yield from (f"{where}: {repair}" for repair in repair_output(output))
            valid.append(output)
        except UnusableNotebook as error:  # the run replaces outputs anyway
            yield f"{where}: an old output was removed: {error}"
    cell["outputs"] = valid


def _repair_object(parent: Object, name: str, where: str) -> Iterator[str]:
    if not isinstance(parent.get(name), dict):
        if parent.get(name) is not None:
            yield f"{where}: its {name} was not an object."
        parent[name] = {}


def _repair_stream(output: Object) -> Iterator[str]:
    if output.get("name") not in ("stdout", "stderr"):
        output["name"] = "stdout"
    if not isinstance(output.get("text"), str) and not _is_list_of_text(output.get("text")):
        output["text"] = _as_text(output.get("text"))
        yield "printed output was not text."


def _repair_display(output: Object, kind: str) -> Iterator[str]:
    yield from _repair_object(output, "data", "an output")
    yield from _repair_object(output, "metadata", "an output")
    if kind == "execute_result" and not isinstance(output.get("execution_count"), int):
        output["execution_count"] = None
    data = output["data"]
    for mimetype, value in list(data.items()):
        if _is_json(mimetype) or isinstance(value, str) or _is_list_of_text(value):
            continue
        data[mimetype] = _as_text(value)
        yield f"output of type {mimetype} was not text, and is shown as JSON."


def _repair_error(output: Object) -> Iterator[str]:
    for name in ("ename", "evalue"):
        if not isinstance(output.get(name), str):
            output[name] = _as_text(output.get(name))
    if not _is_list_of_text(output.get("traceback")):
        traceback = output.get("traceback")
        output["traceback"] = [_as_text(traceback)] if traceback else []
        yield "a traceback was not a list of text."


def _strip_invalid_metadata(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """Remove metadata that nbformat calls invalid, such as ``"collapsed": null``."""
    from nbformat import validator

    try:
        validator.validate(notebook)
    except validator.NotebookValidationError as error:
        reason = str(error).splitlines()[0]
        _, stripped = validator.normalize(notebook, strip_invalid_metadata=True)
        yield f"Invalid metadata was removed: {reason}" if stripped else f"The notebook is invalid: {reason}"


def _is_json(mimetype: str) -> bool:
    return mimetype == "application/json" or (
        mimetype.startswith("application/") and mimetype.endswith("+json")
    )


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _as_text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, default=str)


def _quote(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:39]}…"

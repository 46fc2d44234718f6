"""The names under which the panel downloads outputs."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argo_jupyter_scheduler.storage.folders import RunFolder

STEM_BYTES = 200
"""Bytes of an input's name without its suffix that leave room, in a file system's 255, for what outputs and the panel add to it."""

_SUFFIXES = {
    "ipynb": "ipynb",
    "html": "html",
    "log": "log",
    "pdf": "pdf",
    "slides": "slides.html",
    "markdown": "md",
    "latex": "tex",
    "rst": "rst",
    "asciidoc": "asciidoc",
}
"""Suffixes of formats whose files programs open by them."""

_EXTENSION = re.compile(r"[\w+-]{1,12}", re.ASCII)
"""An extension that can be part of every file name, and that no other format's suffix is."""

_MOMENT = r"\d{4}(?:-\d\d){5}-[^.]*"
"""The time in an output's name. Its last part, AM or PM, depends on the locale."""


def shorten_input_name(name: str) -> str:
    """Return the name under which an input is staged, short enough that every output and the panel's folder can be made.

    Jupyter-Scheduler appends the job's id to the name of the downloaded folder, and a time and a suffix to each output. See
    docs/upstream.md#long-names.
    """
    stem, suffix = os.path.splitext(name)
    if len(stem.encode()) <= STEM_BYTES:
        return name
    return stem.encode()[:STEM_BYTES].decode(errors="ignore").rstrip() + suffix


def output_suffix(output_format: str, extension: str) -> str:
    """Return the suffix of a format's file, without the first dot. No two formats have the same.

    Parameters
    ----------
    output_format
        The name of nbconvert's exporter.
    extension
        The extension that the exporter appends, such as ``.py``. Not every exporter, nor every kernel's language, has a usable one.
    """
    if output_format in _SUFFIXES:
        return _SUFFIXES[output_format]
    extension = extension.lstrip(".")
    if not _EXTENSION.fullmatch(extension):
        extension = "txt"
    if output_format == "script" and extension not in _SUFFIXES.values():
        return extension
    return f"{output_format}.{extension}"


def output_filename(input_filename: str, create_time: int, suffix: str) -> str:
    """Return the name under which the panel downloads an output.

    Jupyter-Scheduler's ``create_output_filename`` with the right suffix; that module costs a step 2 s of imports. A test holds
    the two together. The time is local, so `use_timezone` must have been called in another time zone than the server's. See
    docs/upstream.md#time-zone-in-file-names and docs/upstream.md#suffixes.

    Parameters
    ----------
    create_time
        The job's ``create_time``, in milliseconds since 1970.
    suffix
        One of ``RunFolder.suffixes``.
    """
    stem = os.path.splitext(input_filename)[0]
    moment = datetime.fromtimestamp(create_time / 1e3).strftime("%Y-%m-%d-%I-%M-%S-%p")
    return f"{stem}-{moment}.{suffix}"


def find_output(folder: Path, input_filename: str, create_time: int, suffix: str) -> Path:
    """Return the path of a job's output, even if it was named in another time zone than today's.

    Parameters
    ----------
    folder
        The job's staging folder.
    create_time
        The job's ``create_time``, in milliseconds since 1970.
    suffix
        One of ``RunFolder.suffixes``.
    """
    path = folder / output_filename(input_filename, create_time, suffix)
    if not path.exists():
        stem = re.escape(os.path.splitext(input_filename)[0])
        named = re.compile(rf"{stem}-{_MOMENT}\.{re.escape(suffix)}", re.DOTALL)
        found = [other for other in folder.glob(f"*.{suffix}") if named.fullmatch(other.name)]
        if len(found) == 1:
            return found[0]
    return path


def find_delivered(
    folder: RunFolder, input_filename: str, create_time: int, output_formats: Iterable[str]
) -> dict[str, str]:
    """Return where a run has put its outputs beside the staging area, full paths or addresses, by their format."""
    delivered = folder.delivered()
    if not delivered:
        return {}
    names = {
        output_format: find_output(folder.path, input_filename, create_time, suffix).name
        for output_format, suffix in folder.suffixes(output_formats).items()
    }
    return {output_format: delivered[name] for output_format, name in names.items() if name in delivered}


def local_timezone() -> str | None:
    """Return this machine's time zone as the variable ``TZ`` takes it, or None where it cannot be known."""
    if os.environ.get("TZ"):
        return os.environ["TZ"]
    with contextlib.suppress(OSError):
        _, found, name = os.path.realpath("/etc/localtime").partition("zoneinfo/")
        if found:
            return name
    return None


def use_timezone(name: str | None) -> None:
    """Switch this process to the server's time zone, so that output names agree."""
    if name and hasattr(time, "tzset"):
        os.environ["TZ"] = name
        time.tzset()

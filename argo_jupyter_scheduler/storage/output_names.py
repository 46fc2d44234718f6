"""The names under which the panel downloads outputs."""

from __future__ import annotations

import contextlib
import os
import time
from datetime import datetime
from pathlib import Path

STEM_BYTES = 200
"""Bytes of an input's name without its suffix that leave room, in a file system's 255, for what outputs and the panel add to it."""


def shorten_input_name(name: str) -> str:
    """Return the name under which an input is staged, short enough that every output and the panel's folder can be made.

    Jupyter-Scheduler appends the job's id to the name of the downloaded folder, and a time and a suffix to each output.
    """
    stem, suffix = os.path.splitext(name)
    if len(stem.encode()) <= STEM_BYTES:
        return name
    return stem.encode()[:STEM_BYTES].decode(errors="ignore").rstrip() + suffix


def output_filename(input_filename: str, create_time: int, output_format: str) -> str:
    """Return the name under which the panel downloads an output.

    The same as ``jupyter_scheduler.utils.create_output_filename``, which costs a step 2 s of imports; a test holds the two
    together. The time is local, so `use_timezone` must have been called in another time zone than the server's.

    Parameters
    ----------
    create_time
        The job's ``create_time``, in milliseconds since 1970.
    """
    stem = os.path.splitext(input_filename)[0]
    moment = datetime.fromtimestamp(create_time / 1e3).strftime("%Y-%m-%d-%I-%M-%S-%p")
    return f"{stem}-{moment}.{output_format}"


def find_output(folder: Path, input_filename: str, create_time: int, output_format: str) -> Path:
    """Return the path of a job's output, also where it was named in another time zone than today's.

    Parameters
    ----------
    folder
        The job's staging folder.
    create_time
        The job's ``create_time``, in milliseconds since 1970.
    """
    path = folder / output_filename(input_filename, create_time, output_format)
    if not path.exists():
        begin = f"{os.path.splitext(input_filename)[0]}-"
        found = [other for other in folder.glob(f"*.{output_format}") if other.name.startswith(begin)]
        if len(found) == 1:
            return found[0]
    return path


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

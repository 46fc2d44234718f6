"""Inputs: where they are, how they may be called, and what is read of a notebook."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.jobs.column_checks import check_text
from argo_jupyter_scheduler.steps.notebook.repair import (
    UnusableNotebook,
    read_repaired,
    repair_notebook,
    shorten_repairs,
)
from argo_jupyter_scheduler.storage.input_folder import PRIVATE

log = logging.getLogger("argo_jupyter_scheduler")

INPUT_PATH_LENGTH = 4096
"""The most characters of an input path, as Linux has it."""

FILENAME_BYTES = 255
"""The most that a file's name can have on the usual file systems."""


@dataclass(frozen=True)
class Notebook:
    """A notebook that was read.

    Attributes
    ----------
    path
        Its full path.
    metadata
        Its metadata.
    defaults
        The source of its first cell that is tagged ``parameters``; empty for none.
    is_tagged
        Whether there is such a cell.
    """

    path: Path
    metadata: Mapping[str, Any]
    defaults: str = ""
    is_tagged: bool = False


def find_input(root_dir: Path, input_uri: str) -> Path:
    """Return the full path of an input within JupyterLab's root folder.

    Raises
    ------
    InvalidJob
        It does not exist, is not a file, or is elsewhere.
    """
    check_input_uri(input_uri)
    path = Path(os.path.normpath(root_dir / input_uri.lstrip("/")))
    if not path.is_relative_to(os.path.normpath(root_dir)):
        raise InvalidJob(messages.inputs.input_outside_root(input_uri))
    if not os.path.isfile(path):  # False also for a name that is too long
        raise InvalidJob(messages.inputs.input_not_found(input_uri))
    return path


def check_input_uri(input_uri: str) -> None:
    """Refuse an input path that no file can have.

    Raises
    ------
    InvalidJob
        It is too long, or not text, or has a NUL character.
    """
    if len(input_uri) > INPUT_PATH_LENGTH:
        raise InvalidJob(messages.requests.too_long("input path", len(input_uri), INPUT_PATH_LENGTH))
    if "\0" in input_uri:
        raise InvalidJob(messages.requests.has_nul("input path"))
    check_text(input_uri, "input path")


def check_input_filename(name: str) -> str:
    """Return the name under which an input is staged.

    Raises
    ------
    InvalidJob
        It is not a plain file name: it could lead out of the staging folder.
    """
    if name in ("", ".", "..", PRIVATE) or any(mark in name for mark in ("/", "\\", "\0")):
        raise InvalidJob(messages.inputs.not_a_plain_name(name))
    try:
        length = len(name.encode())  # not as the file system has it: it takes names that a database refuses
    except UnicodeEncodeError:
        raise InvalidJob(messages.inputs.FILENAME_NOT_VALID) from None
    if length > FILENAME_BYTES:
        raise InvalidJob(messages.inputs.filename_too_long(length, FILENAME_BYTES))
    return name


def compile_notebook_schema() -> None:
    """Let nbformat compile its schema (0.2 s) before the first job has to wait for it, and JupyterLab with it."""
    read_repaired({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []})


def read_notebook(path: Path) -> Notebook:
    """Read a notebook once, with what is read of it in the right form.

    Raises
    ------
    InvalidJob
        The file is not a notebook.
    """
    try:
        notebook, repairs = repair_notebook(path.read_text(encoding="utf-8-sig"))
    except (UnusableNotebook, OSError, UnicodeDecodeError) as error:
        raise InvalidJob(messages.notebooks.not_a_notebook(path.name, error)) from error
    for repair in shorten_repairs(repairs):
        log.info("'%s': %s", path.name, repair)
    metadata = _section(notebook, "metadata")
    for key in ("kernelspec", "language_info"):
        _section(metadata, key)
    sources = [
        str(cell.get("source", ""))
        for cell in notebook.get("cells", [])
        if "parameters" in ((cell.get("metadata") or {}).get("tags") or [])
    ]
    return Notebook(path, metadata, next(iter(sources), ""), bool(sources))


def _section(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key) or {}
    if not isinstance(value, Mapping):
        raise InvalidJob(messages.notebooks.metadata_damaged(key))
    return value

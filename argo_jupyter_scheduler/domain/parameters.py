"""The types of a notebook's parameters, which users write as text.

The default in the notebook's cell tagged ``parameters`` decides: text stays text, a number becomes a number. Without a default,
only what cannot be meant as text is converted. So ``007``, ``+49…`` and ``2024_01_15`` stay text; papermill makes them numbers.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from typing import Literal

Kind = Literal["text", "number", "boolean", "collection", "unknown"]
"""What a parameter's default is. A default of None is unknown."""

_BOOLEANS = {"true": True, "false": False}

_PLAIN_NUMBER = re.compile(r"-?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
"""A number that cannot be meant as text: without a sign ``+``, leading zeros or underscores."""

_PREFIXED_NUMBER = re.compile(r"[+-]?0[xXoObB][0-9a-fA-F_]+", re.ASCII)

_ASSIGNMENT = re.compile(
    r"^\s*(?:(?:local|let|const|var|val)\s+)?([^\W\d]\w*)\s*(?:<-|=)\s*([^;#]+?)\s*;?\s*(?:#.*)?$"
)
"""An assignment in most languages, on a line of its own."""

_ANNOTATIONS: dict[str, Kind] = {
    "str": "text",
    "int": "number",
    "float": "number",
    "bool": "boolean",
    "list": "collection",
    "dict": "collection",
}

MAX_NUMBER_CHARACTERS = 400
"""Longer digits are an identifier, and Python refuses to read 4,300 of them."""


def read_value(text: str, kind: Kind = "unknown") -> object:
    """Return the value that a user means by a text.

    Parameters
    ----------
    text
        What the user wrote.
    kind
        What the parameter's default is.

    Returns
    -------
    object
        Text, a number, a boolean, None, a list or a dict.
    """
    stripped = text.strip()
    quoted = _read_quoted(stripped)
    if quoted is not None:
        return quoted
    if kind == "text":
        return text
    if stripped.casefold() in _BOOLEANS:
        return _BOOLEANS[stripped.casefold()]
    if stripped == "None":
        return None
    number = _read_number(stripped, is_expected=kind == "number")
    if number is not None:
        return number
    collection = _read_collection(stripped, is_expected=kind == "collection")
    return text if collection is None else collection


def find_kinds(source: str, language: str) -> dict[str, Kind]:
    """Return what the defaults in a ``parameters`` cell are, by the parameter's name.

    Parameters
    ----------
    source
        The cell's source.
    language
        The notebook's. In Python the source is parsed; in other languages, lines that assign a plain value are recognised.
    """
    if language in ("", "python"):
        try:
            return _find_python_kinds(ast.parse(source))
        except (SyntaxError, ValueError):  # a magic, or a NUL
            pass
    matches = (_ASSIGNMENT.match(line) for line in source.splitlines())
    return {match[1]: _kind_of(read_value(match[2])) for match in matches if match}


def is_expression(text: str) -> bool:
    """Return whether a text is an expression that Jupyter-Scheduler's own backend would compute, such as ``2+3``."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    is_sum = isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mult, ast.Div, ast.Pow))
    return is_sum or isinstance(node, ast.Call)


def read_parameters(parameters: Mapping[str, object], kinds: Mapping[str, Kind]) -> dict[str, object]:
    """Return parameters with their types; what is not text is taken as it is."""
    return {
        name: read_value(value, kinds.get(name, "unknown")) if isinstance(value, str) else value
        for name, value in parameters.items()
    }


def _read_quoted(text: str) -> str | None:
    if len(text) < 2 or text[0] not in "'\"" or text[0] != text[-1]:
        return None
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return value if isinstance(value, str) and ("\n" not in text) else None


def _read_number(text: str, is_expected: bool) -> int | float | None:
    if len(text) > MAX_NUMBER_CHARACTERS:
        return None
    if _PREFIXED_NUMBER.fullmatch(text):
        try:
            return int(text, 0)
        except ValueError:
            return None
    if not is_expected and not _PLAIN_NUMBER.fullmatch(text):
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if is_expected or math.isfinite(number) else None


def _read_collection(text: str, is_expected: bool) -> list[object] | dict[str, object] | None:
    if text[:1] not in ("[", "{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if not is_expected:
            return None
        try:  # as Python writes it: {'a': None}
            value = ast.literal_eval(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return value if isinstance(value, (list, dict)) else None


def _find_python_kinds(module: ast.Module) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for statement in module.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            kinds[statement.target.id] = _kind_of_annotation(statement.annotation) or _kind_of_node(
                statement.value
            )
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    kinds[target.id] = _kind_of_node(statement.value)
    return kinds


def _kind_of_annotation(annotation: ast.expr) -> Kind | None:
    node = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return _ANNOTATIONS.get(node.id) if isinstance(node, ast.Name) else None


def _kind_of_node(node: ast.expr | None) -> Kind:
    if node is None:
        return "unknown"
    if isinstance(node, ast.JoinedStr):
        return "text"
    if isinstance(node, (ast.List, ast.Dict, ast.Tuple)):
        return "collection"
    try:
        return _kind_of(ast.literal_eval(node))
    except (ValueError, TypeError, RecursionError, MemoryError):
        return "unknown"


def _kind_of(value: object) -> Kind:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "text"
    return "collection" if isinstance(value, (list, dict, tuple)) else "unknown"

"""The types of a notebook's parameters, which users write as text.

The default in the notebook's cell tagged ``parameters`` decides: text stays text, a number becomes a number. Without a default,
only what cannot be meant as text is converted. So ``007``, ``+49…`` and ``2024_01_15`` stay text; papermill makes them numbers.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import math
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "boolean", "collection", "unknown"]
"""The type of a parameter's default. A default of None is unknown."""

Type = Literal["bool", "int", "float", "str", "list", "dict", "other"]
"""The type of a parameter's default, in Python's words."""

SCHEDULED_TIME = "scheduled_time"
"""The parameter that gets the moment which a run is about, where the notebook declares it; see `steps.scheduled_time`."""

_BOOLEANS = {"true": True, "false": False}

_PLAIN_NUMBER = re.compile(r"-?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
"""A number that cannot be meant as text: without a sign ``+``, leading zeros or underscores."""

_PREFIXED_NUMBER = re.compile(r"[+-]?0[xXoObB][0-9a-fA-F_]+", re.ASCII)

_ASSIGNMENT = re.compile(
    r"^\s*(?:(?:local|let|const|var|val)\s+)?([^\W\d]\w*)\s*(?:<-|=)\s*([^;#]+?)\s*;?\s*(?:#+\s*(.*?)\s*)?$"
)
"""An assignment in most languages, on a line of its own."""

_KINDS: dict[Type, Kind] = {
    "str": "text",
    "int": "number",
    "float": "number",
    "bool": "boolean",
    "list": "collection",
    "dict": "collection",
    "other": "unknown",
}

_TYPES: dict[str, Type] = {
    "str": "str",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "list": "list",
    "tuple": "list",
    "dict": "dict",
}
"""Types by their names in Python."""

MAX_NUMBER_CHARACTERS = 400
"""Longer digits are an identifier, and Python refuses to read 4,300 of them."""


def read_value(text: str, kind: Kind = "unknown") -> object:
    """Return the value that a user means by a text.

    Parameters
    ----------
    text
        The text that the user wrote.
    kind
        The type of the parameter's default.

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


@dataclass(frozen=True)
class Default:
    """A parameter that a notebook declares.

    Attributes
    ----------
    name
        The parameter's.
    type
        The type of its value; ``other`` if it is unknown.
    default
        The default as it is written; empty where there is none.
    comment
        The comment at its end; empty where there is none.
    """

    name: str
    type: Type
    default: str
    comment: str


def find_kinds(source: str, language: str) -> dict[str, Kind]:
    """Return what the defaults in a ``parameters`` cell are, by the parameter's name; see `list_defaults`."""
    return {found.name: _KINDS[found.type] for found in list_defaults(source, language)}


def find_computed(declared: Iterable[Default], language: str) -> set[str]:
    """Return the names of declared parameters whose defaults only the notebook itself knows, such as ``date.today()``.

    Of languages other than Python that cannot be told, so none is returned.
    """
    if language not in ("", "python"):
        return set()
    return {found.name for found in declared if not _is_literal(found.default)}


def list_defaults(source: str, language: str) -> list[Default]:
    """Return the parameters that a ``parameters`` cell declares, in its order; of several assignments, the last one.

    Parameters
    ----------
    source
        The cell's source.
    language
        The notebook's. In Python the source is parsed; in other languages, lines that assign a plain value are recognised.
    """
    found: list[Default] | None = None
    if language in ("", "python"):
        # A magic or a NUL does not parse, and neither does what is nested too deeply.
        with contextlib.suppress(SyntaxError, tokenize.TokenError, ValueError, RecursionError, MemoryError):
            found = list(_find_python_defaults(source))
    if found is None:
        matches = filter(None, map(_ASSIGNMENT.match, source.splitlines()))
        found = [Default(m[1], _type_of(read_value(m[2])), m[2], m[3] or "") for m in matches]
    return list({default.name: default for default in found}.values())


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


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text.strip())
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return False
    return True


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


def _find_python_defaults(source: str) -> Iterator[Default]:
    module = ast.parse(source)
    lines = io.StringIO(source).readline
    comments = {
        token.start[0]: token.string.lstrip("#").strip()
        for token in tokenize.generate_tokens(lines)
        if token.type == tokenize.COMMENT
    }
    for statement in module.body:
        targets: list[ast.expr]
        if isinstance(statement, ast.AnnAssign):
            targets, annotated = [statement.target], _type_of_annotation(statement.annotation)
        elif isinstance(statement, ast.Assign):
            targets, annotated = statement.targets, None
        else:
            continue
        value = statement.value
        default = ast.get_source_segment(source, value) if value else None
        comment = comments.get(statement.end_lineno or 0, "")
        for target in targets:
            if isinstance(target, ast.Name):
                yield Default(target.id, annotated or _type_of_node(value), default or "", comment)


def _type_of_annotation(annotation: ast.expr) -> Type | None:
    node = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return _TYPES.get(node.id) if isinstance(node, ast.Name) else None


def _type_of_node(node: ast.expr | None) -> Type:
    if isinstance(node, ast.JoinedStr):
        return "str"
    if isinstance(node, (ast.List, ast.Tuple)):
        return "list"
    if isinstance(node, ast.Dict):
        return "dict"
    try:
        return "other" if node is None else _type_of(ast.literal_eval(node))
    except (ValueError, TypeError, RecursionError, MemoryError):
        return "other"


def _type_of(value: object) -> Type:
    return _TYPES.get(type(value).__name__, "other")

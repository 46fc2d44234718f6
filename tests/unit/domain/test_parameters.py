"""The types of parameters, which users write as text."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_jupyter_scheduler.domain.parameters import (
    find_computed,
    find_kinds,
    is_expression,
    list_defaults,
    read_parameters,
    read_value,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("007", "007"),
        ("+491234", "+491234"),
        ("2024_01_15", "2024_01_15"),
        ("2024-01-15", "2024-01-15"),
        ("7", 7),
        ("-7", -7),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("0x10", 16),
        ("false", False),
        ("True", True),
        ("None", None),
        ("null", "null"),
        ("[1,2]", [1, 2]),
        ('{"k": 1}', {"k": 1}),
        ("{'k': 1}", "{'k': 1}"),
        ("'007'", "007"),
        ('"hello"', "hello"),
        ("'a' or 'b'", "'a' or 'b'"),
        ("inf", "inf"),
        ("1e999", "1e999"),
        ("2+3", "2+3"),
        ("", ""),
        (" 7 ", 7),
        ("٣", "٣"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_without_a_default_only_what_cannot_be_text_is_converted(text: str, value: object) -> None:
    assert repr(read_value(text)) == repr(value)


@pytest.mark.parametrize(
    ("text", "default", "value"),
    [
        ("7", "'a'", "7"),
        ("false", "''", "false"),
        ("[1]", "'x'", "[1]"),
        (" 1.10 ", "'1.0'", " 1.10 "),
        ("'007'", "'1'", "007"),
        ("007", "1", 7),
        ("+49", "1", 49),
        ("2024_01_15", "0", 20240115),
        ("1.10", "0.5", 1.1),
        ("inf", "1.0", math.inf),
        ("many", "1", "many"),
        ("true", "False", True),
        ("{'k': None}", "{}", {"k": None}),
        ("[1, 2]", "[]", [1, 2]),
        ("7", "None", 7),
        ("007", "None", "007"),
        ("7", "f'{1}'", "7"),
    ],
)
def test_the_default_decides(text: str, default: str, value: object) -> None:
    kinds = find_kinds(f"# a comment\np = {default}  # what it is for\n", "python")
    assert repr(read_parameters({"p": text}, kinds)["p"]) == repr(value)


def test_an_annotation_decides_where_there_is_no_default() -> None:
    assert find_kinds("a: str = None\nb: float\nc: list[int] = None\nd = e = 1\n", "python") == {
        "a": "text",
        "b": "number",
        "c": "collection",
        "d": "number",
        "e": "number",
    }
    assert find_kinds("%pip install x\na = '1'\n", "python") == {"a": "text"}


@pytest.mark.parametrize(
    ("source", "language"),
    [("a <- '1'\nb <- 2 # two\n", "R"), ("a='1'\nb=2", "bash"), ('a = "1"; \nb = 2;', "julia")],
)
def test_other_languages_have_defaults_too(source: str, language: str) -> None:
    assert find_kinds(source, language) == {"a": "text", "b": "number"}


def test_what_is_no_text_is_taken_as_it_is() -> None:
    assert read_parameters({"a": 7, "b": None, "c": True}, {"a": "text"}) == {"a": 7, "b": None, "c": True}


@pytest.mark.parametrize(
    ("text", "answer"), [("2+3", True), ("f(1)", True), ("2024-10-15", False), ("a b", False)]
)
def test_expressions_are_recognised(text: str, answer: bool) -> None:
    assert is_expression(text) is answer


@given(st.text(), st.sampled_from(["text", "number", "boolean", "collection", "unknown"]))
def test_any_text_has_a_value_that_json_or_yaml_can_keep(text: str, kind: str) -> None:
    value = read_value(text, kind)  # type: ignore[arg-type]
    if isinstance(value, str):
        assert value == text or text.strip()[:1] in "'\""
    if kind == "text":
        assert isinstance(value, str)


@given(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
def test_what_python_writes_is_read_back(number: int, fraction: float, text: str) -> None:
    assert repr(read_value(str(number))) == repr(number) or len(str(number)) > 400
    assert repr(read_value(repr(fraction))) == repr(fraction)
    assert read_value(json.dumps([text, number])) == [text, number] or abs(number) > 10**4000
    if "\n" not in repr(text):
        assert read_value(repr(text)) == text


@given(st.integers(min_value=0), st.integers(1, 5))
def test_leading_zeros_are_text_unless_a_number_is_expected(number: int, zeros: int) -> None:
    text = "0" * zeros + str(number)
    if len(text) <= 400:
        assert read_value(text) == text
        assert read_value(text, "number") == number


@given(st.text(), st.sampled_from(["python", "R", "bash", ""]))
def test_any_cell_can_be_read(source: str, language: str) -> None:
    find_kinds(source, language)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a = 1  # how often", ("a", "int", "1", "how often")),
        ("a = -1.5", ("a", "float", "-1.5", "")),
        ("a = 'b # c'", ("a", "str", "'b # c'", "")),
        ("a = f'{1}'", ("a", "str", "f'{1}'", "")),
        ("a = True", ("a", "bool", "True", "")),
        ("a = [\n  1,  # one\n  x,\n]  # list", ("a", "list", "[\n  1,  # one\n  x,\n]", "list")),
        ("a = {'b': x}", ("a", "dict", "{'b': x}", "")),
        ("a = None", ("a", "other", "None", "")),
        ("a = now()", ("a", "other", "now()", "")),
        ("a: float = 1", ("a", "float", "1", "")),
        ("a: list[int] = None", ("a", "list", "None", "")),
        ("a: int  # no default", ("a", "int", "", "no default")),
        ("ä = 'ö'  # ü", ("ä", "str", "'ö'", "ü")),
        ("a = 1\na = 'b'", ("a", "str", "'b'", "")),
        ("%matplotlib inline\na = 1  # after a magic", ("a", "int", "1", "after a magic")),
    ],
)
def test_defaults_in_python(source: str, expected: tuple[str, str, str, str]) -> None:
    [found] = list_defaults(source, "python")
    assert (found.name, found.type, found.default, found.comment) == expected


def test_defaults_in_other_languages() -> None:
    source = "a <- 1 # one\nb <- 'x'\nc = [1, 2];\nlet d = true\nlibrary(e)"
    found = [(one.name, one.type, one.default, one.comment) for one in list_defaults(source, "R")]
    assert found == [
        ("a", "int", "1", "one"),
        ("b", "str", "'x'", ""),
        ("c", "list", "[1, 2]", ""),
        ("d", "bool", "true", ""),
    ]


@pytest.mark.parametrize(
    "source", ["a = [1,", "a = '''", "a = 1\n  b = 2", "a = (" * 300, "\0", "a = 1\\", "#"]
)
def test_defaults_in_a_cell_that_does_not_parse(source: str) -> None:
    assert [one.name for one in list_defaults(source, "python")] in ([], ["a"], ["a", "b"])


@pytest.mark.parametrize(
    ("default", "is_computed"),
    [
        ("date.today()", True),
        ("f'{x}'", True),
        ("a + b", True),
        ("r'x'", False),
        ("(-1, 'a')", False),
        ("None", False),
    ],
)
def test_computed_defaults(default: str, is_computed: bool) -> None:
    assert find_computed(list_defaults(f"a = {default}", "python"), "python") == (
        {"a"} if is_computed else set()
    )
    assert find_computed(list_defaults(f"a = {default}", "bash"), "bash") == set()

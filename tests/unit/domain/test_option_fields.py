"""The fields that a form shows for options."""

from __future__ import annotations

import re

import pytest

from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.option_fields import OPTION_FIELDS, OptionField
from argo_jupyter_scheduler.domain.option_values import OPTION_NAMES
from argo_jupyter_scheduler.domain.options import read_options

VALUES = [
    "1h30m",
    "2h",
    "90",
    "90s",
    "1w2d",
    "0",
    "20",
    "21",
    "30d",
    "soon",
    "h",
    "",
    "-1",
    "1.5",
    "a:b/c@d",
    "me",
]


def accepts(name: str, value: str) -> bool:
    try:
        read_options([f"{name}:{value}"])
    except InvalidJob:
        return False
    return True


def test_every_option_has_a_field() -> None:
    assert {field.name for field in OPTION_FIELDS} == set(OPTION_NAMES)
    assert len(OPTION_FIELDS) == len(OPTION_NAMES)


@pytest.mark.parametrize("field", OPTION_FIELDS, ids=lambda field: field.name)
def test_a_field_explains_itself(field: OptionField) -> None:
    assert field.label
    assert field.help.endswith(".")
    assert field.kind not in ("choice",) or field.choices


@pytest.mark.parametrize("field", OPTION_FIELDS, ids=lambda field: field.name)
def test_the_server_accepts_examples_and_choices(field: OptionField) -> None:
    for value in [field.example, *(value for value, _ in field.choices)]:
        assert not value or accepts(field.name, value)


@pytest.mark.parametrize(
    "field", [field for field in OPTION_FIELDS if field.pattern], ids=lambda field: field.name
)
def test_the_pattern_refuses_no_valid_value(field: OptionField) -> None:
    for value in VALUES:
        assert re.fullmatch(field.pattern, value) or not accepts(field.name, value), value
    assert not re.fullmatch(field.pattern, "soon!")

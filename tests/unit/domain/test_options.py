"""What a job may ask for by its tags and parameters."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest

from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.options import (
    Options,
    add_fields,
    near_misses,
    read_fields,
    read_options,
    replace_fields,
)


def read(fields: dict[str, Any]) -> Options:
    return read_options(fields.get("tags"), fields.get("runtime_environment_parameters"))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Options()),
        ({"tags": None, "runtime_environment_parameters": None}, Options()),
        ({"tags": ["timeout:2h", "retries:3", "image:quay.io/a/b:1"]}, Options(7200, 3, "quay.io/a/b:1")),
        (
            {"tags": ["Timeout: 1h 30m", "team:blue", "at:9:00", "a", "stage:prod", "time:noon"]},
            Options(5400),
        ),
        (
            {
                "tags": [
                    "report 2024",
                    "image 2024",
                    "timeout tests",
                    "a=b",
                    "environment:prod",
                    "memory:leak",
                    "gpu:v100",
                    "entries:2024",
                    "series:a",
                    "retry: later",
                    "deadline:friday",
                ]
            },
            Options(),
        ),
        ({"runtime_environment_parameters": {"timeout": 90, "max_retries": "0"}}, Options(90, 0)),
        ({"runtime_environment_parameters": {"timeout": "45s"}, "tags": ["timeout:45"]}, Options(45)),
        ({"tags": ["timeout:1d"]}, Options(86400)),
        ({"tags": ["timeout:2 h", "concurrency: forbid"]}, Options(7200, concurrency="Forbid")),
        ({"timeout_seconds": 600, "max_retries": 0}, Options()),  # the columns' defaults are nobody's wish
    ],
)
def test_options_are_read(fields: dict[str, Any], expected: Options) -> None:
    assert read(fields) == expected


BAD: list[tuple[dict[str, Any], str]] = [
    (
        {"runtime_environment_parameters": {"colour": 1}},
        "Option 'colour' not found. Available: timeout, retries, image, concurrency",
    ),
    ({"runtime_environment_parameters": {"imag": "x"}}, "Did you mean 'image'?"),
    *(
        ({"tags": [f"timeout:{text}"]}, "Option timeout")
        for text in ("", "soon", "0", "-5", "2h1d", "900d", "1.5h", "9" * 5000)
    ),
    *(({"tags": [f"retries:{text}"]}, "Option retries") for text in ("", "many", "-1", "21", "1.5")),
    ({"runtime_environment_parameters": {"retries": True}}, "Option retries"),
    *(
        ({"tags": [f"image:{text}"]}, "Option image")
        for text in ("", "a b", "{{workflow.name}}", "-x", "x" * 600)
    ),
    ({"tags": ["concurrency:wait"]}, "Available: allow, forbid, replace."),
    ({"tags": ["timeout:1h", "timeout:2h"]}, "given twice: tag 'timeout:1h' and tag 'timeout:2h'"),
    ({"tags": ["retries:1"], "runtime_environment_parameters": {"retries": 2}}, "given twice"),
]


@pytest.mark.parametrize(("fields", "words"), BAD)
def test_what_cannot_be_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJob) as error:
        read(fields)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("tag", "meant"),
    [
        ("timeout=2h", "timeout:2h"),
        ("Timeout = 2h", "timeout:2h"),
        ("timeout 1h 30m", "timeout:1h 30m"),
        ("timeout\uff1a2h", "timeout:2h"),
        ("timout:2h", "timeout:2h"),
        ("retry:3", "retries:3"),
        ("max_runtime:2h", "timeout:2h"),
        ("image=quay.io/a:1", "image:quay.io/a:1"),
    ],
)
def test_a_near_miss_is_a_warning(tag: str, meant: str) -> None:
    assert read({"tags": [tag]}) == Options()
    assert near_misses([tag]) == [f"Tag '{tag}' is not an option. Did you mean '{meant}'?"]


ORDINARY = ["memory:leak", "gpu:v100", "entries:2024", "series:a", "retry: later", "deadline:friday", "a=b"]
ORDINARY += ["image 2024", "report 2024", "time:noon", "cpus:4", "", ":", "=", " "]


def test_ordinary_tags_and_options_are_no_near_misses() -> None:
    assert near_misses(None) == near_misses([*ORDINARY, "timeout:2h", "retries:3", "max_retries:3"]) == []


@pytest.mark.parametrize("character", [" ", "a", ":", "=", "9", "timeout ", "d", "h", "\uff1a"])
def test_a_tag_of_any_length_is_read_at_once(character: str) -> None:
    """No pattern backtracks: what took an hour takes less than the timer's step."""
    begun = time.process_time()
    tag = character * 100_000
    with contextlib.suppress(InvalidJob):
        read({"tags": [tag, f"timeout:{tag}", f"image:{tag}", f"retries:{tag}"]})
    near_misses([tag, f"timeout {tag}", f"image={tag}"])
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": "n", "max_retries": None}, {}),
        ({"timeout_seconds": 60, "max_retries": 0}, {"timeout_seconds": 60, "max_retries": 0}),
        ({"timeout_seconds": 60.0, "max_retries": "3"}, {"timeout_seconds": 60, "max_retries": 3}),
        ({"min_retry_interval_millis": 1}, {"retry_interval": 1}),
        ({"min_retry_interval_millis": 2500}, {"retry_interval": 3}),
        ({"min_retry_interval_millis": 0}, {"retry_interval": 0}),
    ],
)
def test_fields_of_the_api_are_options(fields: dict[str, Any], expected: dict[str, int]) -> None:
    assert read_fields(fields) == expected
    asked = add_fields(None, expected)
    assert read({"runtime_environment_parameters": asked}) is not None
    assert asked is None or 0 not in asked.values()


@pytest.mark.parametrize("value", [-1, 1.5, "2h", True, [], {}, "9" * 16])
def test_a_field_that_is_not_a_whole_number_is_refused_by_name(value: object) -> None:
    with pytest.raises(InvalidJob, match=r"timeout_seconds: .* is not a whole number of 0 or more\."):
        read_fields({"timeout_seconds": value})


def test_a_field_replaces_an_earlier_option_and_0_takes_it_away() -> None:
    before = {"timeout": "2h", "retries": 3}
    assert replace_fields(before, {"timeout_seconds": 60}) == {"retries": 3, "timeout_seconds": 60}
    assert replace_fields(before, {"timeout_seconds": 0}) == {"retries": 3}
    assert replace_fields(None, {"max_retries": 0}) == {}
    assert add_fields({"timeout": "2h"}, {"timeout_seconds": 60}) == {"timeout": "2h", "timeout_seconds": 60}


def test_the_interval_between_attempts() -> None:
    assert read({"tags": ["retries:2", "retry_interval:1m"]}) == Options(retries=2, retry_interval=60)
    with pytest.raises(InvalidJob, match="at most a day"):
        read({"tags": ["retry_interval:2d"]})

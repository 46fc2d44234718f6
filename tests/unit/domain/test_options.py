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
    read_concurrency,
    read_fields,
    read_keep,
    read_late,
    read_notify,
    read_options,
    replace_fields,
)
from argo_jupyter_scheduler.domain.retention import Keep


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
        ({"tags": ["timeout:1w1d"]}, Options(8 * 86400)),
        ({"tags": ["keep:20"]}, Options(keep=Keep(runs=20))),
        ({"tags": ["Keep: 30 d"]}, Options(keep=Keep(seconds=30 * 86400))),
        ({"tags": ["keep:4w", "keep:28d"]}, Options(keep=Keep(seconds=28 * 86400))),
        ({"runtime_environment_parameters": {"keep": 20}}, Options(keep=Keep(runs=20))),
        ({"runtime_environment_parameters": {"keep": "12h"}}, Options(keep=Keep(seconds=12 * 3600))),
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
    *(
        ({"tags": [f"keep:{text}"]}, "Write a number of runs, such as 20, or a time of at least an hour")
        for text in ("", "all", "0", "-1", "1.5", "20 runs", "59m", "101000w", "9" * 5000, "\u0663", "0d")
    ),
    ({"runtime_environment_parameters": {"keep": True}}, "Option keep"),
    ({"tags": ["keep:20", "keep:30d"]}, "given twice"),
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
        ("late=10m", "late:10m"),
        ("lateness:10m", "late:10m"),
        ("keep=20", "keep:20"),
        ("retention:30d", "keep:30d"),
    ],
)
def test_a_near_miss_is_a_warning(tag: str, meant: str) -> None:
    assert read({"tags": [tag]}) == Options()
    assert near_misses([tag]) == [f"Tag '{tag}' is not an option. Did you mean '{meant}'?"]


ORDINARY = ["memory:leak", "gpu:v100", "entries:2024", "series:a", "retry: later", "deadline:friday", "a=b"]
ORDINARY += [
    "date:2024",
    "rate:5",
    "plate:3",
    "image 2024",
    "report 2024",
    "time:noon",
    "cpus:4",
    "",
    ":",
    "=",
    " ",
]


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
    with pytest.raises(
        InvalidJob, match=r"timeout_seconds: .* is not valid\. Use a whole number of 0 or more\."
    ):
        read_fields({"timeout_seconds": value})


def test_a_field_replaces_an_earlier_option_and_0_takes_it_away() -> None:
    before = {"timeout": "2h", "retries": 3}
    assert replace_fields(before, {"timeout_seconds": 60}) == {"retries": 3, "timeout_seconds": 60}
    assert replace_fields(before, {"timeout_seconds": 0}) == {"retries": 3}
    assert replace_fields(None, {"max_retries": 0}) == {}
    assert add_fields({"timeout": "2h"}, {"timeout_seconds": 60}) == {"timeout": "2h", "timeout_seconds": 60}


@pytest.mark.parametrize(("text", "seconds"), [("10m", 600), ("0", 0), ("1h30m", 5400), ("30d", 2_592_000)])
def test_how_late_a_run_may_begin(text: str, seconds: int) -> None:
    for fields in ({"tags": [f"late:{text}"]}, {"runtime_environment_parameters": {"late": text}}):
        assert read(fields) == Options(late=seconds)
    assert read_late([f"late:{text}"], None, 60) == seconds


def test_a_grace_that_cannot_be() -> None:
    for text in ("", "soon", "-5"):
        with pytest.raises(InvalidJob, match="Option late"):
            read({"tags": [f"late:{text}"]})
    with pytest.raises(InvalidJob, match="at most 30 days"):
        read({"tags": ["late:31d"]})
    assert [read_late(tags, None, 60) for tags in (None, ["a"], ["late:soon"])] == [60, 60, 60]


def test_the_interval_between_attempts() -> None:
    assert read({"tags": ["retries:2", "retry_interval:1m"]}) == Options(retries=2, retry_interval=60)
    with pytest.raises(InvalidJob, match="at most a day"):
        read({"tags": ["retry_interval:2d"]})


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        (None, Keep(runs=5)),
        (("a",), Keep(runs=5)),
        (("keep:30d",), Keep(seconds=30 * 86400)),
        (("keep:all",), Keep()),  # of a row that nobody checked: when in doubt, nothing is deleted
        (("timeout:soon",), Keep()),
    ],
)
def test_what_is_kept_of_a_row(tags: tuple[str, ...] | None, kept: Keep) -> None:
    assert read_keep(tags, None, Keep(runs=5)) == kept


def test_a_tag_of_before_that_is_an_option_now_ends_no_run() -> None:
    tags = ["keep:me", "late:for dinner", "timeout:2h"]
    assert read_options(tags, of_run=True).timeout == 7200
    assert read_concurrency([*tags, "concurrency:forbid"], None, "Allow") == "Forbid"
    with pytest.raises(InvalidJob):
        read_options(tags)


@pytest.mark.parametrize(
    ("tags", "parameters", "expected"),
    [
        (["notify:team"], None, (("team",), "always")),
        (["notify: Team,ops , team", "notify_on:CHANGE"], None, (("team", "ops"), "change")),
        ([], {"notify": "a-1", "notify_on": "failure"}, (("a-1",), "failure")),
        (["notify:me and you"], None, ((), "always")),  # a tag of before there was this option
        (None, None, ((), "always")),
    ],
)
def test_who_is_notified(tags: Any, parameters: Any, expected: tuple[tuple[str, ...], str]) -> None:
    assert read_notify(tags, parameters, "always") == expected


@pytest.mark.parametrize(
    "value", ["", "a,,b", "a b", "-a", ",".join("abcdefghijk"), "x" * 64, "mailto://a:b@c", "me@example.org"]
)
def test_what_names_no_target_is_refused(value: str) -> None:
    with pytest.raises(InvalidJob, match="Option notify: ") as error:
        read_options([f"notify:{value}"])
    assert "@" not in str(error.value)


def test_a_run_with_an_older_tag_is_not_ended_by_it() -> None:
    assert read_options(["notify:me and you", "timeout:1h"], of_run=True).timeout == 3600

"""Where outputs go: what is understood, what is refused, and that no value leads elsewhere."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.output_template import (
    MAX_FOLDER_BYTES,
    PLACEHOLDERS,
    parse_output_template,
)

VALUES = {"name": "Sales", "date": "2026-11-27", "time": "14-05-09", "status": "failed", "region": "North"}


@pytest.mark.parametrize(
    ("text", "store", "folders", "latest"),
    [
        ("reports", "", ("reports",), ("reports", "latest")),
        ("reports/{name}/{date}", "", ("reports", "Sales", "2026-11-27"), ("reports", "Sales", "latest")),
        (
            " ./a//{ region }/x{time}y/{name}/ ",
            "",
            ("a", "North", "x14-05-09y", "Sales"),
            ("a", "North", "latest"),
        ),
        ("{status}", "", ("failed",), ("latest",)),
        (".", "", (), ("latest",)),
        ("s3://bucket", "s3://bucket", (), ("latest",)),
        ("gs://my.bucket/a/{name}", "gs://my.bucket", ("a", "Sales"), ("a", "Sales", "latest")),
        ("{nothing}", "", ("_",), ("_", "latest")),
    ],
)
def test_a_template_is_filled(
    text: str, store: str, folders: tuple[str, ...], latest: tuple[str, ...]
) -> None:
    template = parse_output_template(text)
    assert template.store == store
    assert template.fill(VALUES) == folders
    assert template.fill_latest(VALUES) == latest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the folder is missing"),
        ("/etc", "'/etc' is not a path within the root folder"),
        ("~/reports", "is not a path within the root folder"),
        ("a\\b", "is not a path within the root folder"),
        ("../up", "the folder '..' begins with a dot"),
        ("a/../../b", "begins with a dot"),
        ("a/.git", "the folder '.git' begins with a dot"),
        ("a/{name", "'{name' has an unmatched brace"),
        ("a/name}", "unmatched brace"),
        ("a/{{name}}", "unmatched brace"),
        ("a\nb", "control characters"),
        ("a\0b", "control characters"),
        ("x" * 501, "Use at most 500"),
        ("x" * 300, "Use at most 200 bytes"),
        ("file:///etc", "'file://' is not an object store. Available: s3://, gs://, az://"),
        ("https://example.com/a", "'https://' is not an object store"),
        ("s3://", "'' is not the name of a bucket. Write s3://bucket/folder"),
        ("s3://{name}/a", "'{name}' is not the name of a bucket"),
        ("s3://key:secret@bucket/a", "must not contain credentials"),
        ("s3://bucket/a?key=secret", "must not contain credentials"),
    ],
)
def test_what_is_not_a_folder_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidJob, match="Option output: ") as refusal:
        parse_output_template(text)
    assert words in str(refusal.value)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("{dat}", "Available: date"),
        ("a/{Region}", "Available: region"),
        ("a/{xyz}", "Available: date, definition, job_id, name, region, status, time."),
        ("a/{SLACK_TOKEN}", "placeholder '{SLACK_TOKEN}' not found"),
        ("a/{}", "placeholder '{}' not found"),
    ],
)
def test_an_unknown_placeholder_is_refused_with_the_nearest_name(text: str, near: str) -> None:
    with pytest.raises(InvalidJob) as refusal:
        parse_output_template(text).check(["region", "SLACK_TOKEN"])
    assert near in str(refusal.value)


def test_known_placeholders_are_accepted() -> None:
    text = "/".join(f"{{{name}}}" for name in (*PLACEHOLDERS, "region"))
    parse_output_template(text).check(["region"])


@given(st.text(max_size=300), st.sampled_from(["{region}", "a{region}", "{region}.d", "{name}{region}"]))
def test_a_value_is_one_folder_whatever_it_contains(value: str, text: str) -> None:
    [folder] = parse_output_template(text).fill({"region": value, "name": value})
    assert folder
    assert folder not in (".", "..")
    assert not folder.startswith(".")
    assert not set(folder) & set('/\\:*?"<>|\0\n\r\t')
    assert len(folder.encode()) <= MAX_FOLDER_BYTES


def test_a_long_template_is_read_at_once() -> None:
    begun = time.monotonic()
    for text in ("{" * 499, "{}" * 249, "}{" * 249, "a/" * 249, "{" + "a" * 498):
        with contextlib.suppress(InvalidJob):
            parse_output_template(text).fill({})
    assert time.monotonic() - begun < 5

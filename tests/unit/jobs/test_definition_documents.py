"""Job definitions as YAML: what is read, and where something is wrong."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from argo_jupyter_scheduler.domain.errors import InvalidDefinitions
from argo_jupyter_scheduler.jobs.definition_documents import (
    DefinitionDocument,
    make_schema,
    name_files,
    read_documents,
    write_document,
)

SCHEMA = Path(__file__).parents[3] / "docs" / "definitions.schema.json"

DAILY = """\
# The report of each day
name: Daily report
notebook: daily.ipynb
schedule: 0 6 * * *
timezone: Europe/Berlin
parameters: {days: 30, city: no, at: 12:30, day: 2026-03-02, code: 007, share: 1.5, all: true, none: null}
options:
  timeout: 2h
  retries: 3
  notify: [team, ops]
---
---
name: Weekly report
notebook: weekly.ipynb
paused: true
"""


def test_a_file_has_several_documents_with_their_lines() -> None:
    daily, weekly = read_documents(DAILY, "a.yaml", "reports")
    assert daily.content.parameters == {
        "days": 30,
        "city": "no",
        "at": "12:30",
        "day": "2026-03-02",
        "code": "007",
        "share": 1.5,
        "all": True,
        "none": None,
    }
    assert daily.content.options == {"timeout": "2h", "retries": 3, "notify": ["team", "ops"]}
    assert (daily.content.paused, weekly.content.paused) == (False, True)
    assert (daily.place(), daily.place("schedule")) == ("a.yaml:2", "a.yaml:4")
    assert daily.place("options.retries") == "a.yaml:9"
    assert (weekly.place(), weekly.place("paused"), weekly.place("tags")) == (
        "a.yaml:13",
        "a.yaml:15",
        "a.yaml:13",
    )


def test_all_that_is_wrong_is_said_with_its_line() -> None:
    text = """\
name: Daily report
notbook: daily.ipynb
formats: []
---
name: 3
notebook: n.ipynb
options: {timeout: [1], retries: 1.5}
input_folder: yes
tags: a
parameters: b
"""
    with pytest.raises(InvalidDefinitions) as error:
        read_documents(text, "a.yaml")
    assert sorted(error.value.problems, key=lambda problem: int(problem.split(":")[1])) == [
        "a.yaml:1: The key 'notebook' is missing. Add it.",
        "a.yaml:2: Key 'notbook' not found. Available: notebook.",
        "a.yaml:3: formats: do not leave it empty.",
        "a.yaml:5: name: write text, in quotes if it looks like a number or another value.",
        "a.yaml:7: options.retries: write text, a whole number, or a list of names.",
        "a.yaml:7: options.timeout: write text, a whole number, or a list of names.",
        "a.yaml:8: input_folder: write true or false.",
        "a.yaml:9: tags: write a list, such as [ipynb, html].",
        "a.yaml:10: parameters: write keys and values.",
    ]


BEGIN = "name: a\nnotebook: n.ipynb\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1,\n", "a.yaml:2: The YAML is not valid"),
        ("- a\n", "a.yaml:1: The YAML is not valid: this is not a job definition"),
        ("a\n", "a.yaml:1: The YAML is not valid: this is not a job definition"),
        ("name: a\nname: b\n", "a.yaml:2: The YAML is not valid: the key 'name' is given twice"),
        (
            f"{BEGIN}parameters:\n  x: 1\n  x: 2\n",
            "a.yaml:5: The YAML is not valid: the key 'x' is given twice",
        ),
        (f"{BEGIN}1: 2\n", "a.yaml:3: The YAML is not valid: the key is not text"),
        (f"{BEGIN}parameters: &x {{a: 1}}\ntags: *x\n", "a.yaml:4: The YAML is not valid: aliases"),
        (
            f"{BEGIN}parameters: !!python/object:os.system {{}}\n",
            "a.yaml:3: The YAML is not valid: tags such as",
        ),
        (f"{BEGIN}parameters: {{a: !!bool maybe}}\n", "a.yaml:3: The YAML is not valid: tags such as"),
        ("name: a\n\x01", "a.yaml:2: The YAML is not valid: special characters"),
        ("name: " + "[" * 500, "a.yaml: The YAML is not valid: it is nested too deeply"),
        (f"{BEGIN}parameters: {{a: {'9' * 5000}}}\n", "a.yaml: The YAML is not valid"),
        ("#" * 1_000_001, "a.yaml: The file has 1000001 characters. Use at most 1000000."),
    ],
)
def test_what_is_not_such_a_file_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidDefinitions) as error:
        read_documents(text, "a.yaml")
    [found] = error.value.problems
    assert found.startswith(problem)


CHANGES = st.tuples(st.integers(0, len(DAILY)), st.sampled_from("{}[]:,-#&*!|>'\"%@`\n\t ~?.0\u2028\ufeff"))


@given(st.lists(CHANGES, min_size=1, max_size=5))
def test_whatever_is_in_a_file_is_read_or_refused(changes: list[tuple[int, str]]) -> None:
    text = DAILY
    for place, mark in changes:
        text = text[:place] + mark + text[place + 1 :]
    with contextlib.suppress(InvalidDefinitions):
        read_documents(text, "a.yaml")


def test_a_key_without_a_value_is_left_out() -> None:
    [found] = read_documents("name: a\nnotebook: a.ipynb\noptions:\n  # retries: 3\ntags:\n", "a.yaml")
    assert found.content.model_dump(exclude_defaults=True) == {"name": "a", "notebook": "a.ipynb"}


def test_an_empty_file_has_no_definitions() -> None:
    assert read_documents("", "a.yaml") == read_documents("---\n# nothing\n", "a.yaml") == []


TEXT = st.text(st.characters(codec="utf-8")) | st.text("a: \t\r\n\x85\u2028\u2029\ufeff\uffff")
WORDS = TEXT | st.sampled_from(
    ["no", "1e3", "007", "12:30", "2026-03-02", "null", "~", ".5", "a: b", "- x", "{x", "<<"]
)


@given(
    st.builds(
        DefinitionDocument,
        name=WORDS.filter(bool),
        notebook=WORDS.filter(bool),
        schedule=st.none() | WORDS,
        parameters=st.dictionaries(
            WORDS, st.none() | st.booleans() | st.integers() | WORDS | st.lists(WORDS)
        ),
        options=st.dictionaries(WORDS, st.integers() | WORDS | st.lists(WORDS)),
        tags=st.lists(WORDS),
        paused=st.booleans(),
    )
)
def test_what_is_written_is_read(content: DefinitionDocument) -> None:
    [document] = read_documents(write_document(content), "a.yaml")
    assert document.content == content


def test_the_published_schema_is_that_of_the_model() -> None:
    """Write it anew with: jupyter argo-scheduler apply --schema > docs/definitions.schema.json."""
    assert SCHEMA.read_text(encoding="utf-8") == make_schema()


def test_the_schema_takes_what_is_read_and_refuses_what_is_not() -> None:
    validator = Draft202012Validator(json.loads(make_schema()))
    for document in read_documents(DAILY, "a.yaml"):
        assert validator.is_valid(document.content.model_dump(exclude_defaults=True))
    good = {"name": "a", "notebook": "n.ipynb"}
    bad: list[dict[str, object]] = [
        {"name": "a"},
        {**good, "notbook": "n"},
        {**good, "formats": []},
        {**good, "options": {"timeot": "2h"}},
        {**good, "paused": "yes"},
    ]
    assert validator.is_valid(good)
    assert [validator.is_valid(content) for content in bad] == [False] * len(bad)


def test_the_page_shows_files_that_are_valid() -> None:
    page = (SCHEMA.parent / "definitions-as-files.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    documents = [read_documents(text, "page") for text in blocks if "\nnotebook:" in text]
    assert [len(found) for found in documents] == [2]
    assert all(f"| `{key}` |" in page for key in DefinitionDocument.model_fields)


def test_files_have_names_of_their_own() -> None:
    names = ["Daily report", "daily/report!", "../..", "é" * 300, "Daily report"]
    files = name_files(names)
    assert files[:3] == ["daily-report.yaml", "daily-report-2.yaml", "definition.yaml"]
    assert files[4] == "daily-report-3.yaml"
    assert all(len(file.encode()) < 255 for file in files)

"""Each message has an entry in docs/troubleshooting.md, with its own words and an explanation."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from argo_jupyter_scheduler.domain import messages

PAGE = Path(__file__).parents[3] / "docs" / "troubleshooting.md"
SHORT = 8
"""Literal text of fewer characters is punctuation between two values."""

PARTS = {
    "STILL_WAITING",
    "WAITED",
    "INTERACTIVE_OUTPUT",
    "MOUNT_ADVICE",
    "add_ipykernel",
    "after_attempts",
    "cell_place",
    "leads_out",
    "lies_beside",
    "memory_is_limited",
    "path_not_mounted",
    "path_of_each_pod",
    "path_read_only",
    "picture_placeholder",
    "python_gone",
}
"""Parts of messages, and what an output shows. They are not messages of their own."""


def find_literals(node: ast.AST) -> list[str]:
    """Return the fixed words of a message, in the order in which they stand."""
    return [
        words
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
        for words in [" ".join(part.value.split()).strip(" .:…")]
        if len(words) >= SHORT
    ]


def find_messages() -> dict[str, list[str]]:
    """Return the fixed words of each message by its name."""
    found: dict[str, list[str]] = {}
    nodes = [
        node
        for subject in messages.__all__
        for node in ast.parse(inspect.getsource(getattr(messages, subject))).body
    ]
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = find_literals(node.value)
        elif isinstance(node, ast.FunctionDef):
            found[node.name] = [
                words
                for part in ast.walk(node)
                if isinstance(part, ast.Return) and part.value is not None
                for words in find_literals(part.value)
            ]
    return found


ENTRIES = {
    anchor: text.rstrip()
    for anchor, text in re.findall(
        r'^<a id="([a-z0-9-]+)"></a>\n\n### [^\n]*\n(.*?)(?=^<a |^## |\Z)',
        PAGE.read_text(),
        re.MULTILINE | re.DOTALL,
    )
}


@pytest.mark.parametrize(("name", "literals"), find_messages().items())
def test_each_message_has_its_entry(name: str, literals: list[str]) -> None:
    if name in PARTS:
        return
    anchor = name.lower().replace("_", "-")
    assert anchor in ENTRIES, f"docs/troubleshooting.md has no entry #{anchor} for messages.{name}."
    entry = " ".join(ENTRIES[anchor].replace("\\", "").replace("> ", "").split())
    for words in literals:
        assert words in entry, f"The entry #{anchor} lacks the words {words!r} of messages.{name}."


@pytest.mark.parametrize("anchor", ENTRIES)
def test_each_entry_explains(anchor: str) -> None:
    quoted, _, explanation = ENTRIES[anchor].strip("\n").rpartition("\n\n")
    assert quoted.strip().startswith(">")
    assert len(explanation.split()) >= 4


def test_each_entry_belongs_to_a_message() -> None:
    """Those of Argo and Kubernetes begin with `argo-`."""
    known = {name.lower().replace("_", "-") for name in find_messages()}
    assert {anchor for anchor in ENTRIES if not anchor.startswith("argo-")} <= known


@pytest.mark.parametrize("anchor", ENTRIES)
def test_only_what_an_administrator_must_do_has_the_pages_anchor(anchor: str) -> None:
    """Others act on the message itself; a log's remark that something was left out needs no page."""
    quoted, _, explanation = ENTRIES[anchor].strip("\n").rpartition("\n\n")
    named = re.findall(r"docs/troubleshooting\.md#([\w-]+)", quoted)
    assert set(named) <= {anchor}
    assert not named or explanation.startswith("Administrators: ")
    assert named or not explanation.startswith("Administrators: ")

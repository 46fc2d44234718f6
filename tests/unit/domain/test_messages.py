"""Sentences that a row can show."""

from __future__ import annotations

import errno
import inspect
import json
import re
from collections import Counter
from collections.abc import Iterator
from pkgutil import iter_modules

import pytest

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.argo_failures import count_attempts
from argo_jupyter_scheduler.domain.text import MESSAGE_LENGTH


def test_attempts_are_counted_from_the_second_on() -> None:
    assert messages.runs.after_attempts("no", 1) == "no"
    assert messages.runs.after_attempts("no", 3) == "no (after 3 attempts)"
    assert messages.runs.after_attempts("", 3) == ""  # a later step will know why
    long = messages.runs.after_attempts("x" * 5000, 3)
    assert len(long) == MESSAGE_LENGTH
    assert long.endswith("x… (after 3 attempts)")


def test_a_run_that_was_replaced_says_what_to_do() -> None:
    for words in ("replaced it", "longer than the interval", "concurrency:forbid", "concurrency:allow"):
        assert words in messages.runs.REPLACED


FORBIDDEN = re.compile(
    r"\b(is|are) no\b|no longer|any more|\bnot there\b|\banew\b|\bfor ever\b|all the same|honoured|\bwhoever\b|\btold\b|^What ",
    re.IGNORECASE,
)
"""What a native writer does not write."""

MAX_WORDS = 25


def sentences() -> Iterator[tuple[str, str]]:
    """Yield each message's name and text; functions get an argument for each parameter, by its annotation."""
    samples = {
        "int": 3,
        "float": 3.0,
        "bool": True,
        "Exception": ValueError("why"),
        "Iterable[str]": ["a"],
        "Mapping[str, Exception]": {"html": ValueError("why")},
    }
    for subject in messages.__all__:
        module = getattr(messages, subject)
        for name, value in vars(module).items():
            if name.isupper() and isinstance(value, str):
                yield name, value
            elif inspect.isfunction(value) and value.__module__ == module.__name__:
                kinds = [str(kind.annotation) for kind in inspect.signature(value).parameters.values()]
                yield name, value(*(samples.get(kind.removesuffix(" | None"), "x") for kind in kinds))


def test_each_module_is_a_subject() -> None:
    assert messages.__all__ == sorted(module.name for module in iter_modules(messages.__path__))


def test_a_name_belongs_to_one_subject() -> None:
    names = Counter(name for name, _ in sentences())
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(("name", "text"), [pytest.param(*pair, id=pair[0]) for pair in sentences()])
def test_a_message_is_short_and_plain(name: str, text: str) -> None:
    assert text
    assert not FORBIDDEN.search(text), text
    for sentence in re.split(r"(?<=[.:?]) ", text):
        assert len(sentence.split()) <= MAX_WORDS, sentence


def test_a_full_disk_is_named_and_what_to_do() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/home/jovyan/a")
    assert messages.server.unexpected_error(full).startswith(
        "The disk is full while /home/jovyan/a was written. Delete"
    )
    copied = OSError(errno.ENOSPC, "No space left on device", "/read", None, "/written")
    assert "while /written was written" in messages.server.unexpected_error(copied)
    assert messages.server.unexpected_error(ValueError("a ")) == "ValueError: a"
    assert messages.notebooks.formats_failed({"pdf": full, "html": full}).count("The disk is full") == 1


@pytest.mark.parametrize(
    ("names", "attempts"),
    [(["main(0)", "main(1)", "main(2)", "main"], 3), (["main"], 1), (["main(0)", "main"], 1), ([], 1)],
)
def test_attempts_that_argo_names(names: list[str], attempts: int) -> None:
    failures = json.dumps([{"displayName": name, "message": "m"} for name in names])
    assert count_attempts(failures) == count_attempts(json.dumps(failures)) == attempts
    assert count_attempts("broken") == 1

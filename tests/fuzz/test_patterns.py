"""No regular expression of the package backtracks: twice the text takes twice the time, whatever the text is."""

from __future__ import annotations

import ast
import itertools
import pkgutil
import re
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import argo_jupyter_scheduler

METHODS = ("fullmatch", "match", "search", "sub", "finditer", "findall", "split")

LENGTH, FACTOR = 1_000, 16
"""Characters of the shorter text, and how many times longer the other one is."""

LARGEST_RATIO = 4 * FACTOR
"""Of the longer text's time: a linear pattern takes 16 times as long, a quadratic one 256 times."""

HARMLESS_SECONDS = 0.02
"""What the longer text may take whatever the ratio: so little cannot be measured."""

PAIRS = ("a ", " a", "0.", "a=", "a,", "a\n", "[a", "()", "\"'", "<a", "\\[")
CHARACTERS = " \t\n\ra0_-=:;.,'\"([{<>)]}#/\\|*+!@~%\x1b"


def list_modules() -> Iterator[ModuleType]:
    """Yield the modules of the package."""
    for found in pkgutil.walk_packages(argo_jupyter_scheduler.__path__, "argo_jupyter_scheduler."):
        if not found.name.endswith("__main__"):
            yield import_module(found.name)


def list_uses() -> dict[str, tuple[re.Pattern[str], str]]:
    """Return each pattern with the method that is called, by a name for messages."""
    constants: dict[str, re.Pattern[str]] = {}
    calls: list[tuple[str, str, str]] = []
    uses: dict[str, tuple[re.Pattern[str], str]] = {}
    for module in list_modules():
        where = module.__name__.removeprefix("argo_jupyter_scheduler.")
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                text = value.pattern.decode() if isinstance(value.pattern, bytes) else value.pattern
                constants[name] = re.compile(text, value.flags & ~re.ASCII)
        for call in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            method, of = call.func.attr, call.func.value
            if method not in METHODS or not isinstance(of, ast.Name):
                continue
            first = call.args[0] if call.args else None
            if of.id == "re" and isinstance(first, ast.Constant) and isinstance(first.value, str):
                uses[f"{where}:{call.lineno}"] = (re.compile(first.value), method)
            elif of.id.isupper():
                calls.append((where, of.id, method))
    uses |= {
        f"{where}:{name}.{method}": (constants[name], method)
        for where, name, method in calls
        if name in constants
    }
    unused = set(constants) - {name for _, name, _ in calls}
    return uses | {name: (constants[name], "search") for name in unused}


USES = list_uses()


def list_texts(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield how a hostile text begins, and what it repeats: characters, pairs, and words of the pattern."""
    words = re.findall(r"[a-zA-Z]{2,}", pattern)
    starts = ("", *dict.fromkeys(re.findall(r"[a-z]{3,}|[\[(<{\"'@]", pattern)))[:4]
    yield from itertools.product(starts, (*CHARACTERS, *PAIRS, *dict.fromkeys(words)))


def read_all(pattern: re.Pattern[str], method: str, text: str) -> float:
    """Return the processor's seconds that this thread takes to apply a pattern to a text, the least of five times."""
    found = []
    for _ in range(5):
        begun = time.thread_time()
        if method == "finditer":
            list(pattern.finditer(text))
        elif method == "sub":
            pattern.sub("", text)
        else:
            getattr(pattern, method)(text)
        found.append(time.thread_time() - begun)
        if found[0] < HARMLESS_SECONDS:
            break
    return max(min(found), 1e-5)


def find_slow_text(pattern: re.Pattern[str], method: str) -> str:
    """Return what makes a pattern slow when it is repeated; empty for nothing."""
    for start, part in list_texts(pattern.pattern):
        short, long = (start + part * (count // len(part)) + "\0" for count in (LENGTH, LENGTH * FACTOR))
        seconds = read_all(pattern, method, long)
        if seconds > HARMLESS_SECONDS and seconds > LARGEST_RATIO * read_all(pattern, method, short):
            return start + part
    return ""


def test_patterns_are_found() -> None:
    assert len(USES) > 40
    assert {"domain.option_values:_DURATION.fullmatch", "steps.notebook.pictures:_TITLE.search"} <= set(USES)


def test_a_pattern_that_backtracks_is_found() -> None:
    assert find_slow_text(re.compile(r"a*a*b"), "match") == "a"
    assert find_slow_text(re.compile(r"\d+\.?\d*"), "fullmatch") == "0"
    assert find_slow_text(re.compile(r"<[^>]*>"), "search") == "<"


@pytest.mark.parametrize("use", sorted(USES))
def test_twice_the_text_takes_twice_the_time(use: str) -> None:
    assert find_slow_text(*USES[use]) == ""

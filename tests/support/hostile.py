"""Hostile values for fuzzing: texts that mean something somewhere, and JSON of any type and size."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 0))
"""How many examples each test tries, with a random seed; 0 for a few that are always the same."""


def fuzzed(examples: int) -> settings:
    """Return settings for a test: `examples` always the same ones, or as many random ones as `FUZZ_EXAMPLES` says."""
    return settings(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),  # requests are too slow to look for the smallest one
        suppress_health_check=list(HealthCheck),
    )


WORDS = (
    "",
    " ",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a/../../b",
    "\\..\\b",
    "~",
    "%2e%2e%2f",
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    '"; touch pwned; "',
    "-rf",
    "--help",
    "{{workflow.name}}",
    "{{=1+1}}",
    "{0.__class__}",
    "{username}",
    "%(x)s %s %d",
    "\x1b[31m\x1b]0;title\x07",
    "a\nb",
    "a\r\nSet-Cookie: a=b",
    "2026-01-01 00:00:00 INFO COMPLETED",
    "a\x00b",
    "\x85\u2028\u202e",
    "\ud800",
    "\udcff.ipynb",
    "٣",
    "é" * 200,
    "x" * 300,
    "x" * 5000,
    "=" * 400,
    "timeout:1h" + " " * 3000,
    "retries: 99999999999999999999",
    "image:a b",
    "timeout:",
    "retries:٣",
    "concurrency:forbid",
    "None",
    "null",
    "true",
    "NaN",
    "1e999",
    "9" * 400,
    "n.ipynb",
    "n.ipynb/",
    "./n.ipynb",
    "folder",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "DROP TABLE jobs",
)
"""Texts with a meaning in a shell, a path, a template, a log, a terminal, a database or a page."""

text = st.one_of(
    st.sampled_from(WORDS), st.text(st.characters(exclude_categories=()), max_size=40), st.text(max_size=400)
)
"""Any text, also what is not valid Unicode."""

numbers = st.one_of(
    st.integers(-3, 25),
    st.integers(),
    st.sampled_from([2**31, 2**63, 10**400, -(10**400), 86_400_000]),
    st.floats(),
)

NESTED = tuple(f"nested {levels} times" for levels in (30, 300, 900, 100_000))
"""What `dump` writes as lists in lists, which neither hypothesis nor `json` could write."""

values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, text, st.sampled_from(NESTED)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(text, inner, max_size=4)),
    max_leaves=6,
)
"""Any JSON, also nested deeply."""


def dump(value: Any) -> str:
    """Return JSON."""
    return re.sub(
        r'"nested (\d+) times"', lambda found: "[" * int(found[1]) + "]" * int(found[1]), json.dumps(value)
    )


@st.composite
def damaged(draw: st.DrawFn, whole: Any, times: int = 3) -> Any:
    """Return some JSON with a few of its parts replaced, removed or doubled."""
    found = whole
    for _ in range(draw(st.integers(1, times))):
        found = _damage(draw, found)
    return found


def _damage(draw: st.DrawFn, part: Any) -> Any:
    if isinstance(part, dict) and part and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(part)))
        if not draw(st.integers(0, 4)):
            return {name: value for name, value in part.items() if name != key}
        return {**part, key: _damage(draw, part[key])}
    if isinstance(part, list) and part and draw(st.integers(0, 5)):
        place = draw(st.integers(0, len(part) - 1))
        new = draw(st.sampled_from([[], [part[place]] * 2, [_damage(draw, part[place])]]))
        return [*part[:place], *new, *part[place + 1 :]]
    return draw(values)


def is_one_line(line: str) -> bool:
    """Return whether a log may have this line: no control character, end of line or half a surrogate pair."""
    return not {unicodedata.category(character) for character in line} & {"Cc", "Cs", "Zl", "Zp"}

"""What a check found, and how it is shown."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal, TextIO

from argo_jupyter_scheduler import __version__

OK: Literal["ok"] = "ok"
WARNING: Literal["warning"] = "warning"
PROBLEM: Literal["problem"] = "problem"

MARKS = {OK: "✓", WARNING: "!", PROBLEM: "✗"}
PLAIN_MARKS = {OK: "ok     ", WARNING: "warning", PROBLEM: "problem"}
COLOURS = {OK: "\033[32m", WARNING: "\033[33m", PROBLEM: "\033[31m"}


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    check
        What was looked at, in a word.
    status
        ``ok``; ``warning`` for what may be wrong or is not known; ``problem`` for what keeps runs from working.
    message
        What was found.
    advice
        What to do about it.
    """

    check: str
    status: Literal["ok", "warning", "problem"]
    message: str
    advice: str = ""


def ok(check: str, message: str) -> Finding:
    """Return a finding that is fine."""
    return Finding(check, OK, message)


def warning(check: str, message: str, advice: str = "") -> Finding:
    """Return a finding of what may be wrong, or is not known."""
    return Finding(check, WARNING, message, advice)


def problem(check: str, message: str, advice: str = "") -> Finding:
    """Return a finding of what keeps runs from working."""
    return Finding(check, PROBLEM, message, advice)


def show(findings: Iterable[Finding], out: TextIO) -> list[Finding]:
    """Print findings one by one as they come, a line each, what to do beneath, and how many are bad; return them."""
    marks, colour = MARKS, out.isatty() and "NO_COLOR" not in os.environ
    try:
        "".join(MARKS.values()).encode(out.encoding or "ascii")
    except UnicodeEncodeError:
        marks = PLAIN_MARKS
    shown = []
    for one in findings:
        mark = f"{COLOURS[one.status]}{marks[one.status]}\033[0m" if colour else marks[one.status]
        print(f"{mark} {one.check:<13} {one.message}", file=out, flush=True)
        if one.advice:
            print(f"{' ' * (len(marks[one.status]) + 15)}{one.advice}", file=out, flush=True)
        shown.append(one)
    print(f"\n{summary(shown)}", file=out)
    return shown


def summary(findings: list[Finding]) -> str:
    """Return how many findings are bad, in words."""
    counts = [(sum(one.status == status for one in findings), status) for status in (PROBLEM, WARNING)]
    words = [f"{count} {status}{'s' if count > 1 else ''}" for count, status in counts if count]
    return f"{', '.join(words)}." if words else "All is well."


def as_json(findings: list[Finding]) -> str:
    """Return findings for machines."""
    statuses = {one.status for one in findings}
    worst = next(status for status in (PROBLEM, WARNING, OK) if status in statuses or status == OK)
    content = {"version": __version__, "status": worst, "checks": [asdict(one) for one in findings]}
    return json.dumps(content, indent=1, ensure_ascii=False)

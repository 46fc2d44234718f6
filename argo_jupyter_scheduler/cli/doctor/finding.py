"""The result of a check, and how it is shown."""

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
    """The finding of one check.

    Attributes
    ----------
    check
        The subject, in a word.
    status
        ``ok``; ``warning``: it may be wrong, or is not known; ``problem``: runs will not work.
    message
        The finding, in words.
    advice
        The advice.
    """

    check: str
    status: Literal["ok", "warning", "problem"]
    message: str
    advice: str = ""


def ok(check: str, message: str) -> Finding:
    """Return a finding without a fault."""
    return Finding(check, OK, message)


def warning(check: str, message: str, advice: str = "") -> Finding:
    """Return a finding about something that may be wrong, or is not known."""
    return Finding(check, WARNING, message, advice)


def problem(check: str, message: str, advice: str = "") -> Finding:
    """Return a finding about something that keeps runs from working."""
    return Finding(check, PROBLEM, message, advice)


def show(findings: Iterable[Finding], out: TextIO) -> list[Finding]:
    """Print findings as they come, a line each with its advice beneath, and a summary; return them."""
    marks, colour = MARKS, out.isatty() and "NO_COLOR" not in os.environ
    try:
        "".join(MARKS.values()).encode(out.encoding or "ascii")
    except UnicodeEncodeError:
        marks = PLAIN_MARKS
    shown = []
    for finding in findings:
        mark = f"{COLOURS[finding.status]}{marks[finding.status]}\033[0m" if colour else marks[finding.status]
        print(f"{mark} {finding.check:<13} {finding.message}", file=out, flush=True)
        if finding.advice:
            print(f"{' ' * (len(marks[finding.status]) + 15)}{finding.advice}", file=out, flush=True)
        shown.append(finding)
    print(f"\n{summary(shown)}", file=out)
    return shown


def summary(findings: list[Finding]) -> str:
    """Return the number of problems and warnings, in words."""
    counts = [
        (sum(finding.status == status for finding in findings), status) for status in (PROBLEM, WARNING)
    ]
    words = [f"{count} {status}{'s' if count > 1 else ''}" for count, status in counts if count]
    return f"{', '.join(words)}." if words else "No problems found."


def as_json(findings: list[Finding]) -> str:
    """Return findings for programs."""
    statuses = {finding.status for finding in findings}
    worst = next(status for status in (PROBLEM, WARNING, OK) if status in statuses or status == OK)
    content = {"version": __version__, "status": worst, "checks": [asdict(finding) for finding in findings]}
    return json.dumps(content, indent=1, ensure_ascii=False)

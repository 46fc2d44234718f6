"""A plugin that prints what was tried: it must be known to the process that collects the results of all others."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

COLUMNS = ("lost", "doubled", "misreported", "stuck", "left over")

SEED = os.environ.get("FAULT_SEED", "1")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table of what was tried, also of several processes."""
    tried: Counter[str] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "verdict" and report.when == "teardown":
                    fault, happened, columns = json.loads(value)
                    tried[fault] += happened
                    wrong.update((fault, column) for column in columns)
    if not tried:
        return
    rows = [
        {"fault": fault, "tried": tried[fault], **{column: wrong[fault, column] for column in COLUMNS}}
        for fault in sorted(tried)
    ]
    terminalreporter.section(f"faults, seed {SEED}")
    for line in (rows[0], *(row.values() for row in rows)):
        terminalreporter.write_line(f"| {' | '.join(map(str, line))} |")
    if "FAULT_RESULTS" in os.environ:
        Path(os.environ["FAULT_RESULTS"]).write_text(json.dumps(rows))

"""What a database is asked."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

from sqlalchemy import event

from argo_jupyter_scheduler.storage.database import Database

SCANS_BY_DESIGN = {
    r"SELECT count\(\*\) AS count_1 \s*FROM \(SELECT [^()]* FROM jobs\) AS anon_1": "the panel shows how many jobs there are",
    r"SELECT .* FROM jobs ORDER BY jobs\.create_time DESC\s+LIMIT .*": "follows an index, and stops at the end of the page",
    r"SELECT .* FROM jobs ORDER BY jobs\.(name|input_filename|status) .*": "a person has clicked at the head of a column",
    r"SELECT .* FROM jobs \s*WHERE .*jobs\.(name|tags) LIKE .*": "a filter by a part of a text, which the panel does not send",
}
"""Statements that may read the whole table of jobs, as patterns, and why."""


@contextlib.contextmanager
def no_scan_of_jobs(database: Database) -> Iterator[list[str]]:
    """Explain each statement that is executed meanwhile, and fail where SQLite would read the whole table of jobs.

    Yields the statements that were seen.
    """
    seen: dict[str, object] = {}

    def collect(*arguments: Any) -> None:
        _, _, statement, parameters, _, is_many = arguments
        seen.setdefault(" ".join(statement.split()), parameters[0] if is_many else parameters)

    event.listen(database.engine, "before_cursor_execute", collect)
    statements: list[str] = []
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", collect)
    explainable = re.compile(r"(SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
    statements += [statement for statement in seen if explainable.match(statement)]
    found = {}
    with sqlite3.connect(str(database.engine.url.database)) as connection:
        for statement in statements:
            rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", seen[statement])  # type: ignore[arg-type]
            plan = [str(row[3]) for row in rows]
            if any(line.startswith(("SCAN jobs", "SCAN other")) for line in plan):
                found[statement] = plan
    connection.close()
    for statement, plan in found.items():
        if not any(re.fullmatch(pattern, statement) for pattern in SCANS_BY_DESIGN):
            raise AssertionError(f"{statement}: {plan}")


@contextlib.contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Collect the statements that are executed meanwhile."""
    found: list[str] = []

    def collect(*arguments: object) -> None:
        found.append(str(arguments[2]).split()[0])

    event.listen(database.engine, "before_cursor_execute", collect)
    yield found
    event.remove(database.engine, "before_cursor_execute", collect)

"""What a database is asked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy import event

from argo_jupyter_scheduler.storage.database import Database


@contextlib.contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Collect the statements that are executed meanwhile."""
    found: list[str] = []

    def collect(*arguments: object) -> None:
        found.append(str(arguments[2]).split()[0])

    event.listen(database.engine, "before_cursor_execute", collect)
    yield found
    event.remove(database.engine, "before_cursor_execute", collect)

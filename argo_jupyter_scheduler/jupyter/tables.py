"""Jupyter-Scheduler's tables, made fit for PostgreSQL.

Their columns are declared for SQLite, which ignores types and lengths. PostgreSQL enforces them: a time in milliseconds does not
fit its INTEGER, and some notebooks' parameters exceed 1,024 characters. So the declarations are widened, and
with them the columns of tables that are there already, when the server starts and makes what is missing. See
docs/upstream.md#column-types.
"""

from __future__ import annotations

from typing import Any

from jupyter_scheduler.orm import Base, Job, JobDefinition, JsonType
from sqlalchemy import BigInteger, event, inspect, text
from sqlalchemy.engine import Connection

_TABLES = (Job.__table__, JobDefinition.__table__)
_TIMES = [column for table in _TABLES for column in table.c if column.name.endswith("_time")]
_JSON = [column for table in _TABLES for column in table.c if isinstance(column.type, JsonType)]


def widen_columns() -> None:
    """Declare columns wide enough; call it before the tables are made."""
    for column in _TIMES:
        column.type = BigInteger()
    for column in _JSON:
        column.type = JsonType()  # of any length


@event.listens_for(Base.metadata, "after_create")
def _widen(_: Any, connection: Connection, **options: Any) -> None:
    if connection.dialect.name != "postgresql":
        return
    for table in _TABLES:
        there = inspect(connection).get_columns(table.name)
        types = {column["name"]: column["type"].compile(connection.dialect) for column in there}
        changes = [
            f"ALTER {column.name} TYPE {column.type.compile(connection.dialect)}"
            for column in (*_TIMES, *_JSON)
            if column.table is table and types[column.name].startswith(("INTEGER", "VARCHAR("))
        ]
        if changes:
            connection.execute(text(f"ALTER TABLE {table.name} {', '.join(changes)}"))

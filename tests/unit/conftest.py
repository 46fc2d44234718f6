"""What unit tests do without: a server to clean up, and a disk that has written a commit before it returns."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """Take the place of pytest-jupyter's fixture, which makes a server after each test to clean it up."""


@pytest.fixture(scope="package", autouse=True)
def no_wait_for_the_disk() -> Iterator[None]:
    """Let SQLite leave its writes to the operating system. Another process sees them; only a power cut would lose them."""

    def relax(connection: object, record: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", relax)
    yield
    event.remove(Engine, "connect", relax)

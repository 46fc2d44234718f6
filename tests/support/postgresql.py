"""A PostgreSQL of the tests' own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, NullPool, create_engine, text

PASSWORD = "pässword@/:%{{x}}"


class PostgreSQL:
    """A running server, whose only user has a password. It is reached by its socket, so that no port is to be chosen."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def url(self, database: str = "postgres", password: str | None = PASSWORD) -> str:
        query = {"host": str(self._folder)}
        url = URL.create("postgresql+psycopg", "jupyter", password, database=database, query=query)
        return url.render_as_string(hide_password=False)

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Execute a statement as an administrator; return the rows, if it makes any."""
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            result = connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty database; yield its address."""
        name = f"rows_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        yield self.url(name)
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def cut(self, database: str) -> None:
        """Cut all connections to a database, as a server's restart does."""
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")


@contextlib.contextmanager
def started() -> Iterator[PostgreSQL]:
    """Start a server in a folder of its own; skip the test where PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        required = os.environ.get("REQUIRE_POSTGRESQL") == "1"
        (pytest.fail if required else pytest.skip)(
            "PostgreSQL is not installed (Debian's package postgresql)"
        )
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # pytest's own folders are closed to other users
    user = None
    if os.geteuid() == 0:  # as whom PostgreSQL refuses to run
        user = "postgres"
        shutil.chown(folder, user, user)
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"

    def run(program: str, *arguments: str) -> None:
        command = [f"{programs}/{program}", "-D", f"{folder}/data", *arguments]
        subprocess.run(command, user=user, group=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    (folder / "password").write_text(PASSWORD, encoding="utf-8")
    initial = ("--username=jupyter", f"--pwfile={folder}/password", "--auth=scram-sha-256", "--encoding=UTF8")
    try:
        run("initdb", *initial, "--no-locale", "--no-sync")
        run("pg_ctl", "start", "--wait", f"--log={folder}/log", f"--options={options}")
        try:
            yield PostgreSQL(folder)
        finally:
            run("pg_ctl", "stop", "--mode=immediate")
    finally:
        shutil.rmtree(folder)


def _programs() -> Path | None:
    """Return the folder of PostgreSQL's programs; Debian keeps them off PATH, by version."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    return max(versions, key=lambda path: float(path.parent.name), default=None)

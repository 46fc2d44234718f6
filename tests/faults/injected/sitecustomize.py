"""Breaks a process at a chosen point. Python imports this module by its name, where its folder is on ``PYTHONPATH``.

``FAULT_INJECTION`` is JSON, see `tests.faults.injection.Injection`. A point is reached before each change of a watched file, before and
after each statement of SQLite, and before each request to a server.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sqlite3
import sys
import threading
from typing import Any

FAULT: dict[str, Any] = json.loads(os.environ.get("FAULT_INJECTION") or "{}")
CHANGES = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir"}
ERRORS = {"full": errno.ENOSPC, "read-only": errno.EROFS}


class Injector:
    """Counts points, and breaks the process at one of them."""

    def __init__(self, fault: dict[str, Any]) -> None:
        self.kind, self.at, self.state = fault["kind"], fault["at"], fault["state"]
        self.watched = tuple(fault["watched"])
        self.count = 0
        self.lock = threading.Lock()
        self.log = os.open(f"{self.state}/points", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def reach(self, what: str, is_write: bool = True) -> None:
        if not os.path.exists(f"{self.state}/armed"):
            return
        with self.lock:
            self.count += 1
            os.write(self.log, f"{what}\n".encode(errors="replace"))
            is_due = self.count >= self.at if self.kind in ERRORS else self.count == self.at
            if not is_due:
                return
            if self.kind == "kill":
                with contextlib.suppress(FileExistsError):  # only one process of a trial is killed
                    os.close(os.open(f"{self.state}/broken", os.O_CREAT | os.O_EXCL))
                    os.kill(os.getpid(), signal.SIGKILL)
            elif is_write and self.kind in ERRORS:
                with contextlib.suppress(FileExistsError):
                    os.close(os.open(f"{self.state}/broken", os.O_CREAT | os.O_EXCL))
                code = ERRORS[self.kind]
                if what.startswith("statement"):
                    if self.kind == "full":
                        raise sqlite3.OperationalError("database or disk is full")
                    raise sqlite3.OperationalError("attempt to write a readonly database")
                raise OSError(code, os.strerror(code), what.partition(" ")[2])

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes and isinstance(path, str) and path.startswith(self.watched):
                self.reach(f"open {path}")
        elif event in CHANGES:
            path = os.fspath(arguments[0])
            if isinstance(path, str) and path.startswith(self.watched):
                self.reach(f"{event} {path}", is_write=event not in ("os.remove", "os.rmdir"))
        elif event == "http.client.send":
            self.reach("request", is_write=False)


def _watch_sqlite(injector: Injector) -> None:
    from sqlite3 import dbapi2

    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *arguments: Any) -> Any:
            is_write = sql.lstrip().upper().startswith(("UPDATE", "INSERT", "DELETE"))
            if is_write:
                injector.reach(f"statement {sql.split(' WHERE ')[0]}")
            result = super().execute(sql, *arguments)
            if is_write:
                injector.reach("executed", is_write=False)
            return result

    class Connection(sqlite3.Connection):
        def cursor(self, *arguments: Any, **keywords: Any) -> Any:
            return super().cursor(Cursor)

        def commit(self) -> None:
            was_changed = self.in_transaction
            super().commit()
            if was_changed:
                injector.reach("committed", is_write=False)

    connect = sqlite3.connect

    def watched_connect(*arguments: Any, **keywords: Any) -> Any:
        return connect(*arguments, **{"factory": Connection, **keywords})

    dbapi2.connect = sqlite3.connect = watched_connect


if FAULT and FAULT["target"] in " ".join(sys.orig_argv):
    _injector = Injector(FAULT)
    _watch_sqlite(_injector)
    sys.addaudithook(_injector.hook)

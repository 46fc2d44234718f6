"""The id of a database: run folders and workflows carry it, so that a server does not clean up what belongs to another database.

An address is not enough: ``/home/jovyan/….sqlite`` of each user is on a volume of its own. So a SQLite database has its id in a
file beside it, ``<database>.id``, which is made with the first job. The id of a database server follows from its address.
"""

from __future__ import annotations

import contextlib
import re
import socket
import uuid
from pathlib import Path

from sqlalchemy.engine import URL

from argo_jupyter_scheduler.storage.atomic import write_whole

LOCAL_HOSTS = (None, "", "localhost", "127.0.0.1", "::1")
"""Addresses that mean another machine on each machine."""


def find_database_id(url: URL) -> str:
    """Return a database's id, 32 hexadecimal digits; empty where it has none yet, or cannot have one."""
    if url.get_backend_name() != "sqlite":
        machine = socket.gethostname() if url.host in LOCAL_HOSTS else ""
        address = url._replace(password=None).render_as_string()
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{machine} {address}").hex
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = _file_of(url).read_text(encoding="ascii").strip()
        return text if re.fullmatch(r"[0-9a-f]{32}", text) else ""
    return ""


def make_database_id(url: URL) -> str:
    """Return a database's id, and make it where there is none; empty where that is not possible.

    Of two servers that make one at once, one wins. What the other has made meanwhile is of an unknown database.
    """
    found = find_database_id(url)
    if found or url.database in (None, "", ":memory:"):
        return found
    with contextlib.suppress(OSError):
        write_whole(_file_of(url), uuid.uuid4().hex, private=True)
    return find_database_id(url)


def _file_of(url: URL) -> Path:
    return Path(f"{url.database}.id")

"""Folders of the user in which a run puts its outputs: within the root folder, or in an object store.

Files appear whole, and no file is overwritten that this package did not write.
"""

from __future__ import annotations

import contextlib
import filecmp
import importlib.util
import json
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.domain.output_template import STORES
from argo_jupyter_scheduler.domain.text import one_line, shorten
from argo_jupyter_scheduler.storage.atomic import beside, remove_unfinished, sync, write_whole
from argo_jupyter_scheduler.storage.copying import copy_content
from argo_jupyter_scheduler.storage.locks import locked

RECORD = ".argo-jupyter-scheduler.json"
"""The file of `latest` that says which run wrote which of its files."""

STORE_ATTEMPTS = 3
"""How often something is tried with an object store."""

STORE_PAUSE_SECONDS = 1.0
"""Before the second attempt; the pause before each further one is three times as long."""

MAX_REASON_CHARACTERS = 300
"""Of what an object store says."""

_STORE_OPTIONS: dict[str, dict[str, Any]] = {
    # botocore waits for minutes by default, and s3fs tries again by itself.
    "s3": {"config_kwargs": {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 0}}},
    "gs": {},
    "az": {"anon": False},  # the pod's own identity, where its environment has no key
}

Result = TypeVar("Result")

log = logging.getLogger("argo_jupyter_scheduler")


class Destination(Protocol):
    """A folder that is made when the first file is put there."""

    address: str
    """Its full path or its address."""

    def create(self, source: Path, name: str) -> bool:
        """Copy a file here; return False where there is another one of that name."""

    def replace(self, source: Path, name: str) -> None:
        """Copy a file here, replacing any file of that name."""

    def exists(self, name: str) -> bool:
        """Return whether there is something of that name."""

    def delete(self, name: str) -> None:
        """Delete a file; one that is gone is not an error."""

    def read_record(self) -> dict[str, Any]:
        """Return the content of `RECORD`; empty where there is none, or a damaged one."""

    def write_record(self, content: dict[str, Any]) -> None:
        """Write `RECORD`."""

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Keep others who do the same waiting, as far as that is possible here."""

    def locate(self, name: str) -> str:
        """Return the full path or the address of a file."""


class RootFolder:
    """A folder within the root folder.

    Parameters
    ----------
    root
        The root folder.
    folders
        The names of the folders, outer ones first.
    left_out
        Folders that it must not be in, such as the staging area.
    owner
        The id of the run whose files are put here.

    Raises
    ------
    RunError
        A link leads out of the root folder.
    """

    def __init__(
        self, root: Path, folders: Sequence[str], left_out: Sequence[Path] = (), owner: str = ""
    ) -> None:
        self._root, self._left_out, self._owner = root, left_out, owner
        self._folder = root.joinpath(*folders)
        self.address = str(self._folder)
        self.check(self._folder)

    def check(self, path: Path) -> None:
        """Refuse a path outside the root folder, wherever links lead.

        Raises
        ------
        RunError
            With the path.
        """
        real = path.resolve()
        within_root = real.is_relative_to(self._root.resolve())
        if not within_root or any(real.is_relative_to(folder.resolve()) for folder in self._left_out):
            raise RunError(messages.outputs.OUTPUT_OUTSIDE_ROOT)

    def create(self, source: Path, name: str) -> bool:
        """Copy a file here; return False where there is another one of that name."""
        target = self._make_place(name)
        with self._copied(source, target) as part:
            try:
                os.link(part, target)
            except FileExistsError:
                return _is_same(source, target)
            except OSError:  # a file system without hard links
                if os.path.lexists(target):
                    return _is_same(source, target)
                os.replace(part, target)
        sync(target.parent)
        return True

    def replace(self, source: Path, name: str) -> None:
        """Copy a file here, replacing any file of that name."""
        target = self._make_place(name)
        with self._copied(source, target) as part:
            try:
                os.replace(part, target)
            except IsADirectoryError as error:
                raise RunError(messages.outputs.output_occupied(str(target))) from error
        sync(target.parent)

    def exists(self, name: str) -> bool:
        """Return whether there is something of that name."""
        return os.path.lexists(self._place(name))

    def delete(self, name: str) -> None:
        """Delete a file; one that is gone is not an error."""
        target = self._place(name)
        self.check(target.parent)
        target.unlink(missing_ok=True)

    def read_record(self) -> dict[str, Any]:
        """Return the content of `RECORD`; empty where there is none, or a damaged one."""
        path = self._folder / RECORD
        return _read_record(path.read_bytes()) if path.is_file() else {}

    def write_record(self, content: dict[str, Any]) -> None:
        """Write `RECORD`."""
        write_whole(self._make_place(RECORD), json.dumps(content, indent=1), owner=self._owner)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others who do the same waiting, on any machine."""
        with contextlib.ExitStack() as stack:
            path = self._make_place(f"{RECORD}.lock")
            self.check(path)  # a link would make a file elsewhere
            with contextlib.suppress(OSError):
                path.touch()
                stack.enter_context(locked(path))
            yield

    def locate(self, name: str) -> str:
        """Return the full path of a file."""
        return str(self._folder / name)

    def _place(self, name: str) -> Path:
        """Return where a file is; its name may come from a record that others can write."""
        if os.path.isabs(name) or ".." in Path(name).parts:
            raise RunError(messages.outputs.OUTPUT_OUTSIDE_ROOT)
        return self._folder / name

    def _make_place(self, name: str) -> Path:
        target = self._place(name)
        self.check(target.parent)  # a link may have been put there meanwhile
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            file = next(path for path in (target.parent, *target.parents) if os.path.lexists(path))
            raise RunError(messages.outputs.output_occupied(str(file))) from error
        self.check(target.parent)
        return target

    @contextlib.contextmanager
    def _copied(self, source: Path, target: Path) -> Iterator[Path]:
        """Yield a copy beside its place. It is locked, so only that of a killed process is deleted."""
        if self._owner:
            remove_unfinished(target.parent, self._owner)
        with beside(target, self._owner) as part:
            part.touch()
            with locked(part):
                copy_content(source, part)
                sync(part)
                yield part


class StoreFolder:
    """A folder in an object store. Its libraries find credentials in the environment, or as the service account that this is.

    Parameters
    ----------
    store
        The protocol and the bucket, such as ``s3://bucket``.
    folders
        The names of the folders, outer ones first.

    Raises
    ------
    RunError
        The package for such stores is not installed.
    """

    def __init__(self, store: str, folders: Sequence[str]) -> None:
        self.address = "/".join((store, *folders))
        protocol = store.partition("://")[0]
        if not is_store_installed(protocol):
            raise RunError(messages.outputs.store_not_installed(protocol, STORES[protocol][1]))
        import fsspec

        options = {"use_listings_cache": False, "skip_instance_cache": True, **_STORE_OPTIONS[protocol]}
        self._store = _try_store(lambda: fsspec.filesystem(protocol, **options))

    def check(self, write: bool) -> None:
        """See whether the store can be used.

        Parameters
        ----------
        write
            Whether a small object is written, and deleted again.

        Raises
        ------
        RunError
            It cannot be used; says why.
        """
        bucket = self.address.partition("://")[2].partition("/")[0]
        _try_store(lambda: self._store.info(bucket), attempts=1)
        if write:
            name = self.locate(f"{RECORD}.{uuid.uuid4().hex}")
            _try_store(lambda: self._store.pipe_file(name, b"{}"), attempts=1)
            _try_store(lambda: self._store.rm_file(name), attempts=1)

    def create(self, source: Path, name: str) -> bool:
        """Copy a file here; return False where there is another one of that name."""
        if self.exists(name):
            return False
        self.replace(source, name)
        return True

    def replace(self, source: Path, name: str) -> None:
        """Copy a file here, replacing any file of that name; stores show it once it is whole."""
        _try_store(lambda: self._store.put_file(str(source), self.locate(name)))

    def exists(self, name: str) -> bool:
        """Return whether there is something of that name."""
        return bool(_try_store(lambda: self._store.exists(self.locate(name))))

    def delete(self, name: str) -> None:
        """Delete a file; one that is gone is not an error."""
        if self.exists(name):
            _try_store(lambda: self._store.rm_file(self.locate(name)))

    def read_record(self) -> dict[str, Any]:
        """Return the content of `RECORD`; empty where there is none, or a damaged one."""
        if not self.exists(RECORD):
            return {}
        return _read_record(_try_store(lambda: self._store.cat_file(self.locate(RECORD))))

    def write_record(self, content: dict[str, Any]) -> None:
        """Write `RECORD`."""
        text = json.dumps(content, indent=1).encode()
        _try_store(lambda: self._store.pipe_file(self.locate(RECORD), text))

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Do nothing: stores have no locks."""
        return contextlib.nullcontext()

    def locate(self, name: str) -> str:
        """Return the address of a file."""
        return f"{self.address}/{name}"


def is_store_installed(protocol: str) -> bool:
    """Return whether the package for an object store's protocol is installed here."""
    return all(importlib.util.find_spec(name) for name in ("fsspec", STORES[protocol][0]))


def _try_store(call: Callable[[], Result], attempts: int = STORE_ATTEMPTS) -> Result:
    """Call a function that asks a store, again where it fails.

    Raises
    ------
    RunError
        With the last reason.
    """
    pause = STORE_PAUSE_SECONDS
    for attempt in range(1, attempts + 1):
        try:
            return call()
        except RunError:  # this process is told to end
            raise
        except Exception as error:  # each store's library raises errors of its own
            reason = shorten(one_line(f"{type(error).__name__}: {error}"), MAX_REASON_CHARACTERS)
            if attempt == attempts:
                raise RunError(reason) from error
            log.warning("Retrying the object store: %s", reason)
        time.sleep(pause)
        pause *= 3
    raise AssertionError  # pragma: no cover (the last attempt returns or raises)


def _is_same(source: Path, target: Path) -> bool:
    """Return whether two files have the same content: an earlier process put it there, and died before it could note it."""
    return target.is_file() and filecmp.cmp(source, target, shallow=False)


def _read_record(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

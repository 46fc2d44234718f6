"""Marks of changes that are in progress, so that one that was interrupted can be found and finished.

A mark is an empty file in ``<staging path>/.argo-jupyter-scheduler/<subject>``, called ``<id>.<uuid>.<action>``. Its process holds
it locked, so a killed process leaves a mark that is recognised at once. Where the file system has no locks, and for marks of
earlier versions (``<id>.<uuid>``), a mark counts as abandoned once nobody has touched it for a minute.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from argo_jupyter_scheduler.storage.input_folder import PRIVATE
from argo_jupyter_scheduler.storage.locks import is_locked, locked

DEFINITIONS, JOBS, STARTS = "unsettled", "unsettled-jobs", "unsettled-starts"
"""The subjects: changes of definitions, changes of jobs, and scheduled runs of this machine that are being started."""

CHANGE = "change"
"""The action of a mark that names none."""

ATTEMPTS = 20
"""How often the folder of marks is made again while another process removes it."""

UNNAMED_SECONDS = 5.0
"""How long a process may take to name its mark; a change whose mark is removed before that goes on unmarked."""


class Mark:
    """A change that is in progress, or was abandoned."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def id(self) -> str:
        """The id of the job or definition that is changed."""
        return self.path.name.split(".")[0]

    @property
    def action(self) -> str:
        """The kind of change."""
        return (*self.path.name.split(".", 2), CHANGE)[2]

    def become(self, action: str) -> None:
        """Say that something else is done from now on."""
        path = self.path.with_name(".".join([*self.path.name.split(".")[:2], action]))
        with contextlib.suppress(FileNotFoundError):
            os.replace(self.path, path)
        self.path = path


class ChangeMarkers:
    """Marks changes of one subject.

    Parameters
    ----------
    staging_path
        The staging area.
    subject
        `DEFINITIONS`, `JOBS` or `STARTS`.
    """

    ABANDONED_SECONDS = 60.0
    """Age of a mark that nobody touches, after which its change is abandoned; where no lock tells it."""

    def __init__(self, staging_path: str | Path, subject: str) -> None:
        self._folder = Path(staging_path) / PRIVATE / subject

    @contextlib.contextmanager
    def mark_change(self, id_: str, action: str = CHANGE) -> Iterator[Mark]:
        """Mark a change while it lasts. A change that may be half done stays marked as abandoned.

        A full disk keeps nobody from a change, such as deleting something: it is then not marked.
        """
        beside = self._folder / f".{uuid.uuid4()}"
        mark = Mark(self._folder / f"{id_}.{beside.name[1:]}.{action}")
        over = threading.Event()
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):
                self._make(beside)
                stack.enter_context(locked(beside))  # before it has its name, so nobody finds it abandoned
                os.replace(beside, mark.path)
            threading.Thread(target=self._keep_touching, args=(mark, over), daemon=True).start()
            try:
                yield mark
            except BaseException as error:
                over.set()
                if getattr(error, "half_done", True):
                    with contextlib.suppress(OSError):
                        os.utime(mark.path, (0, 0))
                else:
                    self.remove(mark)
                raise
            over.set()
            self.remove(mark)

    def remove(self, mark: Mark) -> None:
        """Remove a mark, and the marks' folder with the last one."""
        mark.path.unlink(missing_ok=True)
        for folder in (self._folder, self._folder.parent):
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()

    def find_abandoned(self) -> list[Mark]:
        """Return the marks of changes that were abandoned, oldest first. Remove each once its change is finished."""
        found = []
        for path in self._list():
            with contextlib.suppress(FileNotFoundError):
                touched = path.stat().st_mtime
                if path.name.startswith("."):  # a process was killed before it named its mark
                    if time.time() - touched > UNNAMED_SECONDS:
                        self.remove(Mark(path))
                elif self._is_abandoned(path, touched):
                    found.append((touched, path.name, Mark(path)))
        return [mark for *_, mark in sorted(found, key=lambda one: one[:2])]

    def find_in_progress(self) -> set[str]:
        """Return the ids of what is being changed, or was left half done."""
        return {mark.id for mark in self.list_marks()}

    def list_marks(self) -> list[Mark]:
        """Return the marks of what is being changed, or was left half done."""
        return [Mark(path) for path in self._list() if not path.name.startswith(".")]

    def _list(self) -> list[Path]:
        try:
            return list(self._folder.iterdir())
        except FileNotFoundError:
            return []

    def is_held(self, path: Path) -> bool | None:
        """Return whether a process holds a mark; None where the file system has no locks."""
        return is_locked(path)

    def _is_abandoned(self, path: Path, touched: float) -> bool:
        is_held = self.is_held(path) if path.name.count(".") > 1 else None
        return time.time() - touched > self.ABANDONED_SECONDS if is_held is None else not is_held

    def _make(self, path: Path) -> None:
        for attempt in range(ATTEMPTS + 1):
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                path.touch()
                return
            except OSError:  # the folder has just gone with another change's mark
                if attempt == ATTEMPTS:
                    raise

    def _keep_touching(self, mark: Mark, over: threading.Event) -> None:
        """Touch a mark for as long as its change lasts: a large folder takes its time."""
        while not over.wait(self.ABANDONED_SECONDS / 4):
            with contextlib.suppress(OSError):
                os.utime(mark.path)

"""Marks of changes that are in progress, so that one that was interrupted can be found and finished."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from argo_jupyter_scheduler.storage.input_folder import PRIVATE

ATTEMPTS = 20
"""How often the folder of marks is made again while another process removes it."""


class ChangeMarkers:
    """Marks changes of job definitions.

    Each mark is an empty file in ``<staging path>/.argo-jupyter-scheduler/unsettled``, touched for as long as its process lives.

    Parameters
    ----------
    staging_path
        The staging area.
    """

    ABANDONED_SECONDS = 60.0
    """Age of a mark that nobody touches, after which its change is abandoned."""

    def __init__(self, staging_path: str | Path) -> None:
        self._folder = Path(staging_path) / PRIVATE / "unsettled"

    @contextlib.contextmanager
    def mark_change(self, job_definition_id: str) -> Iterator[None]:
        """Mark a change while it lasts. A change that may be half done stays marked as abandoned."""
        mark = self._folder / f"{job_definition_id}.{uuid.uuid4()}"
        self._make(mark)
        over = threading.Event()
        threading.Thread(target=self._keep_touching, args=(mark, over), daemon=True).start()
        try:
            yield
        except BaseException as error:
            over.set()
            if getattr(error, "half_done", True):
                self._make(mark)
                os.utime(mark, (0, 0))
            else:
                self.remove(mark)
            raise
        over.set()
        self.remove(mark)

    def remove(self, mark: Path) -> None:
        """Remove a mark, and the marks' folder with the last one."""
        mark.unlink(missing_ok=True)
        for folder in (self._folder, self._folder.parent):
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()

    def find_abandoned(self) -> dict[str, list[Path]]:
        """Return the ids of definitions whose change was abandoned, with its marks. Remove them once it is finished."""
        found: dict[str, list[Path]] = {}
        with contextlib.suppress(FileNotFoundError):
            for mark in self._folder.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - mark.stat().st_mtime > self.ABANDONED_SECONDS:
                        found.setdefault(mark.name.partition(".")[0], []).append(mark)
        return found

    def _make(self, mark: Path) -> None:
        for attempt in range(ATTEMPTS + 1):
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                mark.touch()
                return
            except OSError:  # the folder has just gone with another change's mark
                if attempt == ATTEMPTS:
                    raise

    def _keep_touching(self, mark: Path, over: threading.Event) -> None:
        """Touch a mark for as long as its change lasts: a large folder takes its time."""
        while not over.wait(self.ABANDONED_SECONDS / 4):
            with contextlib.suppress(OSError):
                os.utime(mark)

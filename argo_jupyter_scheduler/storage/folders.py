"""Staging folders.

Each run has a folder of its own, ``<staging path>/<job id>``: the input, the input folder's files, and the outputs under the
names that the panel downloads. What only this package reads lies in ``.argo-jupyter-scheduler`` within it:

===================== ====================================================================================
``run.json``          what the steps need of the server's configuration, written by the server, no secrets
``staged-files.json`` size and time of each staged file: a file that differs was made by the run
``lock``              of a definition: held while the definition is changed; of a run: while its notebook is executed
``deleted-…``         of a definition: a moment whose run was deleted, see `deleted_runs`
``late-…``            of a definition: a moment whose run was reported as late, see `reports`
``failing-…``         of a definition: the success after which several failures were reported, see `reports`
``result.json``       how `main` ended, for the steps after it (which may run in other pods)
``progress.json``     which cell is being executed
``slack-message``     made just before a message appears in Slack; a process that finds it sends nothing
``failures.json``     how many runs have failed in a row, if this run's message reports it
``slack.json``        why no message could be sent, for the step `failure` (which may run in another pod)
``notified-…``        made just before a target of that name is notified; a process that finds it does not notify it
``notifications.json`` why targets could not be notified, by their names, for the step `failure`
``process-….json``    on this machine: the process that runs the job, which holds it locked
``output.<format>``   outputs before `rename-files` publishes them
``output.log``        what the steps and the kernel printed
``delivered.json``    where outputs were put beside the staging area, by their paths in the run's folder
``taken.json``        of a run with a linked input: which notebook it took, and its commit
``suffixes.json``     of each format that was converted, the suffix of its published file
===================== ====================================================================================

Files appear whole: they are written beside and then moved into place.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import stat
import subprocess
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.storage.atomic import UNFINISHED, copy_whole, link_or_copy, write_whole
from argo_jupyter_scheduler.storage.input_folder import (
    PRIVATE,
    CopyProgress,
    FileCopy,
    FolderRules,
    copy_folder,
    scan,
    walk,
)
from argo_jupyter_scheduler.storage.locks import locked
from argo_jupyter_scheduler.storage.private import make_private

SETTINGS = "run.json"
STAGED = "staged-files.json"
LOCK = "lock"
VERSION = "version.json"
REPLACED_SUFFIX, NEW_SUFFIX = ".old", ".new"
MESSAGE = "slack-message"
NOT_SENT = "slack.json"
NOT_NOTIFIED = "notifications.json"
FAILURES = "failures.json"
SUFFIXES = "suffixes.json"
TAKEN = "taken.json"


CACHES = frozenset({"__pycache__", ".ipynb_checkpoints"})
"""Folders whose files nobody misses among a run's results."""


def delivered_record(number: int) -> str:
    """Return the name of the private file that says what was delivered to a run's first, second, … place."""
    return "delivered.json" if number == 1 else f"delivered-{number}.json"


def notified(target: str) -> str:
    """Return the name of the private file that says that a target was notified."""
    return f"notified-{target}"


def whole_number(content: Mapping[str, Any], key: str, default: int = 0) -> int:
    """Return a whole number of a private file's content; `default` where there is none."""
    number = content.get(key)
    return number if isinstance(number, int) else default


def is_plain_file(path: Path) -> bool:
    """Return whether there is a file, and no link: a notebook can make one that leads anywhere."""
    return path.is_file() and not path.is_symlink()


def is_own_file(folder: Path, path: str) -> bool:
    """Return whether a relative path is a file of a run's folder, wherever links lead, and not a private one."""
    try:
        folder, found = folder.resolve(), (folder / path).resolve()
    except (OSError, RuntimeError):  # a link that leads to itself
        return False
    is_within = found.is_relative_to(folder) and not found.is_relative_to(folder / PRIVATE)
    return is_within and found.is_file()


def _make_deletable(folder: Path) -> None:
    """Give the owner the rights to delete all in a folder: tools such as Go leave folders that cannot be written."""
    with contextlib.suppress(OSError):
        os.chmod(folder, stat.S_IRWXU)
    for entry in scan(folder):  # a folder is yielded before it is entered
        if entry.is_dir(follow_symlinks=False):
            with contextlib.suppress(OSError):
                os.chmod(entry.path, stat.S_IRWXU)


def _read_suffix(value: object, default: str) -> str:
    """Return a suffix, unless it would lead to another folder."""
    return value if isinstance(value, str) and "/" not in value else default


class RunFolder:
    """The folder of one run, or of one job definition: what its runs start from.

    Parameters
    ----------
    staging_path
        The staging area's full path.
    job_id
        The run's id.
    """

    def __init__(self, staging_path: str | Path, job_id: str) -> None:
        self.path = Path(staging_path) / job_id
        self.private = self.path / PRIVATE
        self.log = self.output("log")

    def create(self) -> None:
        """Make the folder. Only the server and `create-job-id` do: a step never brings a deleted run's folder back."""
        self.private.mkdir(parents=True, exist_ok=True)
        make_private(self.path)

    def delete(self) -> None:
        """Delete the folder and all within; a folder that does not exist is not an error."""
        if self.path.is_symlink() or self.path.is_file():  # a notebook has put it there
            self.path.unlink(missing_ok=True)
        for _ in range(3):  # a process that is just being killed may still write
            with contextlib.suppress(RecursionError):
                shutil.rmtree(self.path, ignore_errors=True)
            if not self.path.exists():
                return
            _make_deletable(self.path)
            time.sleep(0.1)
        # Before Python 3.13, `shutil` cannot delete 1,000 levels.
        subprocess.run(["rm", "-rf", "--", str(self.path)], check=False, stderr=subprocess.DEVNULL)
        if self.path.exists():
            shutil.rmtree(self.path)

    def restore_rights(self) -> None:
        """Give the owner the rights to this folder again that its notebook has taken."""
        for path in (self.path, self.private):
            with contextlib.suppress(OSError):
                mode = stat.S_IMODE(path.stat().st_mode)
                if mode & stat.S_IRWXU != stat.S_IRWXU:
                    os.chmod(path, mode | stat.S_IRWXU)

    def output(self, output_format: str) -> Path:
        """Return where an output lies before it is published."""
        return self.private / f"output.{output_format}"

    def suffixes(self, output_formats: Iterable[str]) -> dict[str, str]:
        """Return the suffix of each format's published output, without the first dot; earlier versions took the format's name."""
        known = self.read(SUFFIXES)
        return {name: _read_suffix(known.get(name), name) for name in output_formats}

    def delivered(self) -> dict[str, str]:
        """Return where files were delivered, full paths or addresses, by their relative paths here."""
        found: dict[str, str] = {}
        records = (self.read(delivered_record(number)) for number in itertools.count(1))
        with contextlib.suppress(AttributeError, LookupError, TypeError):  # a damaged record
            for record in itertools.takewhile(bool, records):
                for name, entry in record.get("files", {}).items():
                    if name not in found or "://" in found[name]:  # JupyterLab can open a file, not an object
                        found[name] = str(entry["path"])
        return found

    def read(self, name: str) -> dict[str, Any]:
        """Return the content of a private JSON file; empty where there is none, or one that somebody has damaged.

        A notebook can write here. Whatever it leaves must neither hold up the server, as a pipe would, nor fail another run.
        """
        path = self.private / name
        try:
            content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except (FileNotFoundError, PermissionError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Write a private JSON file, whole."""
        write_whole(self.private / name, json.dumps(content, indent=1), private=True)

    def read_settings(self) -> RunSettings:
        """Return what the server wrote for the run's steps; defaults where there is nothing, or something damaged."""
        try:
            return RunSettings.from_json(self.read(SETTINGS))
        except (AttributeError, TypeError, ValueError):
            return RunSettings.from_json({})

    def has_settings(self) -> bool:
        """Return whether the server, or `create-job-id`, has completed the folder."""
        return bool(self.read(SETTINGS))

    def write_settings(self, settings: RunSettings) -> None:
        """Write what the run's steps need."""
        write_whole(self.private / SETTINGS, json.dumps(settings.to_json(), indent=1), private=True)

    def copy_settings(self, other: RunFolder) -> None:
        """Take the settings of another folder over as they are, also those that this version does not know."""
        self.write(SETTINGS, other.read(SETTINGS))

    @contextlib.contextmanager
    def restored_settings(self) -> Iterator[None]:
        """Give ``run.json`` its content back after an error."""
        before = self.read(SETTINGS)
        try:
            yield
        except BaseException:
            if before:
                self.write(SETTINGS, before)
            raise

    def claim(self, name: str) -> bool:
        """Make an empty private file; return False if somebody else did before. In a folder that is gone, nobody can."""
        try:
            (self.private / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        except (FileNotFoundError, NotADirectoryError):
            pass
        return True

    def stage(
        self,
        source: Path,
        rules: FolderRules | None,
        name: str = "",
        progress: CopyProgress | None = None,
    ) -> list[str]:
        """Copy an input here, with its whole folder where there are rules; return the relative paths of what came with it.

        Parameters
        ----------
        source
            The notebook.
        rules
            What of its folder is copied; None for the notebook alone.
        name
            What the input is called here, without a folder; by default as `source`.
        progress
            What says how far the copy of a folder is; by default the log.

        Raises
        ------
        InvalidJob
            The folder is larger than the rules allow.
        """
        name = name or source.name
        copied = copy_folder(source.parent, self.path, rules, progress) if rules else []
        if name not in copied:
            copy_whole(source, self.path / name)
        self._note_staged()
        return [path for path in copied if path != name]

    def stage_content(
        self,
        content: bytes,
        source: Path,
        rules: FolderRules | None,
        name: str,
        progress: CopyProgress,
        copy: FileCopy,
    ) -> None:
        """Write an input here that was read from `source`, with that one's whole folder where there are rules.

        Parameters
        ----------
        name
            What the input is called here.
        copy
            Copies one file of the folder.

        Raises
        ------
        InvalidJob
            The folder is larger than the rules allow.
        """
        try:
            if rules:
                copy_folder(source.parent, self.path, rules, progress, copy)
            write_whole(self.path / name, content)
        finally:  # also of half a folder: the run did not make its files
            self._note_staged()

    def _note_staged(self) -> None:
        self.write(STAGED, {path: self._version(path) for path in self.files()})

    def find_made_files(self) -> list[str]:
        """Return the relative paths of the files that were made or changed since `stage`, but for caches of Python and Jupyter."""
        staged = self.read(STAGED)
        return [
            path
            for path in self.files()
            if not CACHES.intersection(Path(path).parts)
            and self.holds(path)
            and staged.get(path) != self._version(path)
        ]

    def holds(self, path: str) -> bool:
        """Return whether a relative path is a file of this run: no link that leads out of the folder, or to a private file."""
        return is_own_file(self.path, path)

    def _version(self, path: str) -> list[int]:
        found = (self.path / path).stat()
        return [found.st_size, found.st_mtime_ns]

    def beside(self, suffix: str) -> RunFolder:
        """Return a folder of its own beside this one, for files on their way here (`NEW_SUFFIX`) or away (`REPLACED_SUFFIX`)."""
        return RunFolder(self.path.parent, f"{self.path.name}.{uuid.uuid4()}{suffix}")

    def leftovers(self, suffix: str) -> list[RunFolder]:
        """Return folders of `beside` that a process left behind."""
        found = self.path.parent.glob(f"{self.path.name}.*{suffix}")
        return [RunFolder(path.parent, path.name) for path in sorted(found)]

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others who do the same waiting, on any machine; a folder that is gone, or cannot be written, cannot do that."""
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):
                (self.private / LOCK).touch()
                stack.enter_context(locked(self.private / LOCK))
            yield

    @contextlib.contextmanager
    def replaced_files(self, other: RunFolder, version: int) -> Iterator[None]:
        """Take another folder's files, each whole, instead of those here; after an error, those here are back.

        Parameters
        ----------
        other
            A folder beside this one.
        version
            The ``update_time`` of the row that belongs to the files that are replaced, for `restore_files`.
        """
        before = self.beside(REPLACED_SUFFIX)
        before.create()
        try:
            for name in self.files():
                (before.path / name).parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(self.path / name, before.path / name)
            before.write(SETTINGS, self.read(SETTINGS))
            before.write(VERSION, {"update_time": version})  # last: it says that all is there
            self._take(other)
            yield
        except BaseException:
            self.restore_files(before)
            raise
        before.delete()

    def restore_files(self, before: RunFolder) -> None:
        """Undo `replaced_files`."""
        if before.read(VERSION):
            names = before.files()
            self._take(before)
            self.keep_only(set(names))
        before.delete()

    def _take(self, other: RunFolder) -> None:
        for name in other.files():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(other.path / name, self.path / name)
        self.copy_settings(other)

    def keep_only(self, names: set[str]) -> None:
        """Delete all files but these and the private ones."""
        for name in set(self.files()) - names:
            (self.path / name).unlink(missing_ok=True)

    def remove_unfinished(self) -> None:
        """Delete the files that a killed process left before they were moved into place."""
        for folder in (self.path, self.private):
            for path in folder.glob(UNFINISHED):
                path.unlink(missing_ok=True)

    def files(self) -> list[str]:
        """Return the relative paths of all files but the private ones."""
        return sorted(os.path.relpath(path, self.path) for path in walk(self.path))

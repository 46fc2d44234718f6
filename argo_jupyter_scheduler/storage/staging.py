"""Staging folders and output names.

Each run has a folder of its own, ``<staging path>/<job id>``: the input, the input folder's files, and the outputs under the
names that the panel downloads. What only this package reads lies in ``.argo-jupyter-scheduler`` within it:

==================  ====================================================================================
``run.json``        what the steps need of the server's configuration, written by the server, no secrets
``result.json``     how `main` ended, for the steps after it (which may run in other pods)
``progress.json``   which cell is being executed
``slack-message``   there from just before a message appears in Slack; whoever finds it sends none
``slack.json``      why no message could be sent, for the step `failure` (which may run in another pod)
``process-….json``  on this machine: the process that runs the job, which holds it locked
``output.<format>`` outputs before `rename-files` publishes them
``output.log``      what the steps and the kernel printed
==================  ====================================================================================

Files appear whole: they are written beside and then moved into place.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

PRIVATE = ".argo-jupyter-scheduler"
MESSAGE = "slack-message"
NOT_SENT = "slack.json"

TRIES = 20
"""How often a folder is made again that somebody removes."""


def output_filename(input_filename: str, create_time: int, output_format: str) -> str:
    """Return the name under which the panel downloads an output.

    The same as ``jupyter_scheduler.utils.create_output_filename``, which costs a step 2 s of imports; a test holds the two
    together. The time is local, so `use_timezone` must have been called in another time zone than the server's.

    Parameters
    ----------
    create_time
        The job's ``create_time``, in milliseconds since 1970.
    """
    stem = os.path.splitext(input_filename)[0]
    moment = datetime.fromtimestamp(create_time / 1e3).strftime("%Y-%m-%d-%I-%M-%S-%p")
    return f"{stem}-{moment}.{output_format}"


def local_timezone() -> str | None:
    """Return this machine's time zone as the variable ``TZ`` takes it, or None where it cannot be known."""
    if os.environ.get("TZ"):
        return os.environ["TZ"]
    with contextlib.suppress(OSError):
        _, found, name = os.path.realpath("/etc/localtime").partition("zoneinfo/")
        if found:
            return name
    return None


def use_timezone(name: str | None) -> None:
    """Switch this process to the server's time zone, so that output names agree."""
    if name and hasattr(time, "tzset"):
        os.environ["TZ"] = name
        time.tzset()


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

    def delete(self) -> None:
        """Delete the folder and all within; a folder that is not there is no error."""
        for _ in range(3):  # a process that is just being killed may still write
            shutil.rmtree(self.path, ignore_errors=True)
            if not self.path.exists():
                return
            time.sleep(0.1)
        shutil.rmtree(self.path)

    def output(self, output_format: str) -> Path:
        """Return where an output lies before it is published."""
        return self.private / f"output.{output_format}"

    def read(self, name: str) -> dict[str, Any]:
        """Return the content of a private JSON file, empty where there is none, or one that a power failure has damaged."""
        try:
            content: dict[str, Any] = json.loads((self.private / name).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return content

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Write a private JSON file, whole."""
        write_whole(self.private / name, json.dumps(content, indent=1))

    def claim(self, name: str) -> bool:
        """Make an empty private file; return False if somebody else did before. In a folder that is gone, nobody can."""
        try:
            (self.private / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        except FileNotFoundError:
            pass
        return True

    def stage(self, source: Path, whole_folder: bool, leave_out: Path, name: str = "") -> list[str]:
        """Copy an input here, or its whole folder without `leave_out`; return the relative paths of what came with it.

        Parameters
        ----------
        name
            What the input is called here, without a folder; by default as `source`.
        """
        name = name or source.name
        copied = copy_folder(source.parent, self.path, leave_out) if whole_folder else []
        if not whole_folder or name != source.name:
            copy_whole(source, self.path / name)
        return [one for one in copied if one != name]

    def take(self, other: RunFolder) -> None:
        """Move another folder's files and ``run.json`` here, each whole; what is here besides, stays."""
        for name in other.files():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(other.path / name, self.path / name)
        self.write("run.json", other.read("run.json"))

    def keep_only(self, names: set[str]) -> None:
        """Delete all files but these and the private ones."""
        for name in set(self.files()) - names:
            (self.path / name).unlink(missing_ok=True)

    def files(self) -> list[str]:
        """Return the relative paths of all files but the private ones."""
        return sorted(os.path.relpath(path, self.path) for path in _walk(self.path))


class Unsettled:
    """Changes of job definitions that are under way: whoever finds one that was left there completes it.

    Each is an empty file in ``<staging path>/.argo-jupyter-scheduler/unsettled``, touched for as long as its process lives.
    """

    ABANDONED = 60.0
    """Seconds after which a change that nobody touches is nobody's any more."""

    def __init__(self, staging_path: str | Path) -> None:
        self._folder = Path(staging_path) / PRIVATE / "unsettled"

    @contextlib.contextmanager
    def change(self, job_definition_id: str) -> Iterator[None]:
        """Mark a change while it lasts; one that may be half done is left to whoever looks next."""
        mark = self._folder / f"{job_definition_id}.{uuid.uuid4()}"
        self._make(mark)
        over = threading.Event()
        threading.Thread(target=self._keep, args=(mark, over), daemon=True).start()
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

    def _make(self, mark: Path) -> None:
        for last in [False] * TRIES + [True]:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                mark.touch()
                return
            except OSError:  # the folder has just gone with another change's mark
                if last:
                    raise

    def remove(self, mark: Path) -> None:
        """Remove a mark, and the marks' folder with the last one."""
        mark.unlink(missing_ok=True)
        for folder in (self._folder, self._folder.parent):
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()

    def _keep(self, mark: Path, over: threading.Event) -> None:
        """Touch a mark for as long as its change lasts: a large folder takes its time."""
        while not over.wait(self.ABANDONED / 4):
            with contextlib.suppress(OSError):
                os.utime(mark)

    def left(self) -> dict[str, list[Path]]:
        """Return the ids whose change was left, with its marks, which are to be removed once it is completed."""
        found: dict[str, list[Path]] = {}
        with contextlib.suppress(FileNotFoundError):
            for mark in self._folder.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - mark.stat().st_mtime > self.ABANDONED:
                        found.setdefault(mark.name.partition(".")[0], []).append(mark)
        return found


def _beside(path: Path) -> Path:
    """Return where a file is written before it is moved into place: a name of its own, and short, since the file's may be long."""
    return path.with_name(f".{uuid.uuid4().hex[:12]}.part")


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that no reader ever sees half of it."""
    beside = _beside(path)
    try:
        if isinstance(content, str):
            beside.write_text(content, encoding="utf-8")
        else:
            beside.write_bytes(content)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def copy_whole(source: Path, destination: Path) -> None:
    """Copy a file so that no reader ever sees half of it."""
    beside = _beside(destination)
    try:
        shutil.copyfile(source, beside)
        os.replace(beside, destination)
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a file for as long as this lasts or, should it be killed, this process lives; where the system can do that."""
    with open(path, "r+b") as file:  # NFS locks for one only what is open for writing
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_locked(path: Path) -> bool | None:
    """Return whether a process holds a file locked, on whichever machine it is; None where the system does not tell."""
    try:
        import fcntl

        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except (ImportError, OSError):
        return None
    return False


def copy_folder(source: Path, destination: Path, leave_out: Path) -> list[str]:
    """Copy the content of an input folder; return the relative paths of the copied files.

    Links to files are copied as files, links to folders as folders unless they lead to a folder above. Left out are
    what is no regular file, dangling links, and `leave_out` (the staging area may lie within the folder, as in a home).
    """

    def ignored(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if not _copyable(Path(folder, name), leave_out)}

    shutil.copytree(source, destination, ignore=ignored, dirs_exist_ok=True)
    return sorted(os.path.relpath(path, destination) for path in _walk(destination))


def _copyable(path: Path, leave_out: Path) -> bool:
    if path.name == PRIVATE:
        return False
    try:
        mode = path.stat().st_mode
        real = path.resolve()
    except OSError:
        return False
    if stat.S_ISREG(mode):
        return True
    if not stat.S_ISDIR(mode) or real == leave_out.resolve():
        return False
    return not (path.is_symlink() and path.parent.resolve().is_relative_to(real))


def _walk(folder: Path) -> Iterator[Path]:
    for base, folders, names in os.walk(folder):
        if PRIVATE in folders:
            folders.remove(PRIVATE)
        yield from (Path(base, name) for name in names)

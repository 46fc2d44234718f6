"""The files that a run made: its outputs, and what its notebook wrote beside them."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from argo_jupyter_scheduler.storage.folders import STAGED, RunFolder
from argo_jupyter_scheduler.storage.output_names import find_output
from argo_jupyter_scheduler.storage.schema import JobRow


@dataclass(frozen=True)
class OutputFile:
    """A file that a run made.

    Attributes
    ----------
    output_format
        Such as ``html``; empty for a file that the notebook wrote.
    path
        Its full path.
    name
        Its relative path in the folder of the outputs.
    delivered
        Where its run has put it beside the staging area, its full path or its address; empty for nowhere.
    """

    output_format: str
    path: Path
    name: str
    delivered: str = ""

    @property
    def place(self) -> str:
        """Where a person looks for it: where it was delivered, unless it is gone from there."""
        is_there = "://" in self.delivered or Path(self.delivered or self.path).is_file()
        return self.delivered if self.delivered and is_there else str(self.path)

    def as_json(self) -> dict[str, str]:
        """Return the file, for programs."""
        return {"format": self.output_format, "path": self.place}


def find_output_files(staging_path: Path, row: JobRow) -> list[OutputFile]:
    """Return the files that a run made, as far as they exist: outputs first, then what the notebook wrote or changed."""
    folder = RunFolder(staging_path, row.job_id)
    delivered = folder.delivered()
    paths = {
        output_format: find_output(folder.path, row.input_filename, row.create_time, suffix)
        for output_format, suffix in folder.suffixes(row.output_formats or ()).items()
    }
    outputs = [
        OutputFile(output_format, path, path.name, delivered.get(path.name, ""))
        for output_format, path in paths.items()
        if folder.holds(path.name)
    ]
    known = {file.path for file in outputs} | {folder.path / row.input_filename}
    # A job of an earlier version does not know which files it was made from.
    names = folder.find_made_files() if folder.read(STAGED) else row.packaged_files or ()
    written = [OutputFile("", folder.path / name, name, delivered.get(name, "")) for name in names]
    return outputs + [file for file in written if file.path not in known and file.path.is_file()]


def copy_files(files: list[OutputFile], folder: Path) -> list[OutputFile]:
    """Copy files to a folder, which is made; return the copies.

    An output never replaces another one, such as that of a run which was created in the same second. A file that the notebook
    wrote replaces the one of an earlier run.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    copies = []
    for file in files:
        target = folder / file.name
        if file.output_format:
            target = _unused(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.path, target)
        copies.append(replace(file, path=target, delivered=""))
    return copies


def _unused(path: Path) -> Path:
    """Return an unused path: this one, or one with a number."""
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(2))
    return next(other for other in itertools.chain([path], numbered) if not other.exists())

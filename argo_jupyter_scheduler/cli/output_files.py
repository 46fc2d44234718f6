"""The files that a run made: its outputs, and what its notebook wrote beside them."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

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
    """

    output_format: str
    path: Path
    name: str

    def as_json(self) -> dict[str, str]:
        """Return the file, for programs."""
        return {"format": self.output_format, "path": str(self.path)}


def find_output_files(staging_path: Path, row: JobRow) -> list[OutputFile]:
    """Return the files that a run made, as far as they exist: outputs first, then what the notebook wrote or changed."""
    folder = staging_path / row.job_id
    paths = {
        output_format: find_output(folder, row.input_filename, row.create_time, output_format)
        for output_format in row.output_formats or ()
    }
    outputs = [
        OutputFile(output_format, path, path.name) for output_format, path in paths.items() if path.is_file()
    ]
    known = {file.path for file in outputs} | {folder / row.input_filename}
    written = [
        OutputFile("", folder / name, name)
        for name in row.packaged_files or ()
        if folder / name not in known and _is_newer(folder / name, row.create_time)
    ]
    return outputs + written


def _is_newer(path: Path, moment_ms: int) -> bool:
    """Return whether a file was written since a moment; those of the input folder are copied before their job exists."""
    return path.is_file() and path.stat().st_mtime * 1000 >= moment_ms


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
        copies.append(replace(file, path=target))
    return copies


def _unused(path: Path) -> Path:
    """Return a path at which there is no file: this one, or with a number."""
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(2))
    return next(other for other in itertools.chain([path], numbered) if not other.exists())

"""Judges a trial: is a run lost, doubled, misreported or stuck, or is something left over?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import nbformat

from argo_jupyter_scheduler.domain.status import COMPLETED, FAILED, LIVE
from argo_jupyter_scheduler.storage.input_folder import PRIVATE
from argo_jupyter_scheduler.storage.schema import JobRow
from tests.faults.table import COLUMNS
from tests.faults.world import World
from tests.support.eventually import eventually
from tests.support.processes import marked


@dataclass
class Verdict:
    """What went wrong in a trial.

    Attributes
    ----------
    fault
        What was tried, as the table names it.
    happened
        Whether the fault came about: a process may have ended before its moment.
    wrong
        Explanations, by one of `COLUMNS`.
    """

    fault: str
    happened: bool = True
    wrong: dict[str, str] = field(default_factory=dict)

    def blame(self, column: str, why: str) -> None:
        """Say that something went wrong."""
        assert column in COLUMNS
        self.wrong.setdefault(column, why)


def judge_run(verdict: Verdict, world: World, job_id: str, row: JobRow | None, told: str = "") -> None:
    """Judge a run that must have a row.

    Parameters
    ----------
    row
        Its row, once everything has had its time.
    told
        A pattern that the message of a failed run contains; empty for a run that must not fail.
    """
    words = world.words(job_id)
    if row is None:
        verdict.blame("lost", "there is no row")
        return
    if row.status in LIVE:
        verdict.blame("stuck", f"{row.status}: {row.status_message}")
    if words.count("begun") > 1:
        verdict.blame("doubled", f"the notebook ran {words.count('begun')} times")
    if row.status == COMPLETED:
        if words.count("ended") != 1:
            verdict.blame("misreported", f"COMPLETED, but the notebook did {words}")
        for problem in find_bad_outputs(world, row, all_=True):
            verdict.blame("misreported", f"COMPLETED, but {problem}")
    elif row.status == FAILED:
        if not told or not re.search(told, row.status_message or ""):
            verdict.blame("misreported", f"FAILED with {row.status_message!r}, after {words}")
        for problem in find_bad_outputs(world, row, all_=False):
            verdict.blame("misreported", problem)
    judge_leftovers(verdict, world, job_id)


def find_bad_outputs(world: World, row: JobRow, all_: bool) -> Iterator[str]:
    """Yield what is wrong with a run's published outputs: none may be half written, and with `all_` none may be missing."""
    folder = world.run_folder(row.job_id).path
    for suffix in row.output_formats or ():
        found = list(folder.glob(f"n-*.{suffix}"))
        if all_ and len(found) != 1:
            yield f"there are {len(found)} outputs {suffix}"
        for path in found:
            text = path.read_text(errors="replace")
            if suffix == "html" and not text.rstrip().endswith("</html>"):
                yield f"{path.name} is not whole"
            if suffix == "ipynb":
                try:
                    cells = nbformat.reads(text, as_version=4).cells
                except Exception as error:  # nbformat raises what its parsers raise
                    yield f"{path.name} is not whole: {error}"
                else:
                    if all_ and any(cell.execution_count is None for cell in cells):
                        yield f"{path.name} has cells that were not executed"


def judge_leftovers(verdict: Verdict, world: World, job_id: str) -> None:
    """Judge what is left of a run that is over: no process, no half file, no mark, no folder without a row or the reverse."""
    try:
        eventually(lambda: not marked(job_id))
    except AssertionError:
        verdict.blame("left over", f"processes {[process.cmdline() for process in marked(job_id)]}")
    judge_files(verdict, world, job_id)
    if world.row(job_id) is None and world.run_folder(job_id).path.exists():
        verdict.blame("left over", "a folder without a row")


def judge_files(verdict: Verdict, world: World, id_: str) -> None:
    """Judge what is left beside the files of a job or a definition."""
    folder = world.run_folder(id_)
    for path in [*folder.path.glob(".*.part"), *folder.private.glob(".*.part")]:
        verdict.blame("left over", str(path))
    for path in world.staging.glob(f"{id_}.*"):
        verdict.blame("left over", str(path))
    for path in (world.staging / PRIVATE).glob(f"*/*{id_}*"):
        verdict.blame("left over", str(path))

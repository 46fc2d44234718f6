"""The rules that select finished jobs for deletion. Pure: rows in, ids out.

Two things hold whatever the rule is: a live job is never deleted, and neither is the last COMPLETED run of a definition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from argo_jupyter_scheduler.domain.status import COMPLETED, LIVE


@dataclass(frozen=True, kw_only=True)
class StoredJob:
    """The columns of a job's row that decide how long it is kept. Times are in milliseconds since 1970.

    Attributes
    ----------
    job_definition_id
        The job definition of the run, even if it was deleted; None for a job without a definition.
    start_time
        When it began; None where it never did.
    end_time
        When it ended, or its row changed last.
    """

    job_id: str
    job_definition_id: str | None
    status: str
    start_time: int | None
    end_time: int
    tags: tuple[str, ...] | None
    runtime_environment_parameters: Mapping[str, object] | None

    @property
    def is_finished(self) -> bool:
        """Whether its status is an end status, which never changes again."""
        return self.status not in LIVE


_UNITS = ((24 * 3600, "d"), (3600, "h"), (1, "s"))


@dataclass(frozen=True)
class Keep:
    """Which finished jobs are kept. Without a number, all are. As text it is what `domain.option_values.parse_keep` reads.

    Attributes
    ----------
    runs
        How many finished runs of a definition are kept, those that ended last; 0 for any number.
    seconds
        How long a job is kept after its end; 0 for any time.
    """

    runs: int = 0
    seconds: int = 0

    def __str__(self) -> str:
        if not self.seconds:
            return str(self.runs or "")
        size, unit = next((size, unit) for size, unit in _UNITS if self.seconds % size == 0)
        return f"{self.seconds // size}{unit}"

    def excludes(self, job: StoredJob, rank: int, now: int) -> bool:
        """Return whether the rule deletes a finished job.

        Parameters
        ----------
        rank
            See `find_deletable`.
        now
            The time, in milliseconds since 1970.
        """
        is_surplus = bool(self.runs and job.job_definition_id) and rank > self.runs
        return is_surplus or bool(self.seconds and job.end_time < now - self.seconds * 1000)


def find_deletable(jobs: Iterable[StoredJob], is_wanted: Callable[[StoredJob, int], bool]) -> list[StoredJob]:
    """Return the finished jobs that are to be deleted, in the order of their end.

    Parameters
    ----------
    is_wanted
        Whether a finished job is to be deleted. The number is its rank among the finished runs of its definition: 1 for the one
        that ended last.
    """
    finished = sorted((job for job in jobs if job.is_finished), key=lambda job: (job.end_time, job.job_id))
    ranks: Counter[str | None] = Counter()
    have_completed: set[str] = set()
    found = []
    for job in reversed(finished):
        definition_id = job.job_definition_id
        ranks[definition_id] += 1
        if definition_id and job.status == COMPLETED and definition_id not in have_completed:
            have_completed.add(definition_id)
        elif is_wanted(job, ranks[definition_id]):
            found.append(job)
    return found[::-1]

"""Deletes finished jobs by the rules of retention: rows, staging folders and workflows together.

What is kept is said by a definition's option `keep`, by that of a job of its own, or by the configuration. What users downloaded
to their root folder is theirs and stays.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError
from argo_jupyter_scheduler.domain.options import read_keep
from argo_jupyter_scheduler.domain.retention import Keep, StoredJob, find_deletable
from argo_jupyter_scheduler.jobs.service import JobService

log = logging.getLogger("argo_jupyter_scheduler")


class Retention:
    """Finds and deletes jobs that the rules do not keep. Any number of servers may do this on one database.

    Parameters
    ----------
    jobs
        The service of the jobs.
    """

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs
        self._database = jobs.database
        self._failed: set[str] = set()
        """Jobs of this round that could not be deleted; the next round tries them again."""
        self._reported: set[str] = set()

    def find_expired(self) -> list[StoredJob]:
        """Return the finished jobs that the configured rules do not keep, in the order of their end."""
        settings, now = self._jobs.settings, now_ms()
        of_definitions = {
            row.job_definition_id: read_keep(row.tags, row.runtime_environment_parameters, settings.keep_runs)
            for row in self._database.list_options()
        }

        def keep_of(job: StoredJob) -> Keep:
            if job.job_definition_id:
                return of_definitions.get(job.job_definition_id, settings.keep_runs)
            asked = read_keep(job.tags, job.runtime_environment_parameters, settings.keep_jobs)
            return asked if asked.seconds or not asked.runs else settings.keep_jobs

        return find_deletable(
            self._database.list_stored_jobs(), lambda job, rank: keep_of(job).excludes(job, rank, now)
        )

    def find_finished(self, statuses: Collection[str], older_than_seconds: int) -> list[StoredJob]:
        """Return the finished jobs with these statuses that ended so long ago, in the order of their end.

        Parameters
        ----------
        statuses
            Empty for all end statuses.
        older_than_seconds
            0 for any time.
        """
        before = now_ms() - older_than_seconds * 1000

        def is_wanted(job: StoredJob, rank: int) -> bool:
            return job.end_time <= before and (not statuses or job.status in statuses)

        return find_deletable(self._database.list_stored_jobs(), is_wanted)

    def delete_expired(self, seconds: float) -> bool:
        """Delete jobs that the rules do not keep; return whether all of them are gone that can be deleted now.

        A job that cannot be deleted does not keep others. It is logged once, and tried again in the next round.

        Parameters
        ----------
        seconds
            After this time no further deletion begins; one does in any case.
        """
        end = time.monotonic() + seconds
        expired = [job.job_id for job in self.find_expired() if job.job_id not in self._failed]
        for count, job_id in enumerate(expired):
            if count and time.monotonic() >= end:
                log.info("Retention: %s jobs deleted, %s remaining.", count, len(expired) - count)
                return False
            if problem := self.delete(job_id):
                self._failed.add(job_id)
                if job_id not in self._reported:
                    log.warning(messages.requests.job_not_deleted(job_id, problem))
                self._reported.add(job_id)
        if expired:
            log.info("Retention: %s jobs deleted.", len(expired) - len(self._failed))
        self._failed = set()
        return True

    def delete(self, job_id: str) -> str:
        """Delete a job; return why it is still there, empty if it is gone."""
        try:
            self._jobs.delete_job(job_id)
        except ArgoSchedulerError as error:
            return str(error)
        except Exception as error:
            # Whatever is wrong with one job, such as a damaged row, must not keep the others.
            return messages.server.unexpected_error(error)
        return ""

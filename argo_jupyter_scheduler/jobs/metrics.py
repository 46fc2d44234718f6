"""Metrics of jobs and schedules, in the format of Prometheus.

All numbers are computed from rows when somebody asks for them, by the database as far as possible. Those of jobs are of the rows
that are there: deleting jobs lowers them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from argo_jupyter_scheduler.domain import schedules
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.options import read_concurrency
from argo_jupyter_scheduler.domain.run_settings import ARGO, LOCAL
from argo_jupyter_scheduler.domain.status import WAITING
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.storage.deleted_runs import find_deleted_run
from argo_jupyter_scheduler.storage.schema import WatchedRow
from argo_jupyter_scheduler.storage.statistics import (
    JobGroup,
    LastRun,
    list_last_runs,
    list_watched,
    summarize_jobs,
)

PREFIX = "argo_scheduler_"
"""How the names of all metrics begin."""

DURATIONS_SECONDS = (10, 30, 60, 300, 900, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600)
"""Upper bounds of the histogram of durations."""


@dataclass(frozen=True)
class Lateness:
    """How late a definition is.

    Attributes
    ----------
    row
        The definition.
    waiting
        Seconds since the earliest moment whose run should have begun, and has not; 0 for none.
    delay
        Seconds from its moment to the begin of the last run that has begun; None for none.
    """

    row: WatchedRow
    waiting: float
    delay: float | None


class Metrics(Collector):
    """The metrics of one server, in a registry of their own: Jupyter Server has the global one.

    Parameters
    ----------
    jobs
        The service of the jobs.
    with_names
        Whether each definition has a series of its own, with its name.
    clock
        Returns the time in milliseconds since 1970.
    """

    def __init__(self, jobs: JobService, with_names: bool = False, clock: Callable[[], int] = now_ms) -> None:
        self._jobs = jobs
        self._database = jobs.database
        self._with_names = with_names
        self._clock = clock
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def render(self) -> bytes:
        """Return all metrics as text; blocks.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            The database cannot be used.
        """
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; prometheus_client calls it."""
        groups = summarize_jobs(self._database, [1000 * bound for bound in DURATIONS_SECONDS])
        yield from self._describe_jobs(groups)
        yield from self._describe_lateness(list(self._measure_lateness()))
        errors = CounterMetricFamily(
            f"{PREFIX}argo_api_errors", "Calls of Argo's API that failed, by HTTP status.", labels=["kind"]
        )
        for kind, count in self._jobs.engine.count_errors().items():
            errors.add_metric([kind], count)
        yield errors

    def _describe_jobs(self, groups: list[JobGroup]) -> Iterator[Metric]:
        count = GaugeMetricFamily(f"{PREFIX}jobs", "Jobs in the database.", labels=["status", "engine"])
        queue = GaugeMetricFamily(f"{PREFIX}queue_length", "Jobs that have not begun.", labels=["engine"])
        durations = HistogramMetricFamily(
            f"{PREFIX}job_duration_seconds", "From begin to end of jobs.", labels=["status", "engine"]
        )
        waiting = {self._jobs.engine.name: 0}
        for group in groups:
            engine = ARGO if group.is_on_argo else LOCAL
            count.add_metric([group.status, engine], group.jobs)
            if group.status in WAITING:
                waiting[engine] = waiting.get(engine, 0) + group.jobs
            if group.timed:
                bounds = [*map(str, map(float, DURATIONS_SECONDS)), "+Inf"]
                buckets = list(zip(bounds, [*group.within, group.timed], strict=True))
                durations.add_metric([group.status, engine], buckets, group.milliseconds / 1000)
        for engine, length in waiting.items():
            queue.add_metric([engine], length)
        yield from (count, queue, durations)

    def _describe_lateness(self, found: list[Lateness]) -> Iterator[Metric]:
        each = "" if self._with_names else " The highest value of all job definitions."
        labels = ["job_definition_id", "name"] if self._with_names else []
        waiting = GaugeMetricFamily(
            f"{PREFIX}schedule_waiting_seconds",
            f"Seconds for which a scheduled run has been overdue; 0 for none.{each}",
            labels=labels,
        )
        delay = GaugeMetricFamily(
            f"{PREFIX}schedule_start_delay_seconds",
            f"How late the last scheduled run began.{each}",
            labels=labels,
        )
        if self._with_names:
            for one in found:
                values = [one.row.job_definition_id, one.row.name or ""]
                waiting.add_metric(values, one.waiting)
                if one.delay is not None:
                    delay.add_metric(values, one.delay)
        else:
            waiting.add_metric([], max((one.waiting for one in found), default=0))
            delays = [one.delay for one in found if one.delay is not None]
            if delays:
                delay.add_metric([], max(delays))
        yield from (waiting, delay)

    def _measure_lateness(self) -> Iterator[Lateness]:
        """Yield how late each definition is that has a schedule and is not paused."""
        last_runs = list_last_runs(self._database)
        for row in list_watched(self._database):
            run = last_runs.get(row.job_definition_id)
            try:
                waiting = self._measure_waiting(row, run)
            except InvalidJob:  # stored by another backend
                continue
            begun = run.start_time / 1000 - run.moment if run and run.start_time else None
            yield Lateness(row, waiting, begun if begun is None else max(begun, 0))

    def _measure_waiting(self, row: WatchedRow, run: LastRun | None) -> float:
        schedule = schedules.parse(row.schedule, row.timezone)
        now, since = self._clock(), row.update_time
        if run:
            since = max(since, run.moment * 1000)
            options = (row.tags, row.runtime_environment_parameters)
            if read_concurrency(*options, self._jobs.settings.concurrency_policy) == "Forbid":
                since = max(since, run.end_time or now)  # what was due meanwhile was skipped by design
        begin = since if self._jobs.engine.keeps_schedules else row.update_time
        due = schedules.remember_next(schedule, since, begin)
        if due is not None and due <= now:  # a file is looked for only where it may matter
            deleted = find_deleted_run(self._jobs.folder(row.job_definition_id)) * 1000
            due = schedules.remember_next(schedule, max(since, deleted), begin)
        return 0 if due is None else max(now - due, 0) / 1000

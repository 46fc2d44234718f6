"""Reports scheduled runs that did not begin within the grace of their definition, the option ``late``.

The rows alone decide: it does not matter whether Argo or this server should have begun the run, nor whether Argo answers. Each
scheduled moment is reported once, by whichever server looks first. Of several moments that passed while no server looked, only the
last one is reported.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from argo_jupyter_scheduler.domain import messages, schedules
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.identity import run_token
from argo_jupyter_scheduler.domain.options import read_concurrency, read_late, read_notify
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.domain.status import FAILED, LIVE, STOPPED
from argo_jupyter_scheduler.domain.text import format_limit, one_line
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.notify import slack, slack_delivery, target_delivery
from argo_jupyter_scheduler.notify.send_once import SentElsewhere
from argo_jupyter_scheduler.notify.slack_message import Message, compose_late_text
from argo_jupyter_scheduler.notify.summary import LateSummary, summarize_late
from argo_jupyter_scheduler.notify.target_message import compose_late_message
from argo_jupyter_scheduler.storage.deleted_runs import find_deleted_run
from argo_jupyter_scheduler.storage.folders import MESSAGE, notified
from argo_jupyter_scheduler.storage.reports import LATE, claim_report, was_reported
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow, WatchedRow
from argo_jupyter_scheduler.storage.statistics import find_last_moment, find_runs, list_watched, was_running

MAX_CONCURRENT_REPORTS = 8
"""How many reports are made at the same time: each may have to wait for Slack, or for a target."""

WAIT_FOR_ROW_MS = 5_000
"""How long a run that begins in the last moment of its grace has to write that."""

log = logging.getLogger("argo_jupyter_scheduler")


@dataclass(frozen=True)
class _Moment:
    """A moment of a definition whose grace is over.

    Attributes
    ----------
    row
        The definition.
    grace
        How many seconds late its run may begin.
    due
        The moment, in milliseconds since 1970.
    """

    row: WatchedRow
    grace: int
    due: int

    @property
    def token(self) -> str:
        """The token of its run."""
        return run_token(self.row.job_definition_id, self.due // 1000)


@dataclass(frozen=True)
class _Receiver:
    """Slack, or a notification target.

    Attributes
    ----------
    name
        Its name in logs.
    kind
        The kind of its report, see `storage.reports`.
    deliver
        Sends the message. Gets what leaves the report's mark; returns False if there is one already.
    """

    name: str
    kind: str
    deliver: Callable[[Callable[[], bool]], object]


class LateRuns:
    """Finds and reports late runs.

    Parameters
    ----------
    jobs
        The service of the jobs.
    clock
        Returns the time in milliseconds since 1970.
    """

    def __init__(self, jobs: JobService, clock: Callable[[], int] = now_ms) -> None:
        self._jobs = jobs
        self._database = jobs.database
        self._clock = clock
        self._judged: dict[str, int] = {}
        """The last moment of each definition that was looked at: its result is final."""

    def report(self) -> None:
        """Report the runs that are late by now; waits for Slack and for targets."""
        found = [_Moment(row, grace, self._find_due(row, grace)) for row, grace in self._list_graces()]
        new = [one for one in found if one.due and self._judged.get(one.row.job_definition_id) != one.due]
        runs = find_runs(self._database, (one.token for one in new)) if new else {}
        with ThreadPoolExecutor(MAX_CONCURRENT_REPORTS) as pool:
            judged = [pool.submit(self._judge, one, runs.get(one.token)) for one in new]
        for judgment in judged:
            judgment.result()

    def _list_graces(self) -> list[tuple[WatchedRow, int]]:
        """Return the definitions that have a grace, and how many seconds it is."""
        default = self._jobs.settings.late_after_seconds
        rows = list_watched(self._database)
        graces = [(row, read_late(row.tags, row.runtime_environment_parameters, default)) for row in rows]
        return [(row, grace) for row, grace in graces if grace]

    def _find_due(self, row: WatchedRow, grace: int) -> int:
        """Return the last moment of a definition whose grace is over, since its last change; 0 if there is none."""
        try:
            schedule = schedules.parse(row.schedule, row.timezone)
        except InvalidJob:  # stored by another backend
            return 0
        changed = begin = row.update_time
        if schedule.every and self._jobs.engine.keeps_schedules:  # Argo counts from the last run
            last = find_last_moment(self._database, row.job_definition_id) * 1000
            begin = max(changed, last - schedule.every * 1000)
        until = self._clock() - grace * 1000 - WAIT_FOR_ROW_MS
        if known := self._judged.get(row.job_definition_id):
            following = schedules.remember_next(schedule, known, begin)
            if following is None or following > until:
                return known
        moment = schedule.latest(until, begin)
        return moment if moment and moment > changed else 0

    def _judge(self, moment: _Moment, run: JobRow | None) -> None:
        reason = self._find_reason(moment, run)
        if reason:
            self._report(moment, reason)
        self._judged[moment.row.job_definition_id] = moment.due

    def _find_reason(self, moment: _Moment, run: JobRow | None) -> str:
        """Return what is known of the run of a moment, if it is late; else nothing."""
        if run is None:
            return "" if self._was_left_out(moment) else messages.schedules.NO_RUN
        if run.start_time:
            seconds = (run.start_time - moment.due) // 1000
            return messages.schedules.started_late(format_limit(seconds)) if seconds > moment.grace else ""
        if run.status in LIVE:
            return messages.schedules.is_still_waiting(run.status_message or "")
        if run.status == FAILED:
            folder = self._jobs.folder(run.job_id).private  # its own messages have said it
            is_known = (folder / MESSAGE).exists() or any(folder.glob(notified("*")))
            return (
                ""
                if is_known
                else messages.schedules.failed_early(run.status_message or messages.runs.NO_REASON)
            )
        was_replaced = run.status == STOPPED and str(run.status_message).startswith(messages.runs.REPLACED)
        return messages.schedules.REPLACED_EARLY if was_replaced else ""

    def _was_left_out(self, moment: _Moment) -> bool:
        """Return whether a moment has no run by design: its user deleted it, or an earlier one was in progress."""
        row = moment.row
        if find_deleted_run(self._jobs.folder(row.job_definition_id)) >= moment.due // 1000:
            return True
        options = (row.tags, row.runtime_environment_parameters)
        policy = read_concurrency(*options, self._jobs.settings.concurrency_policy)
        return policy == "Forbid" and was_running(self._database, row.job_definition_id, moment.due)

    def _report(self, moment: _Moment, reason: str) -> None:
        """Report a late run, once."""
        row, seconds = moment.row, moment.due // 1000
        definition = self._database.get_definition(row.job_definition_id)
        folder = self._jobs.folder(row.job_definition_id)
        if definition is None or definition.update_time != row.update_time:
            return
        due = datetime.fromtimestamp(seconds, ZoneInfo(row.timezone or schedules.DEFAULT_TIMEZONE))
        summary = summarize_late(definition, due, moment.grace, reason)
        text = one_line(messages.schedules.run_is_late(summary.name, summary.due, summary.grace, reason))
        receivers = self._list_receivers(definition, folder.read_settings(), summary)
        is_new, reasons = not receivers and claim_report(folder, LATE, seconds), []
        for receiver in receivers:
            if was_reported(folder, receiver.kind, seconds):
                continue
            claim = partial(claim_report, folder, receiver.kind, seconds)
            try:
                receiver.deliver(claim)
            except SentElsewhere:
                continue
            except Exception as error:
                claim()  # this error is final: reports are not tried twice
                reasons.append(messages.notifications.message_not_sent(receiver.name, one_line(str(error))))
            is_new = True
        if is_new:
            log.warning("%s", " ".join([text, *reasons]))

    def _list_receivers(
        self, definition: DefinitionRow, settings: RunSettings, summary: LateSummary
    ) -> list[_Receiver]:
        """Return who hears of a late run."""
        receivers = []
        parameters, configured = definition.parameters, self._jobs.settings
        if slack.is_asked_for(parameters, settings.slack):
            message = Message(
                token=slack.read_parameter(parameters, slack.TOKEN) or configured.slack_token,
                channel=slack.choose_channel(parameters, settings.slack),
                text=compose_late_text(summary),
            )
            receivers.append(
                _Receiver("Slack", LATE, partial(slack_delivery.deliver, message, settings.slack))
            )
        targets, _ = read_notify(definition.tags, definition.runtime_environment_parameters, default="")
        for target in targets if settings.notifications.targets else ():
            address = configured.notification_targets.get(target, "")
            note = compose_late_message(summary)
            deliver = partial(target_delivery.deliver, note, address, settings.notifications)
            receivers.append(_Receiver(target, f"{LATE}-{target}", deliver))
        return receivers

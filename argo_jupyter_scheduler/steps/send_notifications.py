"""The step `send-notifications`: notifies a job's targets of how the run ended, each once.

The option ``notify`` names the targets. What `send_to_slack` says of its message holds for each of them: it changes no result, is
sent at most once, and takes a limited time, which is that of all together. A target that fails does not cost the others' messages.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent import futures
from functools import partial

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.background import start_in_background
from argo_jupyter_scheduler.domain.errors import RunEnded
from argo_jupyter_scheduler.domain.options import read_notify
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.domain.status import LIVE
from argo_jupyter_scheduler.notify import occasions
from argo_jupyter_scheduler.notify.send_once import SentElsewhere
from argo_jupyter_scheduler.notify.target_delivery import deliver
from argo_jupyter_scheduler.notify.target_message import TargetMessage, compose_message
from argo_jupyter_scheduler.steps import reporting
from argo_jupyter_scheduler.steps.context import Context
from argo_jupyter_scheduler.storage.folders import NOT_NOTIFIED, notified
from argo_jupyter_scheduler.storage.schema import JobRow


def run(context: Context) -> None:
    """Notify the targets of the run, if that is wanted and nobody has tried it."""
    job: JobRow | None = None
    targets: tuple[str, ...] = ()
    reasons: dict[str, str] = {}
    try:
        job = context.database.get_job(context.job_id)
        if job is None or job.status not in LIVE:
            return
        settings = reporting.read_settings(context.folder, job)
        if not settings.notifications.targets:  # a tag such as `notify:me` of before there was this option
            return
        default = settings.notifications.notify_on
        targets, notify_on = read_notify(job.tags, job.runtime_environment_parameters, default)
        targets = tuple(name for name in targets if not (context.folder.private / notified(name)).exists())
        message = _make_message(context, job, settings, notify_on) if targets else None
        if message:
            reasons = _notify(context, targets, message, settings)
    except Exception as error:  # whatever it is, the run's result stands
        reasons = dict.fromkeys(targets, reporting.explain(error))
    if reasons:
        _report(context, job, reasons)


def _make_message(
    context: Context, job: JobRow, settings: RunSettings, notify_on: str
) -> TargetMessage | None:
    """Return the message that is due now; None if none is wanted."""
    ending = reporting.find_ending(context, job)
    if ending is None:
        return None
    is_wanted = occasions.is_wanted(notify_on, ending.succeeded, ending.has_changed)
    if not is_wanted and not ending.failures:
        return None
    return compose_message(reporting.summarize_ending(context, job, settings, ending))


def _notify(
    context: Context, targets: Sequence[str], message: TargetMessage, settings: RunSettings
) -> dict[str, str]:
    """Send a message to all targets at the same time; return why it could not be sent, by their names."""

    def send(target: str) -> None:
        address = context.addresses.get(target, "")
        deliver(message, address, settings.notifications, lambda: context.folder.claim(notified(target)))

    sent = {name: start_in_background(partial(send, name), f"message to {name}") for name in targets}
    with contextlib.suppress(RunEnded):  # the rest of the run continues, and soon
        futures.wait(sent.values())
    return {name: reason for name, result in sent.items() if (reason := _find_reason(result))}


def _find_reason(sent: futures.Future[None]) -> str:
    """Return why a message was not sent; empty if it was, or another process sends it."""
    if not sent.done():
        return reporting.ENDED_MEANWHILE
    try:
        sent.result()
    except SentElsewhere:
        return ""
    except Exception as error:
        return reporting.explain(error)
    return ""


def _report(context: Context, job: JobRow | None, reasons: dict[str, str]) -> None:
    """Say why targets could not be notified, in the log and for the step `failure`. It is not tried again."""
    with contextlib.suppress(OSError):  # a full disk, or a folder that is gone
        for target in reasons:
            context.folder.claim(notified(target))
        context.folder.write(NOT_NOTIFIED, {**context.folder.read(NOT_NOTIFIED), **reasons})
    for target, reason in reasons.items():
        reporting.note(context.folder, job, messages.notifications.message_not_sent(target, reason))

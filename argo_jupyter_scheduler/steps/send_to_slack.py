"""The step `send-to-slack`: sends a message about how the run ended, once.

It does not change a run's result, and it waits for Slack for a limited time. The run's log says why a message could not be sent,
and so does a file for the step `failure`.

No message is sent twice. A mark is left just before Slack is asked to show the message, and a process that finds it sends
nothing. So a process that dies at that very moment may cost a message. That is the lesser evil: a channel that repeats itself is
soon ignored. Nobody sees what comes before that moment, so for a process that died, Argo's exit handler or the task runner does it
again.

The message of the third run of a job definition that fails in a row says so. It is sent even if only successes are reported.
"""

from __future__ import annotations

import contextlib

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.run_settings import RunSettings
from argo_jupyter_scheduler.domain.status import LIVE
from argo_jupyter_scheduler.notify import slack
from argo_jupyter_scheduler.notify.send_once import SentElsewhere
from argo_jupyter_scheduler.notify.slack_delivery import deliver
from argo_jupyter_scheduler.notify.slack_message import Message, compose_text
from argo_jupyter_scheduler.steps import reporting
from argo_jupyter_scheduler.steps.context import Context
from argo_jupyter_scheduler.storage.folders import MESSAGE, NOT_SENT
from argo_jupyter_scheduler.storage.schema import JobRow


def run(context: Context) -> None:
    """Send the run's message, if one is wanted and nobody has tried to send it."""
    job = message = None
    try:
        job = context.database.get_job(context.job_id)
        if job is None or job.status not in LIVE:
            return
        settings = reporting.read_settings(context.folder, job)
        message = _make_message(context, job, settings)
        left_out = deliver(message, settings.slack, lambda: context.folder.claim(MESSAGE)) if message else ""
        if left_out:
            reporting.note(context.folder, job, f"The message to Slack had no file: {left_out}")
    except SentElsewhere:
        pass
    except Exception as error:  # whatever it is, the run's result stands
        reason = reporting.explain(error).replace(message.token if message and message.token else "\0", "…")
        with contextlib.suppress(OSError):  # a full disk, or a folder that is gone
            context.folder.write(NOT_SENT, {"reason": reason})
        reporting.note(context.folder, job, messages.notifications.message_not_sent("Slack", reason))


def _make_message(context: Context, job: JobRow, settings: RunSettings) -> Message | None:
    """Return the message that is due now; None if no message is wanted, or somebody has tried to send it."""
    folder, parameters = context.folder, job.parameters
    is_tried = any((folder.private / name).exists() for name in (MESSAGE, NOT_SENT))
    if is_tried or not slack.is_asked_for(parameters, settings.slack):
        return None
    ending = reporting.find_ending(context, job)
    if ending is None:
        return None
    is_wanted = slack.is_wanted_after(parameters, settings.slack, ending.succeeded, ending.has_changed)
    if not is_wanted and not ending.failures:
        return None
    summary = reporting.summarize_ending(context, job, settings, ending)
    return Message(
        token=slack.read_parameter(parameters, slack.TOKEN) or context.slack_token.strip(),
        channel=slack.choose_channel(parameters, settings.slack),
        text=compose_text(summary),
        path=summary.attachment,
        filename=summary.attachment_name,
    )

"""The step `send-to-slack`: sends a message about how the run ended, once.

It does not change a run's result, and it waits for Slack for a limited time. The run's log says why a message could not be sent,
and so does a file for the step `failure`.

No message is sent twice. A mark is left just before Slack is asked to show the message, and a process that finds it sends
nothing. So a process that dies at that very moment may cost a message. That is the lesser evil: a channel that repeats itself is
soon ignored. Nobody sees what comes before that moment, so for a process that died, Argo's exit handler or the task runner does it
again.
"""

from __future__ import annotations

import contextlib

from argo_jupyter_scheduler.domain.errors import MessageNotSent, RunEnded
from argo_jupyter_scheduler.domain.run_settings import RunSettings, SlackSettings
from argo_jupyter_scheduler.domain.status import COMPLETED, FAILED, LIVE, STOPPED
from argo_jupyter_scheduler.domain.text import shorten
from argo_jupyter_scheduler.notify import slack
from argo_jupyter_scheduler.notify.send_once import SendOnce, SentElsewhere
from argo_jupyter_scheduler.notify.slack_message import Message, compose_text
from argo_jupyter_scheduler.notify.summary import summarize
from argo_jupyter_scheduler.steps import rename_files, run_log
from argo_jupyter_scheduler.steps.context import Context
from argo_jupyter_scheduler.storage.folders import MESSAGE, NOT_SENT, RunFolder
from argo_jupyter_scheduler.storage.schema import JobRow

MAX_REASON_CHARACTERS = 300
"""Of the reason why a message was not sent. It shares a column with the run's own message."""


def run(context: Context) -> None:
    """Send the run's message, if one is wanted and nobody has tried to send it."""
    job = message = None
    try:
        job = context.database.get_job(context.job_id)
        if job is None or job.status not in LIVE:
            return
        settings = _read_settings(context.folder, job)
        message = _make_message(context, job, settings)
        left_out = _send(message, settings.slack, context.folder) if message else ""
        if left_out:
            _report(context.folder, job, f"The message to Slack had no file: {left_out}")
    except SentElsewhere:
        pass
    except Exception as error:  # whatever it is, the run's result stands
        reason = _explain(error).replace(message.token if message and message.token else "\0", "…")
        with contextlib.suppress(OSError):  # a full disk, or a folder that is gone
            context.folder.write(NOT_SENT, {"reason": reason})
        _report(context.folder, job, f"No message was sent to Slack: {reason}")


def _read_settings(folder: RunFolder, job: JobRow) -> RunSettings:
    """Return the run's settings, or those of its definition where the run's folder could not be made."""
    if job.job_definition_id and not folder.has_settings():
        return RunFolder(folder.path.parent, job.job_definition_id).read_settings()
    return folder.read_settings()


def _make_message(context: Context, job: JobRow, settings: RunSettings) -> Message | None:
    """Return the message that is due now; None if no message is wanted, or somebody has tried to send it."""
    folder, parameters = context.folder, job.parameters
    is_tried = any((folder.private / name).exists() for name in (MESSAGE, NOT_SENT))
    if is_tried or not slack.is_asked_for(parameters, settings.slack):
        return None
    status, reason = context.outcome()
    if status == STOPPED or (status == FAILED and not reason):  # Argo's exit handler will know the reason
        return None
    if not slack.is_wanted_after(parameters, settings.slack, succeeded=status == COMPLETED):
        return None
    summary = summarize(job, settings, folder, status, reason)
    return Message(
        token=slack.read_parameter(parameters, slack.TOKEN) or context.slack_token.strip(),
        channel=slack.choose_channel(parameters, settings.slack),
        text=compose_text(summary),
        path=summary.attachment,
        filename=summary.attachment_name,
    )


def _send(message: Message, settings: SlackSettings, folder: RunFolder) -> str:
    """Send the message within its time; return why its file was left out, empty if it was not.

    Raises
    ------
    MessageNotSent
        There is no usable token, or Slack refused or did not answer in time.
    SentElsewhere
        Another process shows the message.
    """
    if not message.token:
        raise MessageNotSent(
            "the configured token was not found (slack_token, or the Secret of slack_token_secret)."
        )
    if not slack.is_token(message.token):
        raise MessageNotSent("the configured token contains characters that a token of Slack cannot have.")
    from argo_jupyter_scheduler.notify import slack_client

    once = SendOnce(lambda: folder.claim(MESSAGE))
    return once.send(
        lambda until: slack_client.send(message, settings, until, once.claim), settings.time_limit, "Slack"
    )


def _explain(error: Exception) -> str:
    """Return why no message was sent, on one line."""
    if isinstance(error, RunEnded):  # the rest of the run continues, and soon
        return "the run was told to end meanwhile."
    reason = str(error) if isinstance(error, MessageNotSent) else f"{type(error).__name__}: {error}"
    return shorten(" ".join(reason.split()), MAX_REASON_CHARACTERS)


def _report(folder: RunFolder, job: JobRow | None, text: str) -> None:
    """Write a line to the run's log, and publish the log again."""
    run_log.note(folder.log, text)
    if job and "log" in (job.output_formats or ()):
        with contextlib.suppress(OSError):
            rename_files.publish(folder, job, "log")

"""The step `send-to-slack`: tells a channel how the run ended, once.

It changes no run's result, and waits for Slack only so long. Why a message could not be sent is in the run's log, and in its
folder for the step `failure`.

Nothing is sent twice: an empty file is made just before Slack is asked to show the message, and whoever finds it sends none. A
process that dies at that very moment may so cost a message, the lesser evil: a channel that is told things twice is soon ignored.
What comes before that moment nobody sees, so Argo's exit handler or the task runner does it again for a process that died.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from concurrent import futures
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import MessageNotSent, RunEnded
from argo_jupyter_scheduler.domain.run_settings import ALWAYS, FAILURE, SUCCESS, RunSettings, SlackSettings
from argo_jupyter_scheduler.domain.status import COMPLETED, FAILED, LIVE, STOPPED
from argo_jupyter_scheduler.domain.text import shorten
from argo_jupyter_scheduler.notify import slack
from argo_jupyter_scheduler.notify.slack import Message
from argo_jupyter_scheduler.steps import rename_files
from argo_jupyter_scheduler.steps import run_log as output
from argo_jupyter_scheduler.steps.context import Context
from argo_jupyter_scheduler.storage.folders import MESSAGE, NOT_SENT, RunFolder
from argo_jupyter_scheduler.storage.output_names import output_filename

REASON_LENGTH = 300
"""Characters of the reason why no message was sent; it shares a column with the run's own message."""


class _SentBySomebodyElse(Exception):
    """Another process has taken the run's turn to show a message."""


class _Turn:
    """A run's one turn to show a message, for as long as there is time.

    Parameters
    ----------
    folder
        The run's folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._passed = False
        self.taken = False

    def take(self) -> None:
        """Take it, or raise why not."""
        with self._lock:
            if self._passed:
                raise MessageNotSent("there was no time left.")
            if not self._folder.claim(MESSAGE):
                raise _SentBySomebodyElse
            self.taken = True

    def pass_by(self) -> None:
        """Let nobody in this process take it any more."""
        with self._lock:
            self._passed = True


def run(context: Context) -> None:
    """Send the run's message, if one is wanted and nobody has tried to."""
    job = message = None
    try:
        job = context.database.get_job(context.job_id)
        settings, message = _asked(context, job)
        left_out = _send(message, settings, context.folder) if message else ""
        if left_out:
            _tell(context.folder, job, f"The message to Slack had no file: {left_out}")
    except _SentBySomebodyElse:
        pass
    except Exception as error:  # whatever it is, the run's result stands
        reason = _reason(error).replace(message.token if message and message.token else "\0", "…")
        with contextlib.suppress(OSError):  # a full disk, or a folder that is gone
            context.folder.write(NOT_SENT, {"reason": reason})
        _tell(context.folder, job, f"No message was sent to Slack: {reason}")


def _reason(error: Exception) -> str:
    if isinstance(error, RunEnded):  # what is left of the run goes on, and soon
        return "the run was told to end meanwhile."
    known = isinstance(error, MessageNotSent)
    return shorten(
        " ".join((str(error) if known else f"{type(error).__name__}: {error}").split()), REASON_LENGTH
    )


def _tell(folder: RunFolder, job: dict[str, Any] | None, text: str) -> None:
    """Write a line to the run's log, and publish that anew."""
    output.note(folder.log, text)
    if job and "log" in (job["output_formats"] or []):
        with contextlib.suppress(OSError):
            rename_files.publish(folder, job, "log")


def _asked(context: Context, job: dict[str, Any] | None) -> tuple[SlackSettings, Message | None]:
    """Return what is to be sent now: nothing, if no message is wanted, or somebody sent or tried to."""
    settings, folder = SlackSettings(), context.folder
    if job is None or job["status"] not in LIVE:
        return settings, None
    run_settings, parameters = _run_settings(folder, job), job["parameters"]
    settings = RunSettings.from_json(run_settings).slack
    tried = any((folder.private / name).exists() for name in (MESSAGE, NOT_SENT))
    if tried or not slack.is_asked_for(parameters, settings):
        return settings, None
    status, reason = context.outcome()
    if status == STOPPED or (status == FAILED and not reason):  # Argo's exit handler will know the reason
        return settings, None
    this = SUCCESS if status == COMPLETED else FAILURE
    if slack.notify_on(parameters, settings) not in (ALWAYS, this):
        return settings, None
    path, filename = _file(folder, job, status)
    message = Message(
        token=slack.given(parameters, slack.TOKEN) or context.slack_token.strip(),
        channel=slack.channel_name(slack.given(parameters, slack.CHANNEL) or settings.channel),
        text=compose(job, reason, run_settings.get("namespace")),
        path=path,
        filename=filename,
    )
    return settings, message


def _run_settings(folder: RunFolder, job: dict[str, Any]) -> dict[str, Any]:
    """Return what the server wrote for the run, or, where its folder could not be made, for its definition."""
    definition_id = job["job_definition_id"]
    return folder.read("run.json") or (
        RunFolder(folder.path.parent, definition_id).read("run.json") if definition_id else {}
    )


def compose(job: dict[str, Any], reason: str, namespace: str | None) -> str:
    """Return the message's text, in Slack's own markup.

    Parameters
    ----------
    job
        The run's row.
    reason
        Why it failed; empty if it completed.
    namespace
        Where its workflow is; None for a run on this machine.
    """
    place = f"on Argo, {namespace}/{job.workflow_name}" if namespace else f"on {socket.gethostname()}"
    name = " ".join((job["name"] or job["input_filename"]).split()).replace(
        "*", "\u2217"
    )  # which ends nothing bold
    facts = [job["input_filename"], *_duration(job["start_time"]), place]
    icon, ended = (":x:", "has failed") if reason else (":white_check_mark:", "has completed")
    text = f"{icon} *{slack.escape(name)}* {ended} · " + " · ".join(slack.escape(fact) for fact in facts)
    if reason:
        quoted = slack.escape(shorten(reason).replace("```", "'''"))
        text += f"\n```{quoted}```"
    return text


def _duration(start_time: int | None) -> list[str]:
    if not start_time:
        return []
    minutes, seconds = divmod(max(now_ms() - start_time, 0) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return [f"{hours} h {minutes} min"]
    return [f"{minutes} min {seconds} s" if minutes else f"{seconds} s"]


def _file(folder: RunFolder, job: dict[str, Any], status: str) -> tuple[Path | None, str]:
    """Return the file to send and its name: after a success what a reader opens, after a failure the notebook up to there."""
    made = job["output_formats"] or []
    formats = sorted(made, key=lambda name: name != "html") if status == COMPLETED else ["ipynb"]
    for output_format in formats:
        path = folder.output(output_format)
        if path.is_file() and path.stat().st_size:  # Slack takes no empty one
            return path, output_filename(job["input_filename"], job["create_time"], output_format)
    return None, ""


def _send(message: Message, settings: SlackSettings, folder: RunFolder) -> str:
    """Send the message within its time; return why its file was left out, empty if it was not.

    The time limits of a connection do not bound a slow server or a slow look-up of its name, so that is done in a thread. One that
    is late finds that it may not show its message any more.

    Raises
    ------
    MessageNotSent
        With the reason.
    """
    if not message.token:
        raise MessageNotSent(
            "the configured token was not found (slack_token, or the Secret of slack_token_secret)."
        )
    if not slack.is_token(message.token):
        raise MessageNotSent("the configured token has characters that no token of Slack has.")
    from argo_jupyter_scheduler.notify import slack_client

    turn, sent = _Turn(folder), futures.Future[str]()
    until = time.monotonic() + settings.time_limit

    def work() -> None:
        try:
            sent.set_result(slack_client.send(message, settings, until, turn.take))
        except BaseException as error:
            sent.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        return sent.result(settings.time_limit)
    except futures.TimeoutError as error:  # before Python 3.11 another than TimeoutError
        maybe = " The message may have arrived all the same." if turn.taken else ""
        raise MessageNotSent(f"Slack did not answer within {settings.time_limit:g} s.{maybe}") from error
    finally:
        turn.pass_by()

"""The step `send-notifications` by itself: what services may answer, and that nothing is sent twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.run_settings import NotificationSettings, RunSettings
from argo_jupyter_scheduler.notify.targets import make_environment
from argo_jupyter_scheduler.steps import failure, send_notifications, success
from argo_jupyter_scheduler.steps.__main__ import run_steps
from argo_jupyter_scheduler.steps.context import RESULT, Context
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import NOT_NOTIFIED, RunFolder
from argo_jupyter_scheduler.storage.schema import JobRow
from tests.stand_ins.receivers import HOOK, SECRET, Receivers, attachments, body, is_secret
from tests.support.eventually import eventually
from tests.support.rows import job_row

ERROR = "ValueError: no (cell 1, In [1])"
LINK = "https://hub.example.org/user/ada/"


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with Receivers() as receivers:
        yield receivers


Run = Callable[..., Context]


@pytest.fixture
def run(receivers: Receivers, database: Database, staging_path: Path) -> Run:
    """Make a run whose notebook was executed."""
    RunFolder(staging_path, "d").create()
    made: list[str] = []

    def make(
        succeeded: bool = True, tags: tuple[str, ...] = ("notify:team,ops",), **configured: Any
    ) -> Context:
        made.append(f"run-{len(made)}")
        settings = NotificationSettings(targets=("team", "ops", "gone"), time_limit=20)
        folder = RunFolder(staging_path, made[-1])
        folder.create()
        row = JobRow(
            job_id=made[-1],
            job_definition_id="d",
            name="nightly @everyone",
            input_filename="n.ipynb",
            runtime_environment_name="e",
            status="IN_PROGRESS",
            output_formats=("ipynb", "html", "log"),
            tags=tags,
            start_time=1,
        )
        folder.write_settings(RunSettings(notifications=replace(settings, **configured)))
        folder.write(RESULT, {"succeeded": succeeded, "error": None if succeeded else ERROR})
        folder.output("html").write_text("<h1>html</h1>")
        folder.output("ipynb").write_text("{}")
        folder.log.touch()
        database.insert_job(row)
        return Context(made[-1], database, folder, addresses=receivers.targets)

    return make


def end(context: Context) -> None:
    send_notifications.run(context)
    (success if context.read_result().succeeded else failure).run(context)


def reasons(context: Context) -> dict[str, Any]:
    """Return why targets were not notified, which the log says too."""
    found = context.folder.read(NOT_NOTIFIED)
    text = context.folder.log.read_text()
    for target, reason in found.items():
        assert f"No message was sent to {target}: {reason}" in text
    assert not is_secret(text.encode() + str(found).encode())
    return found


def test_after_a_success_the_html_goes_by_mail_and_a_link_to_both(run: Run, receivers: Receivers) -> None:
    context = run(public_url=LINK)
    end(context)
    [mail], [post] = receivers.mails, receivers.posts
    assert receivers.recipients == [["team@example.org"]]
    assert mail["Subject"] == post["title"] == "nightly @\u2060everyone has completed"
    [(name, content)] = attachments(mail).items()
    assert (name.startswith("n-"), name.endswith(".html"), content) == (True, True, b"<h1>html</h1>")
    for text in (body(mail), post["message"]):
        assert "n.ipynb · " in text
        assert f"{LINK}argo-scheduler/jobs/run-0/result" in text
    assert (post["type"], post["attachments"], reasons(context)) == ("success", [], {})


def test_after_a_failure_the_reason_and_the_notebook_so_far_are_sent(run: Run, receivers: Receivers) -> None:
    end(run(False))
    [mail], [post] = receivers.mails, receivers.posts
    assert post["title"].endswith(" has failed")
    assert post["type"] == "failure"
    assert ERROR in post["message"]
    assert ERROR in body(mail)
    assert [name.rpartition(".")[2] for name in attachments(mail)] == ["ipynb"]


def test_a_file_that_is_too_large_is_named_only(run: Run, receivers: Receivers) -> None:
    end(run(file_limit=0))
    [mail] = receivers.mails
    assert attachments(mail) == {}
    assert "html is not attached: it has 1.3e-05 MB, and the limit is 0 MB." in body(mail)


@pytest.mark.parametrize(
    ("notify_on", "titles"),
    [
        ("always", ["completed", "failed", "failed", "recovered", "completed"]),
        ("success", ["completed", "recovered", "completed"]),
        ("failure", ["failed", "failed"]),
        ("change", ["failed", "recovered"]),
    ],
)
@pytest.mark.parametrize("by_option", [True, False])
def test_after_which_runs(
    run: Run, receivers: Receivers, notify_on: str, titles: list[str], by_option: bool
) -> None:
    tags = ("notify:ops", f"notify_on:{notify_on}") if by_option else ("notify:ops",)
    for succeeded in (True, False, False, True, True):
        end(run(succeeded, tags, **({} if by_option else {"notify_on": notify_on})))
    assert [post["title"].rpartition(" ")[2] for post in receivers.posts] == titles


def test_the_first_failure_of_all_is_a_change_and_the_third_is_reported_whatever_is_wanted(
    run: Run, receivers: Receivers
) -> None:
    end(run(False, ("notify:ops", "notify_on:change")))
    assert len(receivers.posts) == 1
    for tags in [("notify:ops", "notify_on:success")] * 3:
        end(run(False, tags))
    assert len(receivers.posts) == 2
    assert messages.runs.runs_failed(3) in receivers.posts[-1]["message"]


def test_a_stopped_run_between_two_failures_is_no_change(
    run: Run, receivers: Receivers, database: Database
) -> None:
    tags = ("notify:ops", "notify_on:change")
    end(run(False, tags))
    stopped = run(True, tags)
    database.mark_stopped(stopped.job_id)
    send_notifications.run(stopped)
    end(run(False, tags))
    assert len(receivers.posts) == 1


def test_one_target_that_fails_does_not_cost_the_others_message(run: Run, receivers: Receivers) -> None:
    receivers.status = 503
    context = run(False)
    end(context)
    assert len(receivers.mails) == 1
    assert list(reasons(context)) == ["ops"]
    assert "503" in reasons(context)["ops"]
    row = job_row(context.database, context.job_id)
    assert row.status_message == f"{ERROR} (No message was sent to ops: {reasons(context)['ops']})"
    receivers.status = 200
    send_notifications.run(replace_live(context))
    assert (len(receivers.mails), receivers.posts) == (1, [])


def replace_live(context: Context) -> Context:
    """Return a run as Argo's exit handler sees it whose row another process could not end."""
    context.database.update_job(context.job_id, status="IN_PROGRESS")
    return Context(context.job_id, context.database, context.folder, addresses=context.addresses)


def test_what_cannot_be_sent_is_explained_without_the_address(run: Run, receivers: Receivers) -> None:
    receivers.refuses_mail = True
    context = run(True, ("notify:team,ops,gone",))
    wrong = receivers.targets["ops"].replace(HOOK, "another-secret-path")
    context.addresses = {"team": receivers.targets["team"], "ops": wrong}
    end(context)
    found = reasons(context)
    assert list(found) == ["team", "ops", "gone"]
    assert found["gone"] == messages.notifications.TARGET_WITHOUT_ADDRESS
    assert "404" in found["ops"]
    assert "another" not in found["ops"]
    assert '"…@…" failed' in found["team"]  # the recipient
    assert job_row(context.database, context.job_id).status == "COMPLETED"


@pytest.mark.parametrize("address", ["nonsense://x", "mailto://", "json://"])
def test_an_address_that_is_none_is_explained(run: Run, receivers: Receivers, address: str) -> None:
    context = run(True, ("notify:ops",))
    context.addresses = {"ops": address}
    end(context)
    assert "Apprise does not understand its address." in reasons(context)["ops"]


def test_a_wrong_password_is_explained_without_it(run: Run, receivers: Receivers) -> None:
    context = run(True, ("notify:team",))
    context.addresses = {"team": receivers.targets["team"].replace(SECRET, "wrong-password")}
    end(context)
    assert reasons(context)["team"]
    assert "wrong-password" not in context.folder.log.read_text()
    assert receivers.mails == []


def test_a_service_that_hangs_is_given_up_in_time(run: Run, receivers: Receivers) -> None:
    receivers.hang.set()
    context = run(False, time_limit=1.0)
    context.addresses = {"team": receivers.targets["ops"], "ops": receivers.targets["ops"]}
    end(context)
    late = "The service did not answer within 1 s. The message may have arrived anyway."
    assert reasons(context) == {"team": late, "ops": late}


def test_it_is_sent_once_whoever_tries(run: Run, receivers: Receivers) -> None:
    context = run()
    threads = [threading.Thread(target=send_notifications.run, args=(context,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    send_notifications.run(context)
    assert (len(receivers.mails), len(receivers.posts), reasons(context)) == (1, 1, {})


def test_of_a_process_that_died_only_what_nobody_can_have_seen_is_made_up_for(
    run: Run, receivers: Receivers
) -> None:
    context = run()
    receivers.hang.set()
    command = [sys.executable, "-m", "argo_jupyter_scheduler.steps", "send-notifications"]
    command += ["--db-url", context.database.url, "--staging-path", str(context.folder.path.parent)]
    environment = {**os.environ, **make_environment({"ops": receivers.targets["ops"]})}
    context.database.update_job(context.job_id, tags=("notify:ops",))
    with subprocess.Popen([*command, "--job-id", context.job_id], env=environment) as process:
        eventually(lambda: receivers.asked)
        process.kill()
    receivers.hang.clear()
    context.database.update_job(context.job_id, tags=("notify:team,ops",))
    send_notifications.run(context)
    assert (len(receivers.mails), receivers.asked) == (1, 1)


def test_a_run_that_is_told_to_end_meanwhile_keeps_its_result(run: Run, receivers: Receivers) -> None:
    receivers.hang.set()
    context = run(True, ("notify:ops",))
    before = signal.getsignal(signal.SIGTERM)

    def kill() -> None:
        eventually(lambda: receivers.asked)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=kill, daemon=True).start()
    try:
        code = run_steps(["send-notifications", "success", "failure"], context)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (code, job_row(context.database, context.job_id).status) == (0, "COMPLETED")
    assert reasons(context) == {"ops": "the run was ended in the meantime."}


@pytest.mark.parametrize("tags", [(), ("team",), ("notify:a b",), ("notify:me", "timeout:soon")])
def test_what_is_not_asked_for_is_not_sent(run: Run, receivers: Receivers, tags: tuple[str, ...]) -> None:
    context = run(True, tags)
    end(context)
    assert (receivers.mails, receivers.asked, reasons(context)) == ([], 0, {})


def test_a_run_of_before_there_were_targets_notifies_nobody(run: Run) -> None:
    context = run(True, ("notify:me",), targets=())
    end(context)
    assert reasons(context) == {}


def test_apprise_is_not_imported_without_a_target() -> None:
    """It takes as long as the smallest notebook's other imports."""
    code = "import sys; from argo_jupyter_scheduler.steps import send_notifications; assert 'apprise' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

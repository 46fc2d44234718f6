"""Notifications at every place where a run can happen, to a real mail server and a real webhook."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.notify.targets import PREFIX
from tests.stand_ins.receivers import Receivers, attachments, body, is_secret
from tests.support.jobs import Jobs, Story, notebook, on_each_engine, outputs, reconcile_twice, refusal

UNKNOWN = "00000000-0000-4000-8000-000000000000"

PLACES = pytest.mark.parametrize("place", ["local", "argo", "argo-pod-per-step"], indirect=True)
"""Pods of a real Argo do not reach this machine's loopback address."""


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with Receivers() as receivers:
        yield receivers


@pytest.fixture
def scheduler_config(
    scheduler_config: dict[str, Any], place: str, receivers: Receivers, request: pytest.FixtureRequest
) -> dict[str, Any]:
    """A server that has two targets, each place in its own way."""
    if place == "local":
        return {**scheduler_config, "notification_targets": receivers.targets}
    secrets = {name: {"name": "notifications", "key": f"of-{name}"} for name in receivers.targets}
    stored = request.getfixturevalue("argo").secrets
    stored.update({("notifications", f"of-{name}"): f"{url}\n" for name, url in receivers.targets.items()})
    return {**scheduler_config, "notification_secrets": secrets}


@PLACES
async def test_each_target_hears_once_and_no_address_is_seen(
    jobs: Jobs,
    receivers: Receivers,
    place: str,
    request: pytest.FixtureRequest,
    staging_path: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    code = "import json, os, psutil; print(json.dumps(dict(os.environ)))"
    processes = "[print(process.info) for process in psutil.process_iter(['cmdline'])];"
    fields = {"output_formats": ["html", "ipynb", "log"], "tags": ["notify:Team, ops"]}
    job_id = await jobs.create("a.ipynb", notebook(code, processes), **fields)
    job = await jobs.wait(job_id)
    assert (job["status"], job["status_message"]) == ("COMPLETED", None)
    [mail], [post] = receivers.mails, receivers.posts
    files = await jobs.download(job_id)
    assert attachments(mail) == {files["html"].name: files["html"].read_bytes()}
    assert mail["Subject"] == post["title"] == "a job has completed"
    assert "on Argo, dev/job-" in post["message"] or place == "local"

    environment = json.loads(outputs(files["ipynb"]).splitlines()[0])
    assert [name for name in environment if name.startswith(PREFIX)] == []
    assert "argo_jupyter_scheduler.steps" in outputs(files["ipynb"])
    seen = [path.read_bytes() for path in [*tmp_path.rglob("*"), *jobs.root.rglob("*")] if path.is_file()]
    seen.append(caplog.text.encode())
    if place != "local":
        run = request.getfixturevalue("argo").runs[f"job-{job_id}"]
        seen += [json.dumps(run.workflow).encode(), json.dumps(run.logs).encode()]
        assert (
            seen[-2].count(b"secretKeyRef") == 4
        )  # of two targets, in the pod that sends and in the exit handler's
    assert len(seen) > 8
    assert not [content for content in seen if is_secret(content)]
    await nothing_more(receivers, job_id, place, request)


async def nothing_more(receivers: Receivers, job_id: str, place: str, request: pytest.FixtureRequest) -> None:
    """Let the exit handler and the reconciler go by."""
    if place != "local":
        await asyncio.to_thread(request.getfixturevalue("argo").wait, f"job-{job_id}")
    await reconcile_twice(request.getfixturevalue("scheduler"))
    assert (len(receivers.mails), receivers.asked) == (1, 1)


@PLACES
async def test_a_killed_run_is_reported_once(
    jobs: Jobs, receivers: Receivers, place: str, request: pytest.FixtureRequest
) -> None:
    source = notebook("print('so far')", "import os, signal; os.kill(os.getppid(), signal.SIGKILL)")
    tags = ["notify:team,ops", "notify_on:failure"]
    job_id = await jobs.create("k.ipynb", source, tags=tags)
    job = await jobs.wait(job_id)
    reason = messages.runs.PROCESS_GONE if place == "local" else "Error (exit code 137)"
    assert (job["status"], job["status_message"]) == ("FAILED", reason)
    [mail], [post] = receivers.mails, receivers.posts
    assert post["title"] == "a job has failed"
    assert reason in post["message"]
    assert reason in body(mail)
    assert list(attachments(mail)) == [(await jobs.download(job_id))["ipynb"].name]
    await nothing_more(receivers, job_id, place, request)


@on_each_engine
async def test_a_definition_that_breaks_and_is_repaired(
    jobs: Jobs,
    receivers: Receivers,
    place: str,
    next_minute: Callable[[], Awaitable[None]],
    tmp_path: Path,
) -> None:
    if place == "real-argo":
        pytest.skip("its pods do not reach this machine's loopback address")
    flag = tmp_path / "flag"
    source = notebook(f"open({str(flag)!r})")
    definition_id = await jobs.define("n.ipynb", source, tags=["notify:team,ops", "notify_on:change"])
    story = Story(jobs, next_minute, definition_id)
    for _ in range(2):
        assert (await story.next_run())["status"] == "FAILED"
    flag.touch()
    assert (await story.next_run())["status"] == "COMPLETED"
    assert [post["title"] for post in receivers.posts] == [
        "a definition has failed",
        "a definition has recovered",
    ]
    assert [mail["Subject"] for mail in receivers.mails] == [post["title"] for post in receivers.posts]
    await story.change(tags=[])
    flag.unlink()
    assert (await story.next_run())["status"] == "FAILED"
    assert len(receivers.posts) == 2


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"tags": ["notify:taem"]}, "Notification target 'taem' not found. Available: team."),
    ({"runtime_environment_parameters": {"notify": "team,boss"}}, "Notification target 'boss' not found."),
    ({"runtime_environment_parameters": {"notifi": "team"}}, "Did you mean 'notify'?"),
    ({"tags": ["notify:mailto://a:b@c.org"]}, "addresses are not accepted"),
    ({"tags": ["notify:me@example.org"]}, "addresses are not accepted"),
    ({"tags": ["notify:team", "notify_on:never"]}, "Available: always, success, failure, change."),
    ({"tags": ["notify_on:failure"]}, "Add the option notify"),
    ({"email_notifications": {"on_failure": ["me@example.org"]}}, "such as notify:team"),
]


@on_each_engine
async def test_what_cannot_be_is_refused_and_leaves_nothing(
    jobs: Jobs, place: str, staging_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for create in (jobs.create, jobs.define):
        for fields, words in REFUSED:
            with pytest.raises(HTTPClientError) as error:
                await create("n.ipynb", notebook("1"), **fields)
            assert (error.value.code, words in refusal(error)) == (400, True), refusal(error)
    assert [path for path in staging_path.rglob("*") if path.suffix == ".ipynb"] == []
    assert (await jobs.request("GET", "jobs"))["total_count"] == 0
    assert "a:b@c" not in caplog.text


class TestWithoutTargets:
    @pytest.fixture
    def scheduler_config(self) -> dict[str, Any]:
        return {}

    async def test_a_target_is_refused_with_what_to_do(self, jobs: Jobs) -> None:
        with pytest.raises(HTTPClientError) as error:
            await jobs.create("n.ipynb", notebook("1"), tags=["notify:team"])
        assert "this server has no notification targets. Ask your administrator" in refusal(error)


@pytest.mark.parametrize("place", ["local"], indirect=True)
class TestALink:
    async def follow(self, jobs: Jobs, job_id: str, **headers: str) -> tuple[int, str]:
        """Return what a browser is answered, and where it is sent."""
        path = ("argo-scheduler", "jobs", job_id, "result")
        with pytest.raises(HTTPClientError) as error:
            await jobs.fetch(*path, method="GET", follow_redirects=False, headers=headers)
        assert error.value.response
        return error.value.code, error.value.response.headers.get("Location", "")

    async def test_it_leads_to_the_html_in_jupyterlab(self, jobs: Jobs) -> None:
        job_id = await jobs.create("a & b.ipynb", notebook("1"))
        await jobs.wait(job_id)
        code, place = await self.follow(jobs, job_id)
        html = (await jobs.download(job_id))["html"].relative_to(jobs.root)
        assert (code, unquote(place).partition("/lab/tree/")[2]) == (302, str(html))
        assert "&" not in place

    async def test_who_is_not_logged_in_is_sent_to_the_login(self, jobs: Jobs) -> None:
        code, place = await self.follow(jobs, UNKNOWN, Authorization="")
        assert (code, "/login?next=" in place) == (302, True)

    async def test_a_job_that_is_gone_or_has_no_output(self, jobs: Jobs, staging_path: Path) -> None:
        assert (await self.follow(jobs, UNKNOWN))[0] == 404
        job_id = await jobs.create("n.ipynb", notebook("1"), output_formats=["log"])
        await jobs.wait(job_id)
        code, place = await self.follow(jobs, job_id)
        assert (code, place[-4:]) == (302, ".log")

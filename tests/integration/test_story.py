"""One file of job definitions: a linked notebook on a schedule, a folder, a bucket, and who hears of a broken report."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from tests.stand_ins.address import own_address
from tests.stand_ins.receivers import Receivers
from tests.support.jobs import Jobs, Story, notebook, on_each_engine

DEFINITIONS = """\
name: Daily sales
notebook: ../project/sales.ipynb
schedule: "* * * * *"
timezone: Europe/Berlin
formats: [html, ipynb]
options:
  input: linked
  output: ["reports/{definition}/{date}", "s3://bucket/{definition}"]
  notify: [team, ops]
  notify_on: change
"""
PARAMETERS = "scheduled_time = ''"


@pytest.fixture
def is_real(place: str) -> bool:
    """Whether pods must reach this machine from outside."""
    return place == "real-argo"


@pytest.fixture
def receivers(is_real: bool) -> Iterator[Receivers]:
    with Receivers(real_pods=is_real) as receivers:
        yield receivers


@pytest.fixture
def store(is_real: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A real S3 server with a bucket, and the variables that lead to it."""
    server = ThreadedMotoServer("0.0.0.0" if is_real else "127.0.0.1", 0)
    server.start()
    try:
        _, port = server.get_host_and_port()
        variables = {
            "AWS_ENDPOINT_URL": f"http://{own_address() if is_real else '127.0.0.1'}:{port}",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "a key of the test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": str(tmp_path / "none"),
        }
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        reset = (
            f"{variables['AWS_ENDPOINT_URL']}/moto-api/reset"  # all servers of a process share what they have
        )
        urllib.request.urlopen(urllib.request.Request(reset, method="POST")).close()
        files_of_store().mkdir("bucket")
        yield variables
    finally:
        server.stop()


def files_of_store() -> Any:
    import s3fs

    return s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)


@pytest.fixture
def scheduler_config(
    scheduler_config: dict[str, Any],
    place: str,
    receivers: Receivers,
    store: dict[str, str],
    request: pytest.FixtureRequest,
) -> Iterator[dict[str, Any]]:
    if place == "local":
        yield {**scheduler_config, "notification_targets": receivers.targets}
        return
    traits = {
        **scheduler_config,
        "environment": {**scheduler_config["environment"], **store},
        "notification_secrets": {name: {"name": "story", "key": name} for name in receivers.targets},
    }
    if place != "real-argo":
        secrets = request.getfixturevalue("argo").secrets
        secrets.update({("story", name): address for name, address in receivers.targets.items()})
        yield traits
        return
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is missing, which makes the Secret")
    kubectl = ["kubectl", "--namespace", os.environ["ARGO_NAMESPACE"]]
    literals = [f"--from-literal={name}={address}" for name, address in receivers.targets.items()]
    subprocess.run([*kubectl, "create", "secret", "generic", "story", *literals], check=True)
    try:
        yield traits
    finally:
        subprocess.run([*kubectl, "delete", "secret", "story"], check=True)


@on_each_engine
async def test_a_report_is_delivered_and_its_readers_hear_when_it_breaks(
    jobs: Jobs, receivers: Receivers, next_minute: Callable[[], Awaitable[None]]
) -> None:
    def write(*cells: str) -> None:
        jobs.write("project/sales.ipynb", notebook(*cells, parameters=PARAMETERS))

    write("print('sales of', scheduled_time)")
    body = json.dumps({"files": {"schedules/daily.yaml": DEFINITIONS}})
    answer = await jobs.fetch("argo-scheduler", "definitions", "apply", method="POST", body=body)
    [change] = json.loads(answer.body)["changes"]
    story = Story(jobs, next_minute, change["job_definition_id"])
    write("print('edited, sales of', scheduled_time)")

    run = await story.next_run()
    assert (run["status"], run["status_message"]) == ("COMPLETED", None)
    html = next(file["file_path"] for file in run["job_files"] if file["file_format"] == "html")
    date = html.split("/")[2]
    assert html.startswith(f"reports/Daily sales/{date}/sales-{date}-")
    page = (jobs.root / html).read_text()
    assert "edited, sales of" in page
    assert f"{date}T" in page  # the day that the report is about
    latest = jobs.root / "reports" / "Daily sales" / "latest"
    assert (latest / "sales.html").read_text() == page
    objects = files_of_store().find("bucket")
    assert f"bucket/Daily sales/{os.path.basename(html)}" in objects
    assert files_of_store().cat("bucket/Daily sales/latest/sales.html").decode() == page
    assert (receivers.mails, receivers.posts) == ([], [])

    write("1 / 0")
    assert (await story.next_run())["status"] == "FAILED"
    assert (latest / "sales.html").read_text() == page
    write("print('repaired')")
    assert (await story.next_run())["status"] == "COMPLETED"
    titles = ["Daily sales has failed", "Daily sales has recovered"]
    assert [post["title"] for post in receivers.posts] == titles
    assert [mail["Subject"] for mail in receivers.mails] == titles
    assert "ZeroDivisionError" in receivers.posts[0]["message"]
    assert "repaired" in (latest / "sales.html").read_text()

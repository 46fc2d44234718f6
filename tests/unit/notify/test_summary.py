"""What a message says about a run, and which file goes with it."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from argo_jupyter_scheduler.domain.run_settings import ARGO, RunSettings
from argo_jupyter_scheduler.domain.status import COMPLETED, FAILED
from argo_jupyter_scheduler.notify.slack_message import compose_text
from argo_jupyter_scheduler.notify.summary import RunSummary, format_duration, summarize
from argo_jupyter_scheduler.storage.folders import SUFFIXES, RunFolder
from argo_jupyter_scheduler.storage.output_names import output_filename
from argo_jupyter_scheduler.storage.schema import JobRow

JOB = JobRow(job_id="a", input_filename="n.ipynb", output_formats=("ipynb", "html", "log"))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path, "a")
    folder.create()
    for name in ("ipynb", "html", "log"):
        folder.output(name).write_text(name)
    return folder


def test_where_it_ran(folder: RunFolder) -> None:
    local = summarize(JOB, RunSettings(), folder, COMPLETED, "")
    argo = summarize(JOB, RunSettings(engine=ARGO, namespace="dev"), folder, COMPLETED, "")
    assert (local.place, argo.place) == (f"on {socket.gethostname()}", "on Argo, dev/job-a")


def test_a_file_is_called_as_in_the_panel(folder: RunFolder) -> None:
    job = replace(JOB, output_formats=("slides",))
    folder.output("slides").write_text("slides")
    folder.write(SUFFIXES, {"slides": "slides.html"})
    assert summarize(job, RunSettings(), folder, COMPLETED, "").attachment_name == output_filename(
        "n.ipynb", 0, "slides.html"
    )


def test_which_file_goes_with_it(folder: RunFolder) -> None:
    def attached(status: str) -> tuple[Path | None, str]:
        summary = summarize(JOB, RunSettings(), folder, status, "")
        return summary.attachment, summary.attachment_name

    html, ipynb = folder.output("html"), folder.output("ipynb")
    assert attached(COMPLETED) == (html, output_filename("n.ipynb", 0, "html"))
    assert attached(FAILED) == (ipynb, output_filename("n.ipynb", 0, "ipynb"))
    html.write_text("")
    assert attached(COMPLETED)[0] == ipynb
    ipynb.unlink()
    assert attached(COMPLETED)[0] == folder.output("log")
    assert attached(FAILED) == (None, "")


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (-5, "0 s"),
        (59_999, "59 s"),
        (60_000, "1 min 0 s"),
        (3_599_000, "59 min 59 s"),
        (7_260_000, "2 h 1 min"),
    ],
)
def test_durations(milliseconds: int, text: str) -> None:
    assert format_duration(milliseconds) == text


def test_the_text_is_slacks_and_nobodys_markup_reaches_it() -> None:
    summary = RunSummary("bike *rides* <!channel>", "a & b.ipynb", "3 s", "on host", "")
    assert compose_text(summary) == (
        ":white_check_mark: *bike \u2217rides\u2217 &lt;!channel&gt;* has completed · a &amp; b.ipynb · 3 s · on host"
    )
    failed = RunSummary("n", "n.ipynb", "", "on host", "ValueError: <b> ```")
    assert compose_text(failed) == (":x: *n* has failed · n.ipynb · on host\n```ValueError: &lt;b&gt; '''```")

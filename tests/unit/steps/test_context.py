"""How a run ended, as its files, its row and its engine say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.argo_failures import TIME_OVER, TIME_OVER_IN_ARGO
from argo_jupyter_scheduler.steps import create_job_id, failure, success
from argo_jupyter_scheduler.steps.context import PROGRESS, Context, Result
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.folders import NOT_SENT
from tests.support.rows import job_row
from tests.support.runs import FORMATS, Run


@pytest.fixture
def run(database: Database, staging_path: Path) -> Run:
    return Run(database, staging_path, "{}")


def context_of(run: Run, reason: str = "", stopped: bool = False) -> Context:
    return Context(run.id, run.database, run.folder, reason=reason, stopped=stopped)


def test_what_main_did_counts_whatever_the_engine_says(run: Run) -> None:
    context = context_of(run, "The pod was deleted.", stopped=True)
    assert context.outcome() == ("STOPPED", "The pod was deleted.")
    context.write_result(Result(succeeded=True))
    assert context_of(run, "The pod was deleted.").outcome() == ("COMPLETED", "")
    context.write_result(Result(error="ValueError"))
    assert context_of(run, "Error (exit code 1)").outcome() == ("FAILED", "ValueError")
    (run.folder.private / "result.json").write_text("half of i")
    assert context_of(run, "Error (exit code 1)").outcome() == ("FAILED", "Error (exit code 1)")


def test_a_run_that_never_began_says_what_it_waited_for(run: Run) -> None:
    run.database.explain_waiting(run.id, "ImagePullBackOff")
    assert context_of(run, "Its time is over.").outcome() == (
        "FAILED",
        "Its time is over. It was still waiting: ImagePullBackOff",
    )


@pytest.mark.parametrize("reason", [TIME_OVER, TIME_OVER_IN_ARGO])
def test_a_deadline_is_explained_by_the_option_and_the_cell(
    database: Database, staging_path: Path, reason: str
) -> None:
    run = Run(database, staging_path, "{}", tags=["timeout:2h"])
    run.database.mark_started(run.id)
    run.folder.write(PROGRESS, {"cell": 3, "cells": 7})
    assert context_of(run, reason).outcome() == ("FAILED", messages.runs.timed_out(7200, cell=3))


def test_a_deadline_that_no_option_sets_is_the_administrators(run: Run) -> None:
    run.database.mark_started(run.id)
    assert context_of(run, TIME_OVER).outcome() == (
        "FAILED",
        "The run took longer than your administrator allows.",
    )


def test_a_row_that_is_gone_is_not_missed(run: Run) -> None:
    run.database.delete_job(run.id)
    assert context_of(run, "Why").outcome() == ("FAILED", "Why")
    failure.run(context_of(run, "Why"))
    assert run.database.get_job(run.id) is None
    create_job_id.run(context_of(run))  # of a job that no definition started


def test_success_needs_a_main_that_succeeded(run: Run) -> None:
    context = context_of(run)
    with pytest.raises(Exception, match="was lost before the notebook finished"):
        success.run(context)
    context.write_result(Result(succeeded=True))
    with pytest.raises(Exception, match="could not be written: ipynb, html, log"):
        success.run(context)
    for output_format in FORMATS:
        run.folder.output(output_format).write_text("made")
    success.run(context)  # publishes what a killed rename-files left
    assert run.row.status == "COMPLETED"
    assert len(list(run.folder.path.glob("n-*"))) == 3


def test_a_message_that_was_not_sent_is_reported_with_the_reason(run: Run) -> None:
    run.folder.write(NOT_SENT, {"reason": "no channel"})
    failure.run(context_of(run, "x" * 2000))
    message = run.row.status_message or ""
    assert message.endswith("… (No message was sent to Slack: no channel)")
    assert len(message) == 1024


def test_a_long_copy_is_explained_while_the_job_waits(run: Run) -> None:
    create_job_id.explain_copy(context_of(run), "Copying the input folder.")
    assert job_row(run.database, run.id).status_message == "Copying the input folder."
    run.database.mark_started(run.id)
    assert job_row(run.database, run.id).status_message is None
    create_job_id.explain_copy(context_of(run), "Copying the input folder.")
    assert job_row(run.database, run.id).status_message is None

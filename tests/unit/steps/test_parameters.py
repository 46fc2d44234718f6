"""Which parameters the notebook gets, and which become environment variables."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

from argo_jupyter_scheduler.steps.notebook.parameters import as_environment, for_environment, for_notebook


def test_slack_parameters_reach_no_notebook() -> None:
    given = {"SLACK_TOKEN": "xoxb", "SLACK_CHANNEL": "c", "n": "1"}
    notebook = nbformat.v4.new_notebook()
    assert for_notebook(given, notebook, "python") == {"n": 1}
    assert for_environment(given) == {"n": "1"}
    assert for_notebook(None, notebook, "python") == {}


MOMENT = "2026-03-02T06:00:00+01:00"


def declare(source: str) -> nbformat.NotebookNode:
    """Return a notebook whose cell tagged ``parameters`` has this source."""
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    return nbformat.v4.new_notebook(cells=[cell])


@pytest.mark.parametrize("default", ["''", "None", "'2026-01-01'", "0"])
def test_a_notebook_that_declares_it_gets_the_moment(default: str) -> None:
    declared = declare(f"scheduled_time = {default}")
    assert for_notebook({"n": "1"}, declared, "python", MOMENT) == {"scheduled_time": MOMENT, "n": 1}
    assert for_notebook({"n": "1"}, declared, "python") == {"n": 1}
    assert for_notebook(None, declare("day = 1"), "python", MOMENT) == {}
    assert for_notebook({"scheduled_time": "then"}, declared, "python", MOMENT) == {"scheduled_time": "then"}


def test_the_moment_is_an_environment_variable_for_as_long_as_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SCHEDULED_TIME", "mine")
    notebook = Path("n.ipynb")
    with as_environment({"DAYS": "1"}, notebook, MOMENT):
        assert (os.environ["SCHEDULED_TIME"], os.environ["DAYS"]) == (MOMENT, "1")
    with as_environment({"SCHEDULED_TIME": "parameter"}, notebook, MOMENT):
        assert os.environ["SCHEDULED_TIME"] == "parameter"
    with as_environment({}, notebook):
        assert os.environ["SCHEDULED_TIME"] == "mine"
    assert os.environ["SCHEDULED_TIME"] == "mine"

"""Which parameters the notebook gets, and which become environment variables."""

from __future__ import annotations

import nbformat

from argo_jupyter_scheduler.steps.notebook.parameters import for_environment, for_notebook


def test_slack_parameters_reach_no_notebook() -> None:
    given = {"SLACK_TOKEN": "xoxb", "SLACK_CHANNEL": "c", "n": "1"}
    notebook = nbformat.v4.new_notebook()
    assert for_notebook(given, notebook, "python") == {"n": 1}
    assert for_environment(given) == {"n": "1"}
    assert for_notebook(None, notebook, "python") == {}

"""The parameters of a job that are about Slack."""

from __future__ import annotations

import pytest

from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.run_settings import SlackSettings
from argo_jupyter_scheduler.notify.slack import check, is_asked_for

HAS_TOKEN, HAS_BOTH = SlackSettings(has_token=True), SlackSettings(has_token=True, channel="#ops")


@pytest.mark.parametrize(
    ("parameters", "settings", "words"),
    [
        ({"SLACK_TOKEN": "xoxb-1"}, SlackSettings(), "has no channel"),
        ({"SLACK_TOKEN": "xoxb-1", "SLACK_CHANNEL": " "}, HAS_TOKEN, "has no channel"),
        ({"SLACK_NOTIFY": "failure"}, HAS_TOKEN, "has no channel"),
        ({"SLACK_CHANNEL": "#team"}, SlackSettings(), "SLACK_TOKEN is missing"),
        ({"SLACK_CHANNEL": "#team"}, SlackSettings(channel="#ops"), "SLACK_TOKEN is missing"),
        (
            {"SLACK_CHANNEL": "my team"},
            HAS_TOKEN,
            "SLACK_CHANNEL 'my team' is not a Slack channel",
        ),
        ({"SLACK_CHANNEL": "#"}, HAS_TOKEN, "is not a Slack channel"),
        ({"SLACK_CHANNEL": "#a,#b"}, HAS_TOKEN, "is not a Slack channel"),
        ({"SLACK_TOKEN": "xoxb 1", "SLACK_CHANNEL": "#team"}, HAS_TOKEN, "SLACK_TOKEN contains characters"),
        (
            {"SLACK_NOTIFY": "never", "SLACK_CHANNEL": "#team"},
            HAS_TOKEN,
            "Available: always, success, failure",
        ),
        *(
            ({"SLACK_CHANNEL": text}, HAS_TOKEN, "is not a Slack channel")
            for text in ("https://x.slack.com/general", "x.slack.com", "a:b")
        ),
        ({"slack_token": "xoxb-1", "SLACK_CHANNEL": "#team"}, HAS_TOKEN, "Did you mean SLACK_TOKEN"),
        ({"Slack-Channel": "#team"}, HAS_TOKEN, "Did you mean SLACK_CHANNEL"),
        *(
            ({name: token}, HAS_BOTH, f"'{name}' contains a Slack token")
            for name, token in (("key", " xoxb-1"), ("SLACK_CHANNEL", "xoxe.xoxb-1"), ("x", "xapp-1"))
        ),
        ({"SLACK_CHANEL": "#team"}, HAS_TOKEN, "Parameter 'SLACK_CHANEL' not found"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(
    parameters: dict[str, str], settings: SlackSettings, words: str
) -> None:
    with pytest.raises(InvalidJob) as error:
        check(parameters, settings)
    assert words in str(error.value)
    assert "xoxb" not in str(error.value)


@pytest.mark.parametrize(
    ("parameters", "settings", "asked_for"),
    [
        ({}, HAS_TOKEN, False),
        ({}, SlackSettings(channel="#ops"), False),
        ({}, HAS_BOTH, True),
        ({"SLACK_TOKEN": "xoxb-1"}, SlackSettings(channel="#ops"), True),
        ({"SLACK_CHANNEL": " #Team ", "SLACK_NOTIFY": "Failure"}, HAS_TOKEN, True),
        ({"SLACK_CHANNEL": "équipe-_1", "SLACK_TOKEN": "xoxe.xoxb-1-a"}, SlackSettings(), True),
        ({"SLACK_NOTIFY": "success"}, HAS_BOTH, True),
        ({"n": "1", "slack_users": "xo", "m": 2}, SlackSettings(), False),
        (None, SlackSettings(), False),
    ],
)
def test_parameters_that_go_together(
    parameters: dict[str, str] | None, settings: SlackSettings, asked_for: bool
) -> None:
    check(parameters or {}, settings)
    assert is_asked_for(parameters, settings) == asked_for

"""Messages to Slack, as traits."""

from __future__ import annotations

import os

from traitlets import Dict, Enum, Float, HasTraits, TraitError, Unicode, default

from argo_jupyter_scheduler.domain.run_settings import ALWAYS, NOTIFY_ON, SlackSettings
from argo_jupyter_scheduler.notify import slack


class SlackTraits(HasTraits):
    """Messages to Slack, for `ArgoScheduler`. A job's own parameters come first."""

    slack_token = Unicode(
        config=True,
        help="""Bot token for the messages of all runs on this machine, such as `xoxb-…`. Default: the environment variable
        SLACK_TOKEN. Empty: only jobs with their own token send messages. Pods on Argo do not get it; see
        `slack_token_secret`.""",
    )
    slack_token_secret = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        config=True,
        help="""Kubernetes Secret from which pods get the bot token, such as `{"name": "slack", "key": "token"}`. It must be in
        the namespace of the workflows. Manifests only contain this reference. Empty: only jobs with their own token send
        messages.""",
    )
    slack_channel = Unicode(
        config=True,
        help="""Channel for jobs that do not name one, such as `#notebooks`, or its id. Default: the
        environment variable SLACK_CHANNEL. Empty: only jobs that name a channel send messages.""",
    )
    slack_notify = Enum(
        NOTIFY_ON,
        config=True,
        help="""After which runs to send a message, unless a job has the parameter SLACK_NOTIFY: `always`, `success`, `failure` or
        `change`, see `notify_on`. Default: the environment variable SLACK_NOTIFY, else `always`.""",
    )
    slack_time_limit = Float(
        60.0,
        min=0.1,
        config=True,
        help="Seconds that a run waits for Slack, for one message.",
    )
    slack_file_limit = Float(
        50.0,
        min=0,
        config=True,
        help="""Largest file to send, in megabytes (10⁶ bytes). The message only names larger files. 0: send no files.""",
    )
    slack_base_url = Unicode(
        config=True,
        help="""Address of Slack's API, such as `https://slack-gov.com/api/`, or of a proxy for it. Default: the environment
        variable SLACK_BASE_URL, else slack-sdk's own.""",
    )

    @default("slack_token")
    def _default_slack_token(self) -> str:
        return os.environ.get(slack.TOKEN, "")

    @default("slack_channel")
    def _default_slack_channel(self) -> str:
        return os.environ.get(slack.CHANNEL, "")

    @default("slack_notify")
    def _default_slack_notify(self) -> str:
        return os.environ.get(slack.NOTIFY) or ALWAYS

    @default("slack_base_url")
    def _default_slack_base_url(self) -> str:
        return os.environ.get("SLACK_BASE_URL", "")

    def slack_settings(self) -> SlackSettings:
        """Return the settings of all runs, as configured.

        Raises
        ------
        TraitError
            One of them is not valid. (A `validate` would miss values of the environment: it is not called for defaults.)
        """
        if self.slack_token and not slack.is_token(self.slack_token):
            raise TraitError(
                "slack_token, or SLACK_TOKEN, has characters that a Slack token cannot have, such as a space."
            )
        if self.slack_channel and not slack.is_channel(self.slack_channel):
            raise TraitError(
                f"slack_channel, or SLACK_CHANNEL, is '{self.slack_channel}', which is not the name or id of a channel."
            )
        secret = self.slack_token_secret
        if secret and not (set(secret) == {"name", "key"} and all(secret.values())):
            raise TraitError(
                'slack_token_secret needs a name and a key. Write it as {"name": "slack", "key": "token"}.'
            )
        return SlackSettings(
            channel=self.slack_channel,
            notify=self.slack_notify,
            time_limit=self.slack_time_limit,
            file_limit=self.slack_file_limit,
            base_url=self.slack_base_url,
        )

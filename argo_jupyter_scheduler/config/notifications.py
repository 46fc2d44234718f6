"""Notifications to named targets, as traits."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from traitlets import Dict, Enum, Float, HasTraits, TraitError, Unicode, default

from argo_jupyter_scheduler.domain.option_values import is_target_name
from argo_jupyter_scheduler.domain.run_settings import ALWAYS, NOTIFY_ON, NotificationSettings


class NotificationTraits(HasTraits):
    """Notifications by e-mail, chat and webhooks, for `ArgoScheduler`. A job names its targets with the option ``notify``."""

    notification_targets = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        config=True,
        help="""Addresses for notifications from this machine, as Apprise's URLs, such as
        `{"team": "mailtos://user:password@example.com?to=team@example.com"}`. Users write the names in the option `notify`.
        Names have lower-case letters, digits and hyphens. Pods on Argo do not get the addresses, see `notification_secrets`.""",
    )
    notification_secrets = Dict(
        key_trait=Unicode(),
        value_trait=Dict(key_trait=Unicode(), value_trait=Unicode()),
        config=True,
        help="""Kubernetes Secrets from which pods get the addresses, by the names of the targets, such as
        `{"team": {"name": "notifications", "key": "team"}}`. They must be in the namespace of the workflows. Manifests only
        contain these references. On Argo, users can choose these targets only.""",
    )
    notify_on = Enum(
        NOTIFY_ON,
        default_value=ALWAYS,
        config=True,
        help="""After which runs targets are notified, unless a job has the option `notify_on`: `always`, `success`, `failure` or
        `change`. `change`: only if the result differs from that of the last run.""",
    )
    notification_time_limit = Float(
        60.0,
        min=0.1,
        config=True,
        help="Seconds that a run waits for its notifications. All targets are notified at the same time.",
    )
    notification_file_limit = Float(
        10.0,
        min=0,
        config=True,
        help="""Largest attachment of an e-mail, in megabytes (10⁶ bytes). Larger files are only named. 0: no attachments.""",
    )
    public_url = Unicode(
        config=True,
        help="""Address of this JupyterLab in the recipients' browsers, such as
        `https://hub.example.com/user/ada/`. Notifications then have a link to the run's result. Default: the environment variable
        JUPYTERHUB_PUBLIC_URL, else empty: no link.""",
    )

    @default("public_url")
    def _default_public_url(self) -> str:
        return os.environ.get("JUPYTERHUB_PUBLIC_URL", "")

    def notification_settings(self) -> NotificationSettings:
        """Return the settings of all runs, as configured.

        Raises
        ------
        TraitError
            One of them is not valid. An address is never quoted: it may contain a password.
        """
        for name in (*self.notification_targets, *self.notification_secrets):
            if not is_target_name(name):
                raise TraitError(
                    f"notification_targets: '{name}' is not a name. Use lower-case letters, digits and hyphens."
                )
        for name, address in self.notification_targets.items():
            if "://" not in address:
                raise TraitError(
                    f"notification_targets: the address of '{name}' is not a URL, such as mailtos://…"
                )
        for name, secret in self.notification_secrets.items():
            if not (set(secret) == {"name", "key"} and all(secret.values())):
                raise TraitError(
                    f'notification_secrets: write \'{name}\' as {{"name": "notifications", "key": "{name}"}}.'
                )
        if self.public_url and urlsplit(self.public_url).scheme not in ("http", "https"):
            raise TraitError("public_url must begin with https:// or http://.")
        return NotificationSettings(
            notify_on=self.notify_on,
            time_limit=self.notification_time_limit,
            file_limit=self.notification_file_limit,
            public_url=self.public_url,
        )

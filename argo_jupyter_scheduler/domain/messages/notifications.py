"""Messages to Slack and to other targets."""

from __future__ import annotations

from collections.abc import Iterable

SLACK_NOT_CONFIGURED = (
    "A Slack channel is configured without a token, so only jobs with their own SLACK_TOKEN send messages there. Set "
    "c.ArgoScheduler.slack_token, or on Argo c.ArgoScheduler.slack_token_secret."
)


def not_a_channel(channel: str) -> str:
    """Return the message for a channel of Slack that cannot be one."""
    return f"SLACK_CHANNEL '{channel}' is not a Slack channel. Use its name, id or link."


SLACK_CREDENTIAL_NOT_VALID = (
    "SLACK_TOKEN contains characters that a Slack token cannot have, such as a space. Copy it again."
)


def slack_notify_not_valid(given: str, known: Iterable[str]) -> str:
    """Return the message for an occasion for messages that does not exist."""
    return f"SLACK_NOTIFY '{given}' is not valid. Available: {', '.join(known)}."


SLACK_CHANNEL_MISSING = "The message to Slack has no channel. Add the parameter SLACK_CHANNEL, such as #team."
SLACK_CREDENTIAL_MISSING = (
    "SLACK_CHANNEL is set, but SLACK_TOKEN is missing. Add it as a parameter, or ask your administrator to configure a "
    "token for everyone: c.ArgoScheduler.slack_token on this machine, c.ArgoScheduler.slack_token_secret on Argo."
)


def slack_parameter_not_found(name: str, known: Iterable[str]) -> str:
    """Return the message for a parameter with the names that Slack's have."""
    return (
        f"Parameter '{name}' not found. Names that begin with SLACK_ are reserved for messages to Slack. Available: "
        f"{', '.join(known)}."
    )


def slack_parameter_misspelt(name: str, meant: str) -> str:
    """Return the message for a parameter of Slack in other letters."""
    return f"Parameter '{name}' not found. Did you mean {meant}?"


def slack_token_misplaced(name: str) -> str:
    """Return the message for a token of Slack in another parameter."""
    return (
        f"Parameter '{name}' contains a Slack token, which anyone could read in the notebook. Pass it as SLACK_TOKEN, which the "
        "notebook does not receive."
    )


def message_not_sent(receiver: str, reason: object) -> str:
    """Return the note on a message that could not be sent to Slack, or to a target."""
    return f"No message was sent to {receiver}: {reason}"


def file_not_attached(name: str, megabytes: float, limit: float) -> str:
    """Return what a notification says of a file that is too large for it."""
    return f"{name} is not attached: it has {megabytes:.3g} MB, and the limit is {limit:g} MB."


TARGET_WITHOUT_ADDRESS = (
    "its address was not found. Check notification_targets, or on Argo the Secret in notification_secrets."
)
TARGET_REFUSED = "the service refused it without giving a reason."
TARGET_ADDRESS_UNKNOWN = "Apprise does not understand its address. See jupyter argo-scheduler doctor."

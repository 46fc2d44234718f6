"""Options of a job, which are its tags. Those of the outputs are in `outputs`."""

from __future__ import annotations

from collections.abc import Iterable


def option_not_found(name: str, hint: str) -> str:
    """Return the message for an option that does not exist."""
    return f"Option '{name}' not found. {hint}"


def option_given_twice(name: str, first: str, second: str) -> str:
    """Return the message for an option with two values."""
    return f"Option {name} is given twice: {first} and {second}. Remove one of them."


def not_a_duration(name: str, value: str) -> str:
    """Return the message for an option that is not a duration."""
    return (
        f"Option {name}: '{value}' is not a duration. Write 45s, 30m, 2h, 1h30m, 1d or a number of seconds."
    )


def timeout_out_of_range(value: str) -> str:
    """Return the message for an option ``timeout`` of no or too much time."""
    return f"Option timeout: '{value}' is out of range. Use more than 0 and at most a year."


def timeout_too_long(seconds: int, limit: int) -> str:
    """Return the message for an option ``timeout`` beyond the administrator's limit."""
    return f"Option timeout: {seconds} s is too long. Your administrator allows {limit} s."


def retry_interval_too_long(value: str) -> str:
    """Return the message for an option ``retry_interval`` of more than a day."""
    return f"Option retry_interval: '{value}' is too long. Use at most a day."


def late_too_long(value: str) -> str:
    """Return the message for an option ``late`` of more than 30 days."""
    return f"Option late: '{value}' is too long. Use at most 30 days."


def keep_not_valid(value: str) -> str:
    """Return the message for an option ``keep`` that is neither a number nor a time, or out of range."""
    return (
        f"Option keep: '{value}' is not valid. Write a number of runs, such as 20, or a time of at least an hour, such as 12h, "
        "30d or 4w."
    )


def retries_out_of_range(value: str, limit: int) -> str:
    """Return the message for an option ``retries`` that is not such a number."""
    return f"Option retries: '{value}' is not valid. Use a whole number from 0 to {limit}."


def not_an_image(value: str) -> str:
    """Return the message for an option ``image`` that is not the name of an image."""
    return f"Option image: '{value}' is not the name of an image, such as 'quay.io/jupyter/scipy-notebook:2025-10-20'."


def image_not_allowed(image: str, allowed: str) -> str:
    """Return the message for an image that is not among the allowed ones."""
    return f"Option image: '{image}' is not allowed here. Allowed: {allowed}."


def not_a_concurrency_policy(value: str, policies: str) -> str:
    """Return the message for an option ``concurrency`` that is not a policy."""
    return f"Option concurrency: '{value}' is not a policy. Available: {policies}."


NOTIFY_ADDRESS = (
    "Option notify: addresses are not accepted, because anyone who can see the job could read them. Ask your administrator "
    "to configure a target, then give its name, such as notify:team."
)
NO_TARGETS = (
    "Option notify: this server has no notification targets. Ask your administrator to set "
    "c.ArgoScheduler.notification_targets, or on Argo c.ArgoScheduler.notification_secrets."
)
NOTIFY_TARGET_MISSING = (
    "Option notify_on has no effect without a target. Add the option notify, such as notify:team."
)


def not_targets(value: str) -> str:
    """Return the message for an option ``notify`` that is not a list of names."""
    return f"Option notify: '{value}' does not name targets. Write up to ten names, such as notify:team or notify:team,ops."


def not_an_occasion(value: str, known: Iterable[str]) -> str:
    """Return the message for an option ``notify_on`` with another value."""
    return f"Option notify_on: '{value}' is not valid. Available: {', '.join(known)}."


def tag_like_option(tag: str, name: str, value: str) -> str:
    """Return the warning for a tag that looks like an option but is not one."""
    return f"Tag '{tag}' is not an option. Did you mean '{name}:{value}'?"

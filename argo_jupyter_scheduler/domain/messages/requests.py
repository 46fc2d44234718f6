"""Fields of a request to create, change or find a job or a job definition."""

from __future__ import annotations

from collections.abc import Iterable

from argo_jupyter_scheduler.domain.text import nearest_names, shorten

BODY_NOT_AN_OBJECT = 'The request\'s body is not a JSON object. Send the fields as {"name": value}.'


def field_not_valid(field: str, reason: str) -> str:
    """Return the message for a field or an argument of the API that has another type, or is missing."""
    return f"{field}: {reason}."


def field_not_a_number(field: str, value: str) -> str:
    """Return the message for a field of the API that must be a number."""
    return f"{field}: '{value}' is not valid. Use a whole number of 0 or more."


def query_out_of_range(name: str, value: str, low: float, high: float) -> str:
    """Return the message for a number in a request's query that is not one, or not within its limits."""
    return f"{name}={shorten(value, 80)} is not valid. Use a number from {low:.16g} to {high:.16g}."


def not_found(subject: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that does not exist."""
    return f"{subject} '{name[:80]}' not found. Available: {nearest_names(name, known)}."


def too_long(subject: str, length: int, limit: int) -> str:
    """Return the message for a text with too many characters."""
    return f"The {subject} has {length} characters. Use at most {limit}."


def too_many(count: int, subject: str, limit: int) -> str:
    """Return the message for a list with too many entries."""
    return f"There are {count} {subject}. Use at most {limit}."


def entries_too_long(subject: str, length: int, limit: int) -> str:
    """Return the message for a list whose entries are too long together."""
    return f"The {subject} have {length} characters in total. Use at most {limit}."


def has_nul(subject: str) -> str:
    """Return the message for a text with a NUL character, which PostgreSQL refuses."""
    return f"The {subject} contains a NUL character. Remove it."


def not_unicode(subject: str) -> str:
    """Return the message for a text with half a surrogate pair."""
    return f"The {subject} contains characters that are not valid Unicode."


def job_not_found(job_id: str) -> str:
    """Return the message for an unknown job."""
    return f"Job {shorten(job_id, 80)} not found."


def definition_not_found(job_definition_id: str) -> str:
    """Return the message for an unknown job definition."""
    return f"Job definition {shorten(job_definition_id, 80)} not found."


def job_keeps(field: str) -> str:
    """Return the message for a change of a job's option: its run has begun with the old one."""
    return f"A job's {field} cannot be changed. Create a new job with the value that you need."


def job_not_deleted(job_id: str, reason: str) -> str:
    """Return the message for a job that retention could not delete."""
    return f"Retention could not delete job {job_id}, and will try again in an hour. {reason}"


NO_OUTPUT_FORMAT = "No output format is selected. Select at least one, such as Notebook or HTML."
NO_EMAIL = (
    "email_notifications is not supported: jobs here do not store addresses. Leave it out, and name a target with the "
    "option notify, such as notify:team."
)
NO_RETRY_ON_TIMEOUT = (
    "retry_on_timeout is not supported, because timeout_seconds limits all attempts together. Leave it out, or allow more "
    "time."
)


def no_output_template(template: str) -> str:
    """Return the message for a request that names outputs otherwise than the panel."""
    return f"output_filename_template is not supported: outputs are named {template}. Leave it out."


def parameter_name_not_valid(name: str) -> str:
    """Return the message for a parameter whose name cannot be a name."""
    return f"'{name[:80]}' is not a valid parameter name."


def parameter_name_not_plain(name: str) -> str:
    """Return the message for a parameter whose name the notebook's language refuses."""
    return f"'{name[:80]}' is not a valid parameter name. Use letters, digits and underscores."


def parameter_has_nul(name: str) -> str:
    """Return the message for a parameter with a NUL character."""
    return f"The value of parameter '{name}' contains a NUL character. Remove it."


def parameter_misspelt(name: str, near: str, declared: Iterable[str]) -> str:
    """Return the message for a parameter that the notebook does not have."""
    return f"The notebook has no parameter '{name}'. Did you mean '{near}'? Available: {', '.join(sorted(declared))}."

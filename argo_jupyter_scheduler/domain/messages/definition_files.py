"""Job definitions in files, and `apply`."""

from __future__ import annotations

from collections.abc import Iterable

from argo_jupyter_scheduler.domain.text import one_line


def not_yaml(reason: str) -> str:
    """Return the message for a file that is not valid YAML."""
    return f"The YAML is not valid: {reason.rstrip('.')}."


NO_YAML_ALIASES = "aliases are not supported. Write the value itself"
NO_YAML_TAGS = "tags such as !!int are not supported. Write the value itself"
NOT_A_DEFINITION = "this is not a job definition. Write keys and values, such as name: Daily report"
KEY_NOT_TEXT = "the key is not text. Put it in quotes"
OPTION_VALUE = "write text, a whole number, or a list of names"
NO_SECRETS_IN_FILES = (
    "A file must not contain SLACK_TOKEN. Set it on the server, or in JupyterLab: apply keeps that value."
)
NOTEBOOK_NOT_RELATIVE = "notebook is not a relative path. Write it relative to the file."
NO_DEFINITIONS = "The files contain no job definitions, so nothing was changed. Check the paths."


def key_given_twice(key: str) -> str:
    """Return what is wrong with a mapping that has a key twice."""
    return f"the key '{key[:80]}' is given twice. Leave one out"


def key_missing(key: str) -> str:
    """Return the message for a job definition in a file that lacks a key."""
    return f"The key '{key}' is missing. Add it."


def defined_twice(name: str, place: str) -> str:
    """Return the message for a job definition whose name another document has."""
    return f"'{name[:80]}' is also defined in {place}. Rename one of them."


def name_ambiguous(name: str, ids: Iterable[str]) -> str:
    """Return the message for a name that several stored job definitions have."""
    return (
        f"Several job definitions are called '{name[:80]}': {', '.join(ids)}. Rename or delete all but one."
    )


def applied_from_elsewhere(name: str, origin: str) -> str:
    """Return the message for a job definition that was applied under another origin."""
    return f"'{name[:80]}' was applied with --origin {origin}. Use that origin, or another name."


def tag_reserved(tag: str) -> str:
    """Return the message for a tag that only `apply` gives."""
    return f"The tag '{tag[:80]}' is reserved: only apply adds it. Leave it out."


def not_an_origin(text: str) -> str:
    """Return the message for a text that cannot be an origin of job definitions."""
    return f"'{text[:80]}' is not a valid origin. Use up to 63 lower-case letters, digits, hyphens and dots."


def not_exported(job_definition_id: str, reason: str) -> str:
    """Return the message for a job definition of another backend that no document can have."""
    return f"Job definition {job_definition_id} cannot be exported: {one_line(reason)}."

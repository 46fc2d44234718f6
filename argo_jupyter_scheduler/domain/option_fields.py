"""Fields that a form shows for the options of a job or a definition, with their help.

A form needs no code for an option: an option that is added to `domain.options` gets a field here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from argo_jupyter_scheduler.domain.option_values import CONCURRENCY_POLICIES, LINKED, MAX_RETRIES, SNAPSHOT
from argo_jupyter_scheduler.domain.run_settings import NOTIFY_ON

FieldKind = Literal["text", "number", "choice", "choices"]
"""How a field is filled in: freely, with a whole number, with one of its choices, or with several, separated by commas."""

_DURATION = r"(?=\d)(\d{1,9}w)?(\d{1,9}d)?(\d{1,9}h)?(\d{1,9}m)?(\d{1,9}s?)?"
_RETRIES = rf"{'|'.join(map(str, range(MAX_RETRIES + 1)))}"

_POLICIES = {
    "Allow": "Let both run",
    "Forbid": "Skip the new run",
    "Replace": "Stop the earlier run",
}
_OCCASIONS = {
    "always": "Every run",
    "success": "Runs that complete",
    "failure": "Runs that fail",
    "change": "The first failure, and the first success after it",
}


@dataclass(frozen=True)
class OptionField:
    """A field of a form.

    Attributes
    ----------
    name
        The option. Its tag is ``name:value``.
    label
        The words beside the field.
    help
        Its purpose, in a sentence or two.
    kind
        How it is filled in.
    pattern
        A regular expression that each valid value matches as a whole, also in JavaScript; empty for any value. The server may
        refuse more, such as a time limit that is too long.
    example
        A valid value; empty where the choices say enough.
    choices
        The values to choose from, with what the user reads for each.
    only_definitions
        Whether only a job definition can have it.
    """

    name: str
    label: str
    help: str
    kind: FieldKind = "text"
    pattern: str = ""
    example: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    only_definitions: bool = False


OPTION_FIELDS = (
    OptionField(
        "timeout",
        "Time limit",
        "How long a run may take, all attempts together. A run that is stopped keeps its outputs so far.",
        pattern=_DURATION,
        example="1h30m",
    ),
    OptionField(
        "retries",
        "Retries",
        f"How many times a failed run is retried, at most {MAX_RETRIES}.",
        "number",
        _RETRIES,
        "2",
    ),
    OptionField(
        "retry_interval",
        "Pause before a retry",
        "The time between a failed attempt and the next one.",
        pattern=_DURATION,
        example="5m",
    ),
    OptionField(
        "concurrency",
        "If the previous run is still going",
        "What happens when the next run is due and the previous one has not ended.",
        "choice",
        choices=tuple((policy.lower(), _POLICIES[policy]) for policy in CONCURRENCY_POLICIES),
        only_definitions=True,
    ),
    OptionField(
        "late",
        "Report a late start after",
        "A scheduled run that has not started within this time is reported. 0 switches the report off.",
        pattern=_DURATION,
        example="10m",
        only_definitions=True,
    ),
    OptionField(
        "notify",
        "Notify",
        "Who gets a message when a run ends. Your administrator configures the targets.",
        "choices",
    ),
    OptionField(
        "notify_on",
        "Notify after",
        "Which runs send a message.",
        "choice",
        choices=tuple((occasion, _OCCASIONS[occasion]) for occasion in NOTIFY_ON),
    ),
    OptionField(
        "output",
        "Output folder",
        "The folder below the root folder, or the object store, that gets the outputs of each run.",
        example="reports/{name}/{date}",
    ),
    OptionField(
        "input",
        "Notebook of each run",
        "Which version of the notebook a run executes.",
        "choice",
        choices=((SNAPSHOT, "The copy made now"), (LINKED, "The notebook as it is when the run begins")),
        only_definitions=True,
    ),
    OptionField(
        "keep",
        "Keep",
        "How long finished jobs and their files are kept: a time, or for a job definition also a number of runs.",
        pattern=rf"[1-9]\d{{0,6}}|{_DURATION}",
        example="30d",
    ),
    OptionField(
        "image",
        "Image",
        "The container image that the job runs in, instead of the configured one.",
        pattern=r"[A-Za-z0-9_][A-Za-z0-9_.:/@+-]{0,511}",
        example="quay.io/jupyter/scipy-notebook:2025-10-20",
    ),
)
"""In the order of the form. Tests see that every option is here."""

"""The value of the option ``output``, which says where outputs go, such as ``reports/{name}/{date}`` or ``s3://bucket/{name}``.

A value that fills a placeholder cannot lead out of the folder: it becomes a part of one folder's name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.parameters import SCHEDULED_TIME
from argo_jupyter_scheduler.domain.text import remove_control_characters, shorten

NAME, DATE, TIME, JOB_ID, DEFINITION, STATUS = PLACEHOLDERS = (
    "name",
    "date",
    "time",
    "job_id",
    "definition",
    "status",
)
"""Placeholders that each run has; all others are names of parameters."""

_OF_ONE_RUN = frozenset({DATE, TIME, JOB_ID, STATUS, SCHEDULED_TIME})
"""Placeholders that differ between the runs of a definition."""

STORES = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gcs"), "az": ("adlfs", "azure")}
"""Object stores: the package that reaches each, and the extra of this package that installs it."""

SECRET_PREFIX = "SLACK_"  # noqa: S105 (the beginning of a name)
"""How the names of parameters begin that must not become part of a path."""

LATEST = "latest"
"""The folder of a definition's last successful outputs."""

MAX_CHARACTERS = 500
"""Of a template."""

MAX_PLACES = 5
"""To which the outputs of one run go."""

MAX_VALUE_BYTES = 100
"""Of a value that fills a placeholder."""

MAX_FOLDER_BYTES = 200
"""Of one folder's name: file systems take 255."""

_TOKEN = re.compile(r"\{([^{}]*)\}|([^{}]+)|([{}])")

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{0,254}")

_UNSAFE = re.compile(r'[/\\:*?"<>|{}%#]+')
"""Characters that a folder's name must not have: separators, and those that file systems, Argo or addresses interpret."""


@dataclass(frozen=True)
class OutputTemplate:
    """A folder with placeholders.

    Attributes
    ----------
    store
        The protocol and the bucket, such as ``s3://bucket``; empty for the root folder.
    folders
        The names of the folders, outer ones first, each as text and placeholders in turn, beginning with text.
    """

    store: str
    folders: tuple[tuple[str, ...], ...]

    @property
    def protocol(self) -> str:
        """The protocol of the object store; empty for the root folder."""
        return self.store.partition("://")[0]

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The names of the placeholders."""
        return tuple(dict.fromkeys(name for folder in self.folders for name in folder[1::2]))

    @property
    def fixed_folders(self) -> tuple[str, ...]:
        """The folders before the first one with a placeholder."""
        count = next((at for at, folder in enumerate(self.folders) if len(folder) > 1), len(self.folders))
        return tuple(folder[0] for folder in self.folders[:count])

    def check(self, parameters: Collection[str]) -> None:
        """Refuse placeholders that no run can fill.

        Parameters
        ----------
        parameters
            The names of the parameters that runs have.

        Raises
        ------
        InvalidJob
            With the nearest name.
        """
        known = (*PLACEHOLDERS, *(name for name in parameters if not name.startswith(SECRET_PREFIX)))
        for name in self.placeholders:
            if name not in known:
                raise InvalidJob(messages.outputs.placeholder_not_found(name, known))

    def fill(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """Return the names of the folders of one run; a placeholder without a value becomes ``_``."""
        return tuple(_fill_folder(folder, values) for folder in self.folders)

    def fill_latest(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """Return the names of the folders of the last successful outputs: beside what differs between runs."""
        folders = list(self.folders)
        count = next(
            (at for at, folder in enumerate(folders) if _OF_ONE_RUN.intersection(folder[1::2])), len(folders)
        )
        return (*(_fill_folder(folder, values) for folder in folders[:count]), LATEST)


def parse_output_templates(text: str) -> list[OutputTemplate]:
    """Return the templates of a list with commas; none for an empty text.

    Raises
    ------
    InvalidJob
        One is not valid, or there are more than `MAX_PLACES`.
    """
    texts = list(dict.fromkeys(part.strip() for part in text.split(","))) if text.strip() else []
    if len(texts) > MAX_PLACES:
        raise InvalidJob(messages.requests.too_many(len(texts), "output folders", MAX_PLACES))
    return [parse_output_template(one) for one in texts]


def parse_output_template(text: str) -> OutputTemplate:
    """Return the template that a text is.

    Raises
    ------
    InvalidJob
        It is not a folder within the root folder, or within an object store.
    """
    text = text.strip()
    if not text or len(text) > MAX_CHARACTERS:
        raise InvalidJob(
            messages.outputs.output_length(MAX_CHARACTERS) if text else messages.outputs.OUTPUT_EMPTY
        )
    if remove_control_characters(text) != text or "\t" in text:
        raise InvalidJob(messages.outputs.OUTPUT_CONTROL_CHARACTERS)
    store, path = _split_store(text)
    names = [name for name in path.split("/") if name]
    if not store and (path.startswith(("/", "~")) or "\\" in path):
        raise InvalidJob(messages.outputs.output_not_relative(shorten(text, 80)))
    return OutputTemplate(store, tuple(_parse_folder(name) for name in names if name != "."))


def _split_store(text: str) -> tuple[str, str]:
    protocol, separator, rest = text.partition("://")
    if not separator:
        return "", text
    if protocol not in STORES:
        raise InvalidJob(messages.outputs.store_not_found(shorten(protocol, 80), STORES))
    bucket, _, path = rest.partition("/")
    if "@" in bucket or ":" in bucket or "?" in rest:
        raise InvalidJob(messages.outputs.OUTPUT_CREDENTIALS)
    if not _BUCKET.fullmatch(bucket):
        raise InvalidJob(messages.outputs.bucket_not_valid(shorten(bucket, 80), protocol))
    return f"{protocol}://{bucket}", path


def _parse_folder(name: str) -> tuple[str, ...]:
    """Return text and placeholders in turn.

    Raises
    ------
    InvalidJob
        A brace is alone, or the folder leads up or is hidden.
    """
    parts = [""]
    for match in _TOKEN.finditer(name):
        if match[3]:
            raise InvalidJob(messages.outputs.output_brace(shorten(name, 80)))
        if match[2]:
            parts[-1] += match[2]
        else:
            parts += [match[1].strip(), ""]
    if parts[0].startswith("."):  # JupyterLab neither lists nor opens them
        raise InvalidJob(messages.outputs.output_folder_hidden(shorten(name, 80)))
    if len(name.encode()) > MAX_FOLDER_BYTES:
        raise InvalidJob(messages.outputs.output_folder_long(MAX_FOLDER_BYTES))
    return tuple(parts)


def _fill_folder(parts: tuple[str, ...], values: Mapping[str, str]) -> str:
    filled = "".join(_clean_value(values.get(part, "")) if at % 2 else part for at, part in enumerate(parts))
    return _cut(filled, MAX_FOLDER_BYTES).lstrip(".").rstrip(". ") or "_"


def _clean_value(value: str) -> str:
    """Return a value as a part of a folder's name."""
    value = " ".join(remove_control_characters(value[: 4 * MAX_VALUE_BYTES]).split())
    return _cut(_UNSAFE.sub("-", value), MAX_VALUE_BYTES).strip(". ") or "_"


def _cut(text: str, size: int) -> str:
    return text.encode(errors="replace")[:size].decode(errors="ignore")


def find_parameters(template: OutputTemplate) -> Iterator[str]:
    """Yield the placeholders that are names of parameters."""
    return (name for name in template.placeholders if name not in PLACEHOLDERS)

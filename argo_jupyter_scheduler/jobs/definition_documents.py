"""Job definitions as YAML documents: their form, and where in a file something is wrong.

`DefinitionDocument` is the form. Its JSON schema is published as ``docs/definitions.schema.json``.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic_core import ErrorDetails

from argo_jupyter_scheduler.domain import messages, option_values, options
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, InvalidDefinitions, InvalidJob

DEFAULT_FORMATS = ("ipynb", "html")

MAX_CHARACTERS = 1_000_000
"""The most that a file can have."""

MAX_NAME_BYTES = 200
"""The most that a file's name has before its suffix."""

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"

OptionValue = Annotated[str | int | list[str], Field(union_mode="left_to_right")]


class DefinitionDocument(BaseModel):
    """A job definition. A key that is left out has its default: nothing is kept of what the definition was before."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, title="Job definition")

    name: str = Field(
        min_length=1, max_length=256, description="Name of the definition, which identifies it."
    )
    notebook: str = Field(min_length=1, description="Path of the notebook, relative to this file.")
    schedule: str | None = Field(
        None,
        description="Five fields such as 0 6 * * 1-5, or @daily. Without a schedule, it only runs by hand.",
    )
    timezone: str | None = Field(
        None, description="Time zone of the schedule, such as Europe/Berlin. By default UTC."
    )
    paused: bool = Field(False, description="Whether the schedule is paused.")
    environment: str | None = Field(
        None, description="Environment to run in. By default the one that the dialog picks."
    )
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict, description="Parameters of the notebook. Do not write secrets into files."
    )
    formats: list[str] = Field(list(DEFAULT_FORMATS), min_length=1, description="Output formats.")
    options: dict[str, OptionValue] = Field(
        default_factory=dict,
        description="Options such as timeout: 2h, retries: 3, notify: [team].",
        json_schema_extra={"propertyNames": {"enum": list(option_values.OPTION_NAMES)}},
    )
    tags: list[str] = Field(default_factory=list, description="Tags of the definition and its runs.")
    compute_type: str | None = Field(None, description="Compute type. By default the server's.")
    input_folder: bool = Field(False, description="Whether it runs with a copy of the notebook's folder.")

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty_keys(cls, content: object) -> object:
        """Read a key without a value, such as ``options:`` above lines that are commented out, as one that is left out."""
        if not isinstance(content, dict):
            return content
        return {key: value for key, value in content.items() if value is not None}


@dataclass(frozen=True)
class Document:
    """A document that was read.

    Attributes
    ----------
    content
        Its content.
    source
        The file, as the user names it.
    folder
        The file's folder, relative to the root folder.
    lines
        The line of each key, counted from 1; the empty key has the first line of the document.
    """

    content: DefinitionDocument
    source: str
    folder: str
    lines: Mapping[str, int]

    def place(self, key: str = "") -> str:
        """Return where a key stands, such as ``daily.yaml:3``; the document where it does not have it."""
        return f"{self.source}:{self.lines.get(key, self.lines[''])}"

    @contextlib.contextmanager
    def at(self, key: str) -> Iterator[None]:
        """Let what is refused meanwhile name the line of a key.

        Raises
        ------
        InvalidJob
            It was refused.
        """
        try:
            yield
        except ArgoSchedulerError as error:
            raise InvalidJob(f"{self.place(key)}: {error}") from error


def read_documents(text: str, source: str, folder: str = "") -> list[Document]:
    """Return the job definitions of a file, which may have several documents.

    Parameters
    ----------
    source, folder
        See `Document`.

    Raises
    ------
    InvalidDefinitions
        With a sentence for each thing that is wrong, with its line.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidDefinitions(
            [f"{source}: {messages.requests.too_long('file', len(text), MAX_CHARACTERS)}"]
        )
    found: list[Document] = []
    refused: list[str] = []
    try:
        for node, content in _load(text):
            try:
                lines = _find_lines(node)
                found.append(Document(DefinitionDocument.model_validate(content), source, folder, lines))
            except ValidationError as error:
                problems = {_explain(details, lines) for details in error.errors()}
                refused += [f"{source}:{line}: {what}" for line, what in sorted(problems)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}" if mark else source
        refused.append(f"{place}: {messages.definition_files.not_yaml(str(error.problem or error.context))}")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        refused.append(f"{source}:{line}: {messages.definition_files.not_yaml(error.reason)}")
    except (RecursionError, ValueError):  # the latter for a number that Python refuses to read
        refused.append(
            f"{source}: {messages.definition_files.not_yaml('it is nested too deeply, or has too large a number')}"
        )
    if refused:
        raise InvalidDefinitions(refused)
    return found


def write_document(content: DefinitionDocument) -> str:
    """Return a job definition as YAML, without what is the default."""
    values = content.model_dump(exclude_defaults=True)
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000)


def name_files(names: Sequence[str]) -> list[str]:
    """Return a file name for each definition, such as ``daily-report.yaml``; no two are the same."""
    found: list[str] = []
    for name in names:
        stem = re.sub(r"[^\w]+", "-", name[:80].lower()).strip("-_") or "definition"
        stem = stem.encode()[:MAX_NAME_BYTES].decode(errors="ignore")
        same = sum(re.fullmatch(rf"{re.escape(stem)}(-\d+)?\.yaml", other) is not None for other in found)
        candidates = (f"{stem}-{number}.yaml" for number in itertools.count(same + 1))
        file = f"{stem}.yaml"
        while file in found:
            file = next(candidates)
        found.append(file)
    return found


def make_schema() -> str:
    """Return the JSON schema of a document, as it is published."""
    schema = {"$schema": SCHEMA_ID, **DefinitionDocument.model_json_schema()}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def find_wrong_option(asked: Mapping[str, Any]) -> tuple[str, ArgoSchedulerError] | None:
    """Return the first option that is unknown or has an invalid value, and why; None where all are valid."""
    for name, value in asked.items():
        try:
            options.read_options(None, {name: value})
        except InvalidJob as error:
            return name, error
    return None


class _Loader(yaml.SafeLoader):
    """Reads the plain values of YAML 1.2: ``no``, ``12:30`` and ``2026-03-02`` are text.

    Aliases are refused, since they can explode, and tags, since they make other things than text, numbers and collections.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Return the next node, unless it is an alias or has a tag."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        is_alias = isinstance(event, yaml.AliasEvent)
        if is_alias or event.tag is not None:
            problem = (
                messages.definition_files.NO_YAML_ALIASES
                if is_alias
                else messages.definition_files.NO_YAML_TAGS
            )
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    """Quotes text that `_Loader` or another reader of YAML would take for something else."""


_PLAIN = {
    "null": re.compile(r"~|null|Null|NULL|"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?(?:0|[1-9][0-9]*)"),
    "float": re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"),
}
_Loader.yaml_implicit_resolvers = {}
for _name, _pattern in _PLAIN.items():
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}", re.compile(rf"^(?:{_pattern.pattern})$"), None
    )


_OTHER_LINE_BREAK = re.compile("[\r\x85\u2028\u2029]")
"""Other line breaks of YAML, which it reads as a plain one unless they are escaped."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    is_plain = not any(pattern.fullmatch(text) for pattern in _PLAIN.values())
    style = "|" if "\n" in text else None if is_plain else "'"
    if _OTHER_LINE_BREAK.search(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_text)


def _load(text: str) -> Iterator[tuple[yaml.MappingNode, Any]]:
    """Yield each document that is not empty, as nodes with their lines and as values."""
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
                continue
            if not isinstance(node, yaml.MappingNode):
                raise yaml.MarkedYAMLError(
                    problem=messages.definition_files.NOT_A_DEFINITION, problem_mark=node.start_mark
                )
            _check_keys(node)
            yield node, loader.construct_document(node)
    finally:
        loader.dispose()


def _check_keys(node: yaml.Node) -> None:
    """Refuse a key that is not text or stands twice; PyYAML takes the last one."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(item)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            raise yaml.MarkedYAMLError(
                problem=messages.definition_files.KEY_NOT_TEXT, problem_mark=key.start_mark
            )
        if key.value in seen:
            raise yaml.MarkedYAMLError(
                problem=messages.definition_files.key_given_twice(key.value), problem_mark=key.start_mark
            )
        seen.add(key.value)
        _check_keys(value)


def _find_lines(node: yaml.MappingNode) -> dict[str, int]:
    """Return the line of each key, and of the keys below with a dot between."""
    lines = {"": node.start_mark.line + 1}
    for key, value in node.value:
        lines[key.value] = key.start_mark.line + 1
        if isinstance(value, yaml.MappingNode):
            lines |= {f"{key.value}.{inner.value}": inner.start_mark.line + 1 for inner, _ in value.value}
    return lines


_WANTED = {
    "string_type": "write text, in quotes if it looks like a number or another value",
    "bool_type": "write true or false",
    "list_type": "write a list, such as [ipynb, html]",
    "dict_type": "write keys and values",
    "string_too_short": "do not leave it empty",
    "string_too_long": "use at most 256 characters",
    "too_short": "do not leave it empty",
}
"""The advice for each error of pydantic."""


def _explain(details: ErrorDetails, lines: Mapping[str, int]) -> tuple[int, str]:
    """Return the line of what pydantic refuses, and a sentence for it."""
    path = [str(part) for part in details["loc"]]
    key = path[0] if path else ""
    line = next(lines[name] for name in (".".join(path[:2]), key, "") if name in lines)
    if details["type"] == "extra_forbidden":
        what = messages.requests.not_found("Key", key, DefinitionDocument.model_fields)
    elif details["type"] == "missing":
        what = messages.definition_files.key_missing(key)
    elif key == "options" and len(path) > 1:
        what = messages.requests.field_not_valid(".".join(path[:2]), messages.definition_files.OPTION_VALUE)
    else:
        what = messages.requests.field_not_valid(
            ".".join(path[:2]), _WANTED.get(details["type"], details["msg"])
        )
    return line, what

"""``apply``: creates, changes and deletes job definitions from files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from traitlets import Bool

from argo_jupyter_scheduler.cli.arguments import Text
from argo_jupyter_scheduler.cli.command import SchedulerCommand
from argo_jupyter_scheduler.cli.tables import render_json
from argo_jupyter_scheduler.domain.errors import InvalidDefinitions
from argo_jupyter_scheduler.domain.text import one_line, shorten

if TYPE_CHECKING:  # imported once they are needed: pydantic takes its time
    from argo_jupyter_scheduler.jobs.definition_documents import Document
    from argo_jupyter_scheduler.jobs.definition_files import Change

SUFFIXES = (".yaml", ".yml")

TERMINAL_ROOT_DIR = "JUPYTER_SERVER_ROOT"
"""The environment variable that has the root folder in a terminal of JupyterLab."""

SHOWN_CHARACTERS = 200
"""How much of a value is shown."""

_SIGNS = {"create": "+", "change": "~", "delete": "-"}

_PAST = {"create": "created", "change": "changed", "delete": "deleted", "keep": "unchanged"}


class WithRootDir(SchedulerCommand):
    """A command that knows JupyterLab's root folder."""

    root_dir = Text(
        config=True,
        help="JupyterLab's root folder. Default: the configured one; in a terminal of JupyterLab, that server's; otherwise the "
        "current folder.",
    )

    def find_root_dir(self) -> Path:
        """Return JupyterLab's root folder; call it once the configuration is loaded."""
        configured = self.config.ServerApp.get("root_dir") or self.config.FileContentsManager.get("root_dir")
        found = self.root_dir or configured or os.environ.get(TERMINAL_ROOT_DIR) or os.getcwd()
        return Path(os.path.realpath(os.path.expanduser(str(found))))


class ApplyCommand(WithRootDir):
    """Creates, changes and deletes job definitions from files."""

    name = "jupyter argo-scheduler apply"
    description = """Create, change and pause job definitions from YAML files. With --prune, delete those that are
    not in the files.

    jupyter argo-scheduler apply FOLDER|FILE... [options]

    In a folder, apply reads all .yaml and .yml files, including those in subfolders. It checks all files before the first
    change. Applying the same files again changes nothing. The exit code is 1 if anything was refused or failed.
    """
    examples = "\n".join(
        (
            "jupyter argo-scheduler apply schedules --dry-run",
            "jupyter argo-scheduler apply schedules --prune",
            "jupyter argo-scheduler apply --schema > definitions.schema.json",
        )
    )
    operands = ("FOLDER|FILE...",)

    origin = Text(
        "files",
        config=True,
        help="Name of the files' source, such as a repository. --prune deletes only definitions of this origin.",
    )
    prune = Bool(False, config=True, help="Delete definitions of this origin that the files do not contain.")
    dry_run = Bool(False, config=True, help="Show the changes without making them.")
    schema = Bool(False, config=True, help="Print the JSON schema of the files and exit.")
    as_json = Bool(False, config=True, help="Print the changes as JSON.")

    def check_operands(self) -> None:
        """Demand no file for the schema."""
        if not self.schema:
            super().check_operands()

    def execute(self) -> int:
        """Apply the files; return the exit code.

        Raises
        ------
        InvalidConfiguration, InvalidDefinitions
            Nothing was changed; says why.
        """
        from argo_jupyter_scheduler.jobs.definition_documents import make_schema
        from argo_jupyter_scheduler.jobs.definition_files import change_as_json

        if self.schema:
            print(make_schema(), end="")
            return 0
        self.load_configuration()
        root = self.find_root_dir()
        documents = read_files(find_files(map(Path, self.extra_args)), root)
        with self.open_scheduler(root, create=not self.dry_run) as scheduler:
            if not self.dry_run:
                scheduler.jobs.engine.start()
            changes = scheduler.definition_files.apply(documents, self.origin, self.prune, self.dry_run)
        if self.as_json:
            print(
                render_json(
                    {"dry_run": self.dry_run, "changes": [change_as_json(change) for change in changes]}
                )
            )
        else:
            print("\n".join([*render_changes(changes), summarize(changes, self.dry_run)]))
        failures = [change for change in changes if change.failure]
        for change in failures:
            print(f"{change.place or change.name}: {change.failure}", file=sys.stderr)
        return int(bool(failures))


def find_files(paths: Sequence[Path] | Iterator[Path]) -> list[Path]:
    """Return the files that are named, and those of the folders that are named, each once.

    Raises
    ------
    InvalidDefinitions
        One does not exist.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            below = (file for file in sorted(path.rglob("*")) if file.suffix in SUFFIXES and file.is_file())
            visible = [
                file
                for file in below
                if not any(part.startswith(".") for part in file.relative_to(path).parts)
            ]
            found |= dict.fromkeys(visible)
        elif path.is_file():
            found[path] = None
        else:
            raise InvalidDefinitions([f"File '{path}' not found."])
    return list({os.path.realpath(path): path for path in found}.values())


def read_files(files: Sequence[Path], root: Path) -> list[Document]:
    """Return the job definitions of files.

    Raises
    ------
    InvalidDefinitions
        With all that is wrong in all of them.
    """
    from argo_jupyter_scheduler.jobs.definition_documents import read_documents

    documents: list[Document] = []
    problems: list[str] = []
    for file in files:
        try:
            folder = os.path.relpath(os.path.realpath(file.parent), root)
            documents += read_documents(file.read_text(encoding="utf-8-sig"), str(file), folder)
        except InvalidDefinitions as error:
            problems += error.problems
        except UnicodeDecodeError:
            problems.append(f"{file}: The file is not UTF-8. Save it as UTF-8.")
        except OSError as error:
            problems.append(f"{file}: The file cannot be read: {error}.")
    if problems:
        raise InvalidDefinitions(problems)
    return documents


def render_changes(changes: Sequence[Change]) -> list[str]:
    """Return a line for each definition that changes, and one for each of its keys."""
    lines = []
    for change in changes:
        if change.action == "keep":
            continue
        where = f" ({change.place})" if change.place else ""
        failed = ": FAILED" if change.failure else ""
        lines.append(f"{_SIGNS[change.action]} {one_line(change.name)}{where}{failed}")
        for key, value in change.fields.items():
            if change.action == "create":
                lines.append(f"    {key}: {_show(value.after)}")
                continue
            for name, before, after in _list_differences(key, value.before, value.after):
                lines.append(f"    {name}: {_show(before)} → {_show(after)}")
    return lines


def summarize(changes: Sequence[Change], dry_run: bool) -> str:
    """Return how many definitions were changed, in a sentence."""
    counts = {
        action: sum(change.action == action and not change.failure for change in changes) for action in _PAST
    }
    parts = [f"{counts[action]} {past}" for action, past in _PAST.items()]
    failed = sum(bool(change.failure) for change in changes)
    parts += [f"{failed} failed"] if failed else []
    return f"{'Would be' if dry_run else 'Job definitions'}: {', '.join(parts)}."


def _list_differences(key: str, before: object, after: object) -> Iterator[tuple[str, object, object]]:
    """Yield what differs, of parameters and options each by itself: a line with all of them would be cut before it shows that."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        yield key, before, after
        return
    for name in {**before, **after}:
        if not (name in before and name in after and str(before[name]) == str(after[name])):
            yield f"{key}.{name}", before.get(name), after.get(name)


def _show(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shorten(one_line(text), SHOWN_CHARACTERS)

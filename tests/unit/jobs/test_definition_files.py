"""Job definitions are made what files say, without a server: a real database, real files, a small engine."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from argo_jupyter_scheduler.domain.errors import EngineUnavailable, InvalidDefinitions
from argo_jupyter_scheduler.jobs.definition_documents import Document, read_documents, write_document
from argo_jupyter_scheduler.jobs.definition_files import Change
from argo_jupyter_scheduler.jobs.requests import DefinitionChanges, DefinitionRequest
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import DefinitionRow
from tests.support.jobs import notebook
from tests.support.rows import definition_row
from tests.support.services import Services, SmallEngine

DAILY = """\
name: Daily report
notebook: daily.ipynb
schedule: 0 6 * * *
timezone: Europe/Berlin
parameters: {days: 30}
options: {timeout: 2h}
tags: [mine]
"""
WEEKLY = (
    "---\nname: Weekly report\nnotebook: weekly.ipynb\nschedule: '@weekly'\npaused: true\nformats: [html]\n"
)


@pytest.fixture
def services(database: Database, tmp_path: Path) -> Services:
    made = Services(database, tmp_path)
    for name in ("daily", "weekly", "other"):
        made.write(f"reports/{name}.ipynb", notebook(f"'{name}'", parameters="days = 1"))
    return made


def read(text: str) -> list[Document]:
    return read_documents(text, "a.yaml", "reports")


def apply(services: Services, text: str, **options: Any) -> list[Change]:
    return services.definition_files.apply(read(text), **options)


def actions(changes: Sequence[Change]) -> list[str]:
    assert [change.failure for change in changes] == [""] * len(changes)
    return [change.action for change in changes]


def rows(services: Services) -> dict[str | None, DefinitionRow]:
    return {row.name: row for row in services.database.list_definitions()}


def state(services: Services) -> tuple[object, ...]:
    """Return all that is stored, and how often the engine was called."""
    files = {path: path.read_bytes() for path in services.staging.rglob("*") if path.is_file()}
    return rows(services), files, services.engine.calls


def test_definitions_are_created_once(services: Services) -> None:
    before = state(services)
    assert actions(apply(services, DAILY + WEEKLY, dry_run=True)) == ["create", "create"]
    assert state(services) == before

    assert actions(apply(services, DAILY + WEEKLY)) == ["create", "create"]
    daily, weekly = rows(services)["Daily report"], rows(services)["Weekly report"]
    assert (daily.schedule, daily.timezone, daily.active) == ("0 6 * * *", "Europe/Berlin", True)
    assert (daily.parameters, daily.runtime_environment_parameters) == ({"days": "30"}, {"timeout": "2h"})
    assert daily.tags == ("mine", "applied-from:files")
    assert daily.output_formats == ("ipynb", "html")
    assert daily.runtime_environment_name == "venv"
    assert services.jobs.folder(daily.job_definition_id).read_settings().origin == "reports/daily.ipynb"
    assert (weekly.active, weekly.output_formats) == (False, ("html",))
    assert services.engine.schedules == {row.job_definition_id: row for row in (daily, weekly)}

    before = state(services)
    assert actions(apply(services, DAILY + WEEKLY)) == ["keep", "keep"]
    assert state(services)[0] == before[0]
    assert state(services)[2] == before[2]


def changed(services: Services, text: str) -> dict[str, tuple[object, object]]:
    """Apply a file with one definition; return what changed, by its key. Once more, nothing does."""
    [planned] = apply(services, text, dry_run=True)
    [change] = apply(services, text)
    assert change == planned
    assert actions([change]) == ["change"]
    assert actions(apply(services, text)) == ["keep"]
    return {key: (value.before, value.after) for key, value in change.fields.items()}


def test_each_key_is_changed_and_taken_back(services: Services) -> None:
    least = "name: Daily report\nnotebook: daily.ipynb\n"
    apply(services, least)
    cases: dict[str, tuple[str, tuple[object, object]]] = {
        "schedule": ("schedule: 0 7 * * *", (None, "0 7 * * *")),
        "timezone": ("timezone: Asia/Tokyo", (None, "Asia/Tokyo")),
        "paused": ("paused: true", (False, True)),
        "parameters": ("parameters: {days: 2, a: [1, x]}", ({}, {"days": "2", "a": '[1, "x"]'})),
        "formats": ("formats: [html]", (["ipynb", "html"], ["html"])),
        "options": ("options: {retries: 2}", ({}, {"retries": 2})),
        "input_folder": ("input_folder: true", (False, True)),
    }
    for key, (line, fields) in cases.items():
        found = changed(services, f"{least}{line}\n")
        assert found[key] == fields
        assert found.keys() - {key} <= {"notebook"}
        assert set(changed(services, least)) == set(found)
    assert set(changed(services, least + "tags: [b]\n")) == {"tags"}
    row = rows(services)["Daily report"]
    assert (row.schedule, row.timezone, row.active, row.parameters) == (None, None, True, {})


def test_a_notebook_that_changed_is_staged_again(services: Services) -> None:
    apply(services, DAILY)
    row = rows(services)["Daily report"]
    folder = services.jobs.folder(row.job_definition_id)
    services.write("reports/daily.ipynb", notebook("'new'"))
    assert changed(services, DAILY) == {
        "notebook": ("reports/daily.ipynb", "reports/daily.ipynb (changed content)")
    }
    assert "'new'" in (folder.path / "daily.ipynb").read_text()

    moved = DAILY.replace("daily.ipynb", "other.ipynb")
    assert changed(services, moved) == {"notebook": ("reports/daily.ipynb", "reports/other.ipynb")}
    assert folder.files() == ["other.ipynb"]

    with_folder = f"{moved}input_folder: true\n"
    assert set(changed(services, with_folder)) == {"notebook", "input_folder"}
    assert folder.files() == ["daily.ipynb", "other.ipynb", "weekly.ipynb"]
    services.write("reports/helper.py", "x = 1")
    assert set(changed(services, with_folder)) == {"notebook"}
    (services.root / "reports" / "helper.py").write_text("x = 2")
    assert set(changed(services, with_folder)) == {"notebook"}
    assert (folder.path / "helper.py").read_text() == "x = 2"
    assert services.database.get_definition(row.job_definition_id)


def test_a_folder_of_outputs_does_not_count_as_input(services: Services) -> None:
    text = f"{DAILY.replace('timeout: 2h', 'output: reports/made')}input_folder: true\n"
    apply(services, text)
    services.write("reports/made/daily.html", "made by a run")
    assert actions(apply(services, text)) == ["keep"]
    wrong = text.replace("reports/made", "../made")
    with pytest.raises(InvalidDefinitions, match=r"^a\.yaml:6: "):
        apply(services, wrong)


def test_a_linked_notebook_is_not_staged_again(services: Services) -> None:
    text = DAILY.replace("timeout: 2h", "input: linked")
    apply(services, text)
    services.write("reports/daily.ipynb", notebook("'new'", parameters="days = 1"))
    assert actions(apply(services, text)) == ["keep"]
    assert set(changed(services, text.replace("daily.ipynb", "other.ipynb"))) == {"notebook"}
    assert set(changed(services, DAILY)) == {"notebook", "options"}


def create(services: Services, **fields: Any) -> str:
    given: dict[str, Any] = {"name": "Daily report", "runtime_environment_name": "venv", **fields}
    return services.definitions.create(
        DefinitionRequest(input_uri="reports/daily.ipynb", input_filename="daily.ipynb", **given)
    )


def test_only_what_was_applied_from_there_is_deleted(services: Services) -> None:
    by_hand = create(services, name="By hand")
    apply(services, "name: Elsewhere\nnotebook: daily.ipynb\n", origin="other-team")
    apply(services, DAILY + WEEKLY)
    assert actions(apply(services, DAILY)) == ["keep"]
    before = state(services)
    [_, deletion] = apply(services, DAILY, prune=True, dry_run=True)
    assert (deletion.action, deletion.name) == ("delete", "Weekly report")
    assert state(services) == before
    assert actions(apply(services, DAILY, prune=True)) == ["keep", "delete"]
    assert set(rows(services)) == {"By hand", "Elsewhere", "Daily report"}
    assert actions(apply(services, DAILY, prune=True)) == ["keep"]
    assert by_hand in {row.job_definition_id for row in rows(services).values()}


def test_a_definition_that_was_made_by_hand_is_taken_over(services: Services) -> None:
    secret = {"SLACK_TOKEN": "xoxb-secret", "SLACK_CHANNEL": "#team"}
    definition_id = create(services, parameters={**secret, "days": "7"}, tags=("a",))
    text = "name: Daily report\nnotebook: daily.ipynb\nparameters: {SLACK_CHANNEL: '#team'}\n"
    [change] = apply(services, text)
    assert (change.action, change.job_definition_id) == ("change", definition_id)
    assert change.fields["tags"].after == ["applied-from:files"]
    assert change.fields["parameters"].after == {"SLACK_CHANNEL": "#team"}
    assert "xoxb" not in str(change)
    assert definition_row(services.database, definition_id).parameters == secret
    assert actions(apply(services, text)) == ["keep"]
    assert set(changed(services, "name: Daily report\nnotebook: daily.ipynb\n")) == {"parameters"}
    assert definition_row(services.database, definition_id).parameters == {}


REFUSED = [
    ("notebook: gone.ipynb", "2: Notebook 'gone.ipynb' not found. Available: "),
    ("notebook: dayly.ipynb", "2: Notebook 'dayly.ipynb' not found. Available: daily.ipynb"),
    ("notebook: ../../n.ipynb", "2: Input path '../../n.ipynb' is outside the root folder"),
    ("notebook: /etc/passwd", "2: notebook is not a relative path."),
    ("notebook: text.ipynb", "2: 'text.ipynb' is not a notebook"),
    ('notebook: "a\\0.ipynb"', "2: The input path contains a NUL character."),
    ("schedule: 61 * * * *", "3: The schedule's minute '61' is not valid."),
    ("schedule: 0 0 31 2 *", "3: "),
    ("timezone: Europe/Berlinn", "3: Time zone 'Europe/Berlinn' not found. Did you mean Europe/Berlin"),
    ("environment: vnv", "3: Environment 'vnv' not found. Available: venv."),
    ("parameters: {dayss: 3}", "3: The notebook has no parameter 'dayss'. Did you mean 'days'?"),
    ("parameters: {SLACK_TOKEN: xoxb-secret}", "3: A file must not contain SLACK_TOKEN."),
    ("formats: [htm]", "3: Output format 'htm' not found. Available: html."),
    ("options: {timeot: 2h}", "3: Option 'timeot' not found. Did you mean 'timeout'?"),
    ("options: {timeout: soon}", "3: Option timeout: 'soon' is not a duration"),
    ("options: {notify: team}", "3: Option notify: this server has no notification targets."),
    ("tags: [timeout:soon]", "3: Option timeout: 'soon' is not a duration"),
    ("tags: [applied-from:x]", "3: The tag 'applied-from:x' is reserved"),
    ("compute_type: big", "3: Compute type 'big' not found. Available: none."),
    ("name: Daily report", "4: 'Daily report' is also defined in a.yaml:1."),
]


@pytest.mark.parametrize(("line", "problem"), REFUSED)
def test_what_is_wrong_is_refused_before_the_first_change(
    services: Services, line: str, problem: str
) -> None:
    services.write("reports/text.ipynb", "hello")
    apply(services, WEEKLY)
    before = state(services)
    key = line.partition(":")[0]
    lines = {"name": "name: B", "notebook": "notebook: daily.ipynb"}
    wrong = "\n".join({**lines, key: line}.values()) + "\n"
    text = f"{DAILY}---\n{wrong}" if key == "name" else f"{wrong}---\n{DAILY}"
    number = text[: text.index(line, len(DAILY) if key == "name" else 0)].count("\n") + 1
    problem = f"a.yaml:{number}:{problem.partition(':')[2]}"
    for options in ({}, {"dry_run": True}, {"prune": True}):
        with pytest.raises(InvalidDefinitions) as error:
            apply(services, text, **options)
        [found] = error.value.problems
        assert found.startswith(problem)
        assert "xoxb" not in found
    assert state(services) == before


def test_an_unknown_target_is_refused_with_the_nearest_name(database: Database, tmp_path: Path) -> None:
    class NotifyingEngine(SmallEngine):
        notification_targets = ("team", "ops")

    services = Services(database, tmp_path, NotifyingEngine())
    services.write("reports/daily.ipynb", notebook("1"))
    with pytest.raises(InvalidDefinitions, match=r"a\.yaml:3: Notification target 'teem' not found"):
        apply(services, "name: a\nnotebook: daily.ipynb\noptions: {notify: teem}\n")


def test_names_that_are_not_certain_are_refused(services: Services) -> None:
    ids = sorted([create(services), create(services)])
    with pytest.raises(
        InvalidDefinitions, match="Several job definitions are called 'Daily report'"
    ) as error:
        apply(services, DAILY)
    assert all(id_ in str(error.value) for id_ in ids)
    apply(services, WEEKLY, origin="other-team")
    with pytest.raises(InvalidDefinitions, match="'Weekly report' was applied with --origin other-team"):
        apply(services, WEEKLY)
    with pytest.raises(InvalidDefinitions, match="'a b' is not a valid origin"):
        apply(services, WEEKLY, origin="a b")
    with pytest.raises(InvalidDefinitions, match="The files contain no job definitions"):
        apply(services, "# nothing", origin="other-team", prune=True)
    assert len(services.database.list_definitions()) == 3


def test_after_a_failure_the_others_are_changed_and_nothing_is_deleted(services: Services) -> None:
    apply(services, WEEKLY)
    services.engine.failure = EngineUnavailable("Argo is away.")
    more = "---\nname: Other\nnotebook: other.ipynb\nschedule: '@daily'\n"
    first, second = apply(services, DAILY + more, prune=True)
    assert (first.failure, second.failure) == ("Argo is away.", "")
    assert set(rows(services)) == {"Weekly report", "Other"}
    assert actions(apply(services, DAILY + more, prune=True)) == ["create", "keep", "delete"]
    assert set(rows(services)) == {"Daily report", "Other"}


def test_a_change_that_the_database_refuses_is_a_failure(services: Services, tmp_path: Path) -> None:
    apply(services, DAILY)
    with contextlib.closing(sqlite3.connect(tmp_path / "scheduler.sqlite")) as connection, connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON job_definitions BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    changed, created = apply(services, DAILY.replace("0 6", "0 7") + WEEKLY)
    assert "disk full" in changed.failure
    assert (created.action, created.failure) == ("create", "")
    assert rows(services)["Daily report"].schedule == "0 6 * * *"


def test_a_definition_without_a_name_is_called_like_its_notebook(services: Services) -> None:
    definition_id = create(services, name=None, output_formats=("ipynb",))
    [(content, _)] = services.definition_files.export(services.root / "reports")
    [change] = apply(services, write_document(content))
    assert (change.action, change.job_definition_id) == ("change", definition_id)
    assert (change.fields["name"].before, change.fields["name"].after) == (None, "daily")
    assert actions(apply(services, write_document(content))) == ["keep"]


def test_what_is_exported_is_what_there_is(services: Services) -> None:
    create(
        services,
        name="By hand",
        parameters={"SLACK_TOKEN": "xoxb-secret", "SLACK_CHANNEL": "#team"},
        tags=("timeout:1h",),
        output_formats=("html",),
    )
    apply(services, DAILY + WEEKLY)
    exported = list(services.definition_files.export(services.root / "elsewhere"))
    text = "---\n".join(write_document(content) for content, _ in exported)
    assert [content.name for content, _ in exported] == ["By hand", "Daily report", "Weekly report"]
    assert exported[1][0].notebook == "../reports/daily.ipynb"
    assert [warnings for _, warnings in exported[1:]] == [[], []]
    assert exported[0][1] == ["SLACK_TOKEN is left out because it is a secret. apply keeps it."]
    assert "xoxb" not in text
    assert "applied-from" not in text
    changes = services.definition_files.apply(read_documents(text, "b.yaml", "elsewhere"))
    assert actions(changes) == ["change", "keep", "keep"]
    assert set(changes[0].fields) == {"tags"}

    (services.root / "reports" / "daily.ipynb").unlink()
    services.definitions.update(
        str(changes[2].job_definition_id), DefinitionChanges({"name": "Daily report"})
    )
    warnings = [found for _, found in services.definition_files.export(services.root)]
    assert "The notebook 'reports/daily.ipynb' is not in the root folder." in warnings[1]
    assert "Another definition has the same name, which apply refuses. Rename one of them." in warnings[1]
    assert len(warnings[2]) == 1

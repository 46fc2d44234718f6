"""The pages agree with the code and with each other: commands, options, traits, links, versions. `tests/integration` runs the rest."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

import argo_jupyter_scheduler
from argo_jupyter_scheduler.cli.app import SUBCOMMANDS, ArgoSchedulerApp
from argo_jupyter_scheduler.cli.arguments import WrongArguments
from argo_jupyter_scheduler.config.traits import SchedulerTraits
from argo_jupyter_scheduler.domain import option_values, options
from argo_jupyter_scheduler.storage import folders, schema

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]

COMMAND = re.compile(r"jupyter[ -]argo-scheduler +([^`|)>#;&\n]+)")
CODE = re.compile(r"^( *)(```|~~~).*?^\1\2[^\n]*$", re.MULTILINE | re.DOTALL)
OF_OTHERS = {"staging_path", "output_directory", "root_dir"}
"""Traits that `ArgoScheduler` inherits from Jupyter-Scheduler."""


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def find_commands(text: str) -> list[list[str]]:
    """Return the arguments of each command line of ours; a line in inline code may be broken."""
    text = text.replace("\\\n", " ")
    blocks = "\n".join(match.group() for match in CODE.finditer(text))
    inline = "\n".join(code.replace("\n", " ") for code in re.findall(r"`[^`]+`", CODE.sub("", text)))
    return [shlex.split(arguments) for arguments in COMMAND.findall(blocks + inline)]


def find_blocks(text: str, language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def find_anchors(page: Path) -> list[str]:
    """Return the anchors that GitHub and the site give a page's titles, and those that are written out."""
    text = CODE.sub("", read(page))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
    return slugs + re.findall(r'<a id="([^"]+)">', text)


def test_commands_are_accepted() -> None:
    commands = [(page.name, arguments) for page in PAGES for arguments in find_commands(read(page))]
    assert len(commands) > 40
    for name, arguments in commands:
        if len(arguments) == 1:  # a text may name a command without its operand
            assert arguments[0] in SUBCOMMANDS, name
            continue
        try:
            ArgoSchedulerApp().initialize(arguments)
        except WrongArguments as error:
            pytest.fail(f"{name}: {shlex.join(arguments)}: {error}")


def test_commands_are_found_in_blocks_and_in_text() -> None:
    block = "```shell\njupyter argo-scheduler run \\\n  a.ipynb -p x 'y z' | cat\n```\n"
    found = find_commands("Call `jupyter\nargo-scheduler doctor --run`.\n\n" + block)
    assert sorted(found) == [["doctor", "--run"], ["run", "a.ipynb", "-p", "x", "y z"]]


def test_blocks_can_be_read() -> None:
    for page in PAGES:
        text = read(page)
        for block in find_blocks(text, "python"):
            compile(block, str(page), "exec")
        for block in find_blocks(text, "yaml"):
            assert list(yaml.safe_load_all(block)), page
        for block in find_blocks(text, "json"):
            json.loads(block)


def test_shell_blocks_can_be_read() -> None:
    script = "\n".join(block for page in PAGES for block in find_blocks(read(page), "shell"))
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
    assert not checked.stderr


def test_traits_exist() -> None:
    known = {*SchedulerTraits.class_trait_names(config=True), *OF_OTHERS}
    for page in PAGES:
        assert set(re.findall(r"c\.ArgoScheduler\.([a-z]\w*)", read(page))) <= known, page


def test_links_have_their_target() -> None:
    for page in PAGES:
        text = re.sub(r"`[^`\n]*`", "", CODE.sub("", read(page)))
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            if "://" in path:
                continue
            file = (page.parent / path) if path else page
            assert file.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in find_anchors(file), f"{page.name}: {target}"


def test_anchors_that_the_code_names_exist() -> None:
    named = {
        (page, anchor)
        for path in (ROOT / "argo_jupyter_scheduler").rglob("*.py")
        for page, anchor in re.findall(r"docs/([\w-]+\.md)#([\w-]+)", read(path))
    }
    assert len(named) > 10
    for page, anchor in named:
        assert anchor in find_anchors(DOCS / page), f"{page}#{anchor}"


def test_each_entry_about_upstream_is_named_where_its_workaround_is() -> None:
    sources = [*(ROOT / "argo_jupyter_scheduler").rglob("*.py"), *(ROOT / "labextension/src").rglob("*.ts*")]
    code = "".join(read(path) for path in sources)
    entries = re.findall(r'<a id="([^"]+)">', read(DOCS / "upstream.md"))
    assert len(entries) > 15
    assert set(entries) == set(re.findall(r"docs/upstream\.md#([\w-]+)", code))


def list_pages(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [page for part in (nav.values() if isinstance(nav, dict) else nav) for page in list_pages(part)]


def test_each_page_is_in_the_site_once() -> None:
    listed = list_pages(yaml.safe_load(read(ROOT / "mkdocs.yml"))["nav"])
    assert len(listed) == len(set(listed))
    outside = {page for page in listed if page.isupper() or not (DOCS / page).exists()}
    assert {page for page in listed if page not in outside} == {page.name for page in DOCS.glob("*.md")}
    assert outside == {page.name for page in ROOT.glob("*.md")} - {"README.md"}


def test_each_check_of_the_doctor_is_listed() -> None:
    code = "".join(read(path) for path in (ROOT / "argo_jupyter_scheduler" / "cli" / "doctor").glob("*.py"))
    checks = set(re.findall(r"\b(?:ok|warning|problem|report)\(\s*\"([a-z]+)\"", code))
    rows = re.findall(r"^\| ([a-z]+(?:, [a-z]+)*) \|", read(DOCS / "doctor.md"), re.MULTILINE)
    assert len(checks) > 15
    assert checks <= {check for row in rows for check in row.split(", ")}


def test_each_option_has_its_entry() -> None:
    text = read(DOCS / "options.md")
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \| (?:`(\w+)` )?\|", text, re.MULTILINE)
    names = [field.name for field in fields(options.Options)]
    assert [name for name, _, _ in rows] == re.findall(r"^### (\w+)$", text, re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == sorted(names)
    for name, tag, _ in rows:
        read_options = options.read_options([tag])
        assert getattr(read_options, name) != getattr(options.Options(), name), tag
    assert {field for _, _, field in rows if field} == set(options.API_FIELDS)


def test_the_limits_of_options_are_true() -> None:
    text = read(DOCS / "options.md")
    day = 24 * 3600
    assert f"up to {option_values.MAX_TIMEOUT_SECONDS // day} days" in text
    assert f"0 to {option_values.MAX_RETRIES}" in text
    assert day == option_values.MAX_RETRY_INTERVAL_SECONDS
    assert "a duration up to a day" in text
    assert f"up to {option_values.MAX_LATE_SECONDS // day} days" in text
    assert option_values.MIN_KEEP_SECONDS == 3600
    assert "at least an hour" in text
    assert f"up to {option_values.MAX_TARGETS} names" in text


def test_files_columns_and_indices_are_listed() -> None:
    codes = re.findall(r"`([^`\n]+)`", CODE.sub("", read(DOCS / "files-and-tables.md")))
    named = {re.sub(r"<.*>|…", "", code) for code in codes}
    private = re.findall(r"^``([^`]+)``", folders.__doc__ or "", re.MULTILINE)
    columns = {field.name for row in (schema.JobRow, schema.DefinitionRow) for field in fields(row)}
    assert len(private) > 15
    assert {re.sub(r"<.*>|…", "", name) for name in private} <= named
    assert columns | set(schema.INDICES) <= named


def test_one_version_everywhere() -> None:
    version = argo_jupyter_scheduler.__version__
    assert f'\nversion = "{version}"\n' in read(ROOT / "pyproject.toml")
    assert yaml.safe_load(read(DOCS / "openapi.yaml"))["info"]["version"] == version
    assert yaml.safe_load(read(ROOT / "CITATION.cff"))["version"] == version
    assert re.search(rf"^## {re.escape(version)} \(", read(ROOT / "CHANGELOG.md"), re.MULTILINE)


def test_workflows_and_forms_can_be_read_and_call_scripts_that_exist() -> None:
    files = sorted((ROOT / ".github").rglob("*.yml"))
    assert len(files) == 4
    for file in files:
        assert yaml.safe_load(read(file))
    texts = [read(ROOT / name) for name in (".ci/run", ".github/workflows/ci.yml", "CONTRIBUTING.md")]
    named = {name for text in texts for name in re.findall(r"\bscripts/([\w-]+)", text)}
    assert {"lint", "docs", "test-wheel", "audit"} <= named
    assert named <= {path.stem for path in (ROOT / "scripts").iterdir()}

"""Completion scripts, tried in the shells that are installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from argo_jupyter_scheduler.cli.app import SUBCOMMANDS
from argo_jupyter_scheduler.cli.completion import options_of_commands, render_script

DOCS = Path(__file__).parents[3] / "docs"


def test_all_options_are_known() -> None:
    options = options_of_commands()
    assert list(options) == list(SUBCOMMANDS)
    assert {"-p", "--parameter", "--env", "--format", "--input-folder", "--output-dir"} <= set(options["run"])
    assert {"-f", "--follow", "--json"} <= set(options["logs"])


COMMON = {"--config", "--debug", "--help", "--log-level", "--version", "--json", "--parameter", "-p"}


@pytest.mark.parametrize("command", [name for name in SUBCOMMANDS if name != "completion"])
def test_every_option_is_documented(command: str) -> None:
    page = "doctor.md" if command == "doctor" else "command-line.md"
    text = (DOCS / page).read_text(encoding="utf-8")
    section = text if command == "doctor" else text.partition(f"\n## {command}\n")[2].partition("\n## ")[0]
    assert section
    for option in set(options_of_commands()[command]) - COMMON:
        assert f"`{option}" in section or f" {option} " in section, option


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_can_be_read(shell: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(render_script(shell, options_of_commands()))
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    subprocess.run([shell, "-n", script], check=True, timeout=60)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["jupyter-argo-scheduler", "de"], ["definitions"]),
        (["jupyter", "argo-scheduler", "re"], ["rerun"]),
        (["jupyter", "argo-scheduler", "logs", "3f2a", "--f"], ["--follow"]),
        (["/opt/bin/jupyter-argo-scheduler", "run", "n.ipynb", "--for"], ["--format"]),
        (["jupyter-argo-scheduler", "run", "n"], []),  # left to the shell: a path
        (["jupyter", "lab", "de"], []),
    ],
)
def test_bash_completes(words: list[str], expected: list[str], tmp_path: Path) -> None:
    quoted = " ".join(f"'{word}'" for word in words)
    script = render_script("bash", options_of_commands()) + (
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; COMPREPLY=()\n"
        "_jupyter_argo_scheduler; printf '%s\\n' \"${COMPREPLY[@]}\"\n"
    )
    answer = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.split() == expected


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("jupyter-argo-scheduler defi", "definitions"),
        ("jupyter argo-scheduler reru", "rerun"),
        ("jupyter argo-scheduler logs 3f2a --fo", "--follow"),
    ],
)
def test_fish_completes(line: str, expected: str, tmp_path: Path) -> None:
    script = tmp_path / "script.fish"
    script.write_text(render_script("fish", options_of_commands()) + f"complete -C '{line}'\n")
    answer = subprocess.run(["fish", script], capture_output=True, text=True, check=True, timeout=60)
    assert expected in answer.stdout.split()

"""The command line: what is understood, and what is refused."""

from __future__ import annotations

import pytest
from traitlets.utils.importstring import import_item

from argo_jupyter_scheduler import __version__
from argo_jupyter_scheduler.cli.app import SUBCOMMANDS, ArgoSchedulerApp, main
from argo_jupyter_scheduler.cli.arguments import WrongArguments, split_parameters
from argo_jupyter_scheduler.cli.jobs import JobsCommand
from argo_jupyter_scheduler.cli.run import RunCommand


@pytest.mark.parametrize(
    ("arguments", "others", "parameters"),
    [
        ([], [], {}),
        (["n.ipynb", "-p", "days", "30"], ["n.ipynb"], {"days": "30"}),
        (["-p", "days=30", "n.ipynb"], ["n.ipynb"], {"days": "30"}),
        (["-p", "a", "1", "--env", "x", "-p", "b=2"], ["--env", "x"], {"a": "1", "b": "2"}),
        (["--parameter", "a", "1"], [], {"a": "1"}),
        (["--parameter=a=1"], [], {"a": "1"}),
        (["-p=a=1"], [], {"a": "1"}),
        (["-p=a", "1"], [], {"a": "1"}),
        (["-p", "a", "-1.5"], [], {"a": "-1.5"}),
        (["-p", "a=-x"], [], {"a": "-x"}),
        (["-p", "a=b=c"], [], {"a": "b=c"}),
        (["-p", "a", "b=c"], [], {"a": "b=c"}),
        (["-p", "a="], [], {"a": ""}),
        (["-p", "a", ""], [], {"a": ""}),
        (["-p", "a", "'007'"], [], {"a": "'007'"}),
        (["-p", "a", "~/x"], [], {"a": "~/x"}),
        (["-p", "a", "1", "-p", "a", "2"], [], {"a": "2"}),
        (["--", "-p", "a", "1"], ["--", "-p", "a", "1"], {}),
    ],
)
def test_parameters(arguments: list[str], others: list[str], parameters: dict[str, str]) -> None:
    assert split_parameters(arguments) == (others, parameters)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-p"], "-p has no parameter"),
        (["--parameter", "a"], "The value of parameter 'a' is missing. Write --parameter NAME VALUE"),
        (["-p", "a", "--env", "x"], "To pass '--env', write -p a=--env"),
        (["-p", "--env", "x"], "-p has no parameter"),
    ],
)
def test_parameters_that_are_incomplete(arguments: list[str], words: str) -> None:
    with pytest.raises(WrongArguments, match=words):
        split_parameters(arguments)


def run_command(*arguments: str) -> RunCommand:
    app = ArgoSchedulerApp()
    app.initialize(["run", *arguments])
    assert isinstance(app.subapp, RunCommand)
    return app.subapp


def test_options_of_run() -> None:
    command = run_command("n.ipynb")
    assert (command.extra_args, command.parameters, command.output_formats) == (["n.ipynb"], {}, [])
    command = run_command(
        *("--format", "html", "n.ipynb", "-p", "city", "Bergen", "--format=pdf", "--input-folder", "--json"),
        *("--name", "'a'", "--tag", "retries:3", "--tag", "[x]", "--compute-type", "gpu", "--env=~x"),
        *("--output-dir", "out"),
    )
    assert command.extra_args == ["n.ipynb"]
    assert command.parameters == {"city": "Bergen"}
    assert command.output_formats == ["html", "pdf"]
    assert (command.package_input_folder, command.as_json) == (True, True)
    assert (command.job_name, command.tags, command.compute_type) == ("'a'", ["retries:3", "[x]"], "gpu")
    assert (command.environment, command.output_dir) == ("~x", "out")
    assert run_command("n.ipynb", "--tag", "[x]").tags == ["[x]"]


def test_options_of_jobs() -> None:
    app = ArgoSchedulerApp()
    app.initialize(["jobs", "--limit", "3", "--status=FAILED", "--definition", "9c"])
    assert isinstance(app.subapp, JobsCommand)
    assert (app.subapp.limit, app.subapp.status, app.subapp.definition) == (3, "FAILED", "9c")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "A command is missing. Available: run, jobs, logs"),
        (["runn"], "Unknown command 'runn'. Available: run"),
        (["run"], "NOTEBOOK is missing. See: jupyter argo-scheduler run --help"),
        (["run", "a", "b"], "Unexpected argument 'b'"),
        (["apply"], "FOLDER or FILE is missing. See: jupyter argo-scheduler apply --help"),
        (["export", "a", "b"], "Unexpected argument 'b'"),
        (["run", "a", "--formt", "html"], "Unknown option '--formt'. Available: --format"),
        (["run", "a", "-x"], "Unknown option '-x'"),
        (["run", "a", "--env"], "expected one argument"),
        (["run", "a", "-p", "x"], "The value of parameter 'x' is missing"),
        (["run", "a", "--RunCommand.tag=1"], "RunCommand has no trait 'tag'. Available: tags"),
        (["jobs", "--limit", "x"], "'limit' trait"),
        (["jobs", "--status", "DONE"], "'status' trait"),
        (["doctor", "--timeout", "long"], "'timeout' trait"),
        (["completion", "tcsh"], "No completion script for 'tcsh'. Available: bash, zsh, fish"),
        (["manifest", "a", "--argo-version", "new"], "'new' is not a version of Argo"),
    ],
)
def test_wrong_arguments_are_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("jupyter argo-scheduler: ")
    assert output.err.count("\n") == 1
    assert words in output.err


@pytest.mark.parametrize("command", ["", *SUBCOMMANDS])
def test_help_and_version(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [command] if command else []
    assert main([*arguments, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Examples" in text
    if command:
        operands = import_item(f"argo_jupyter_scheduler.cli.{SUBCOMMANDS[command][0]}").operands
        assert " ".join(["\njupyter argo-scheduler", command, *operands, "[options]\n"]) in text
    assert main([*arguments, "--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"

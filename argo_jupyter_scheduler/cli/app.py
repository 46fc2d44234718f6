"""The command ``jupyter argo-scheduler`` and its sub-commands."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

from jupyter_core.application import JupyterApp
from traitlets.utils.importstring import import_item

from argo_jupyter_scheduler.cli.arguments import WrongArguments
from argo_jupyter_scheduler.cli.command import SchedulerCommand
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError
from argo_jupyter_scheduler.domain.imports import skip_unneeded_imports
from argo_jupyter_scheduler.domain.text import nearest_names


def _deferred(name: str) -> Callable[[JupyterApp], SchedulerCommand]:
    """Return what imports and makes a sub-command once it is called, not as a singleton: a server may be in this process."""

    def make(parent: JupyterApp) -> SchedulerCommand:
        command: SchedulerCommand = import_item(f"argo_jupyter_scheduler.cli.{name}")(parent=parent)
        return command

    return make


SUBCOMMANDS = {
    "run": ("run.RunCommand", "Run a notebook as the Create Job dialog does, and wait for it."),
    "jobs": ("jobs.JobsCommand", "List jobs: status, duration and name."),
    "logs": ("logs.LogsCommand", "Print the log of a job."),
    "outputs": ("outputs.OutputsCommand", "Print the paths of a job's files."),
    "stop": ("stop.StopCommand", "Stop a job."),
    "rerun": ("rerun.RerunCommand", "Run the notebook of a job again."),
    "run-now": ("run_now.RunNowCommand", "Run a job definition now, and wait for it."),
    "definitions": ("definitions.DefinitionsCommand", "List job definitions: schedule, next run and name."),
    "apply": ("apply.ApplyCommand", "Create, change and delete job definitions from files."),
    "export": ("export.ExportCommand", "Export job definitions to files for apply."),
    "purge": ("purge.PurgeCommand", "Delete finished jobs and orphans."),
    "manifest": ("manifest.ManifestCommand", "Print the YAML that would be submitted to Argo."),
    "doctor": ("doctor.command.DoctorCommand", "Check everything that runs need."),
    "completion": ("completion.CompletionCommand", "Print a completion script for bash, zsh or fish."),
}
"""Where each sub-command is, in this package, and what it does."""


class ArgoSchedulerApp(SchedulerCommand):
    """Hands over to a sub-command."""

    name = "jupyter argo-scheduler"
    description = "Run notebooks through the scheduler, and manage jobs."
    subcommands = {name: (_deferred(path), text) for name, (path, text) in SUBCOMMANDS.items()}  # noqa: RUF012
    examples = "\n".join(
        (
            "jupyter argo-scheduler run analysis.ipynb -p days 30 -p city=Bergen",
            "jupyter argo-scheduler jobs",
            "jupyter argo-scheduler logs 3f2a --follow",
        )
    )

    def check_operands(self) -> None:
        """Refuse a command line without a sub-command.

        Raises
        ------
        WrongArguments
            With the reason.
        """
        if self.subapp is None:
            given = (
                f"Unknown command '{self.extra_args[0]}'. " if self.extra_args else "A command is missing. "
            )
            available = (
                nearest_names(self.extra_args[0], SUBCOMMANDS) if self.extra_args else ", ".join(SUBCOMMANDS)
            )
            raise WrongArguments(f"{given}Available: {available}.")

    def execute(self) -> int:
        """Do what the sub-command is for; return the exit code."""
        return int(self.subapp.execute())  # type: ignore[union-attr]  # without one, it was refused


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    skip_unneeded_imports()
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns of each retry
    app = ArgoSchedulerApp()
    try:
        app.initialize(sys.argv[1:] if arguments is None else arguments)
        return app.execute()
    except WrongArguments as error:
        print(f"jupyter argo-scheduler: {error}", file=sys.stderr)
        return 2
    except ArgoSchedulerError as error:
        print(f"jupyter argo-scheduler: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `jobs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it at exit
        return 1
    except SystemExit as end:  # traitlets' own, after --help and --version
        return int(end.code or 0)


if __name__ == "__main__":
    sys.exit(main())

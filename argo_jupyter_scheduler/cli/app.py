"""The command ``jupyter argo-scheduler``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import traceback
from pathlib import Path
from typing import Any

from jupyter_core.application import JupyterApp
from jupyter_scheduler.extension import SchedulerApp
from jupyter_scheduler.models import CreateJob
from jupyter_scheduler.orm import create_tables
from traitlets.config.loader import JSONFileConfigLoader

from argo_jupyter_scheduler.cli.progress_bar import wait
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, InvalidConfiguration
from argo_jupyter_scheduler.domain.status import COMPLETED
from argo_jupyter_scheduler.scheduler import ArgoScheduler


class ArgoSchedulerApp(JupyterApp):
    """Reads the same configuration files as the server does, so that a command does what the panel does."""

    name = "jupyter-argo-scheduler"
    description = "Run notebooks through the scheduler."
    raise_config_file_errors = True

    def migrate_config(self) -> None:
        """Leave configuration of IPython 3 to the server: a command that only looks writes nothing."""

    def load_config(self) -> None:
        """Read the configuration of the server, and of its extension Jupyter-Scheduler, over which the server's wins.

        Raises
        ------
        InvalidConfiguration
            A file cannot be read; says which, and where.
        """
        try:
            self.initialize([])
            for name in ("jupyter_jupyter_scheduler_config", "jupyter_server_config"):
                self.config_file_name = name
                self.load_config_file()
        except Exception as error:  # a configuration file is a program
            raise InvalidConfiguration(f"{type(error).__name__}: {error} ({_place(error)})") from error

    def make_scheduler(self, root_dir: Path, create: bool = True) -> ArgoScheduler:
        """Return a scheduler as the server would make it, for notebooks under `root_dir`.

        Parameters
        ----------
        create
            Whether to make a database that is not there.

        Raises
        ------
        InvalidConfiguration
            It cannot be made as it is configured.
        """
        try:
            server = SchedulerApp(config=self.config)
            if create:
                Path(self.data_dir).mkdir(parents=True, exist_ok=True)
                create_tables(server.db_url)
            configured = server.scheduler_class
            return (configured if issubclass(configured, ArgoScheduler) else ArgoScheduler)(
                root_dir=str(root_dir),
                environments_manager=server.environment_manager_class(),
                db_url=server.db_url,
                config=self.config,
            )
        except Exception as error:  # whatever would keep JupyterLab's extension from loading
            why = getattr(error, "orig", None) or error  # SQLAlchemy's own text has several lines
            raise InvalidConfiguration(f"The scheduler cannot be started: {why}") from error


def _place(error: Exception) -> str:
    """Return which configuration file cannot be read; of a program, the line."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    for frame, _ in traceback.walk_tb(error.__traceback__):
        reader = frame.f_locals.get("self")
        if isinstance(reader, JSONFileConfigLoader):
            return str(reader.full_filename)
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{where.filename}:{where.lineno}"


def _scheduler(root_dir: Path, create: bool = True) -> ArgoScheduler:
    app = ArgoSchedulerApp()
    app.load_config()
    return app.make_scheduler(root_dir, create)


def run(options: argparse.Namespace) -> int:
    """Run a notebook as the dialog's *Create* does and wait for it; return 0 if it completed, else 1."""
    notebook = Path(options.notebook).resolve()
    scheduler = _scheduler(notebook.parent)
    model = CreateJob(
        input_uri=notebook.name,
        name=notebook.stem,
        runtime_environment_name=options.env or scheduler.environments_manager.default(),
        output_formats=options.format or ["ipynb", "html"],
        parameters=dict(options.parameters),
        package_input_folder=options.input_folder,
    )
    try:
        job_id = asyncio.run(scheduler.create_job(model))
    except Exception as error:  # whatever the dialog would show, on one line
        print(f"jupyter argo-scheduler: {error}", file=sys.stderr)
        return 1
    try:
        wait(scheduler, job_id, notebook.name)
    except KeyboardInterrupt:
        asyncio.run(scheduler.stop_job(job_id))
        print("Stopped.", file=sys.stderr)
        return 130
    return _report(scheduler, job_id)


def _report(scheduler: ArgoScheduler, job_id: str) -> int:
    row: dict[str, Any] | None = scheduler.database.get_job(job_id)
    if row is None:
        print("The job was deleted.", file=sys.stderr)
        return 1
    paths = scheduler.get_staging_paths(scheduler.get_job(job_id, False))
    for output_format, path in paths.items():
        if output_format != "input" and Path(path).is_file():
            print(path)
    if row["status"] == COMPLETED:
        return 0
    print(f"{row['status']}: {row['status_message'] or 'no reason given'}", file=sys.stderr)
    return 1


def doctor(options: argparse.Namespace) -> int:
    """Look at all that runs need; return 1 if there is a problem, else 0."""
    from argo_jupyter_scheduler.cli.doctor import examine
    from argo_jupyter_scheduler.cli.doctor.finding import PROBLEM, as_json, show

    findings = examine(ArgoSchedulerApp(), options.run, options.timeout)
    try:
        found = list(findings) if options.json else show(findings, sys.stdout)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    if options.json:
        print(as_json(found))
    return int(any(one.status == PROBLEM for one in found))


def manifest(options: argparse.Namespace) -> int:
    """Print what would be submitted to Argo, without doing it or storing anything; return 0."""
    from argo_jupyter_scheduler.cli.manifest import manifest_of

    notebook = Path(options.notebook).resolve()
    scheduler = _scheduler(notebook.parent, create=False)
    print(manifest_of(scheduler, notebook.name, options.schedule, options.timezone), end="")
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    whole = argparse.ArgumentParser(prog="jupyter argo-scheduler", description=ArgoSchedulerApp.description)
    commands = whole.add_subparsers(dest="command", required=True)
    one = commands.add_parser("run", help="run a notebook as the Create Job dialog does, and wait for it")
    one.add_argument("notebook", help="path of the notebook")
    one.add_argument(
        *("-p", "--parameter"),
        dest="parameters",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a parameter of the notebook; may be repeated",
    )
    one.add_argument("--env", help="environment to run in; by default this installation's own")
    one.add_argument(
        "--format", action="append", help="output format; may be repeated; default ipynb and html"
    )
    one.add_argument("--input-folder", action="store_true", help="run with the notebook's folder")
    one.set_defaults(call=run)
    _add_doctor(commands)
    _add_manifest(commands)
    return whole


def _add_doctor(commands: Any) -> None:
    one = commands.add_parser(
        "doctor", help="look at all that runs need, and say what to do about what is missing"
    )
    one.add_argument("--json", action="store_true", help="print JSON, for machines")
    one.add_argument(
        "--run",
        action="store_true",
        help="also run a tiny notebook, stop a run and make a schedule; all are deleted again",
    )
    one.add_argument(
        "--timeout",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="how long that notebook may take; default 600",
    )
    one.set_defaults(call=doctor)


def _add_manifest(commands: Any) -> None:
    one = commands.add_parser(
        "manifest", help="print the YAML that would be submitted to Argo, and do nothing"
    )
    one.add_argument("notebook", help="path of the notebook")
    one.add_argument("--schedule", help="of a job definition, such as '0 6 * * *'; by default a run now")
    one.add_argument("--timezone", help="of the schedule, such as Europe/Berlin; by default UTC")
    one.set_defaults(call=manifest)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = parser().parse_args(arguments)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # each retry is a warning of its
    try:
        return int(options.call(options))
    except ArgoSchedulerError as error:
        print(f"jupyter argo-scheduler: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

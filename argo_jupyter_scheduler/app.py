"""The command ``jupyter argo-scheduler``."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from jupyter_core.application import JupyterApp
from jupyter_scheduler.extension import SchedulerApp
from jupyter_scheduler.models import CreateJob
from jupyter_scheduler.orm import create_tables

from argo_jupyter_scheduler.database import COMPLETED, LIVE
from argo_jupyter_scheduler.environments import ArgoEnvironmentManager
from argo_jupyter_scheduler.files import RunFolder
from argo_jupyter_scheduler.scheduler import ArgoScheduler

POLL_SECONDS = 0.1
MEND_SECONDS = 5.0


class ArgoSchedulerApp(JupyterApp):
    """Reads the same configuration files as the server does, so that a command does what the panel does."""

    name = "jupyter-argo-scheduler"
    description = "Run notebooks through the scheduler."
    raise_config_file_errors = True

    def load_config(self) -> None:
        """Read the configuration of the server, and of its extension Jupyter-Scheduler."""
        self.initialize([])
        for name in ("jupyter_server_config", "jupyter_jupyter_scheduler_config"):
            self.config_file_name = name
            self.load_config_file()

    def make_scheduler(self, root_dir: Path) -> ArgoScheduler:
        """Return a scheduler as the server would make it, for notebooks under `root_dir`."""
        self.load_config()
        db_url = SchedulerApp(config=self.config).db_url
        Path(self.data_dir).mkdir(parents=True, exist_ok=True)
        create_tables(db_url)
        return ArgoScheduler(
            root_dir=str(root_dir),
            environments_manager=ArgoEnvironmentManager(),
            db_url=db_url,
            config=self.config,
        )


def run(options: argparse.Namespace) -> int:
    """Run a notebook as the dialog's *Create* does and wait for it; return 0 if it completed, else 1."""
    notebook = Path(options.notebook).resolve()
    scheduler = ArgoSchedulerApp().make_scheduler(notebook.parent)
    offered = [environment.name for environment in scheduler.environments_manager.list_environments()]
    model = CreateJob(
        input_uri=notebook.name,
        name=notebook.stem,
        runtime_environment_name=options.env or offered[0],
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
        _wait(scheduler, job_id, notebook.name)
    except KeyboardInterrupt:
        asyncio.run(scheduler.stop_job(job_id))
        print("Stopped.", file=sys.stderr)
        return 130
    return _report(scheduler, job_id)


def _wait(scheduler: ArgoScheduler, job_id: str, title: str) -> None:
    """Show a bar that counts cells until the job has ended."""
    from tqdm import tqdm

    folder = RunFolder(scheduler.staging_path, job_id)
    mended = time.monotonic()
    shown = None
    with tqdm(desc=title, unit="cell", total=0, file=sys.stderr, mininterval=0) as bar:
        while True:
            row = scheduler.database.job(job_id)
            status = row["status"] if row else "deleted"
            progress = folder.read("progress.json")
            cells = progress.get("cells", 0)
            done = cells if status == COMPLETED else max(progress.get("cell", 1) - 1, 0)
            if (status, done) != shown:
                shown = (status, done)
                bar.total, bar.n = cells, done
                bar.set_postfix_str(status)
            if status not in LIVE:
                return
            if time.monotonic() - mended > MEND_SECONDS:
                scheduler.mender.mend()
                mended = time.monotonic()
            time.sleep(POLL_SECONDS)


def _report(scheduler: ArgoScheduler, job_id: str) -> int:
    row: dict[str, Any] | None = scheduler.database.job(job_id)
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
    return whole


def main() -> int:
    """Run the command."""
    options = parser().parse_args()
    return int(options.call(options))


if __name__ == "__main__":
    sys.exit(main())

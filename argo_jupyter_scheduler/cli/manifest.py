"""``manifest``: what would be submitted to Argo, as YAML."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from argo_jupyter_scheduler.cli.arguments import Text, WrongArguments
from argo_jupyter_scheduler.cli.command import SchedulerCommand
from argo_jupyter_scheduler.domain import schedules
from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.storage.schema import DefinitionRow, JobRow

if TYPE_CHECKING:
    from argo_jupyter_scheduler.scheduler import ArgoScheduler

KNOWS_SCHEDULES = (3, 6)
"""The first version of Argo whose cron workflows have ``schedules``; earlier ones have one ``schedule``."""


class ManifestCommand(SchedulerCommand):
    """Prints what would be submitted to Argo."""

    name = "jupyter argo-scheduler manifest"
    description = """Print the YAML that would be submitted to Argo. Nothing is stored or submitted, and Argo is not called.

    jupyter argo-scheduler manifest NOTEBOOK [options]
    """
    examples = "\n".join(
        (
            "jupyter argo-scheduler manifest analysis.ipynb",
            "jupyter argo-scheduler manifest analysis.ipynb --schedule '0 6 * * *' --timezone Europe/Berlin",
            "jupyter argo-scheduler manifest analysis.ipynb --schedule @daily --argo-version 3.5",
        )
    )
    operands = ("NOTEBOOK",)

    schedule = Text(
        config=True, help="Schedule of a job definition, such as '0 6 * * *'. Default: a job that runs now."
    )
    timezone = Text(config=True, help="Time zone of the schedule, such as Europe/Berlin. Default: UTC.")
    argo_version = Text(
        config=True,
        help="Version of Argo, such as 3.5. Default: the newest, not the version of your Argo.",
    )

    def execute(self) -> int:
        """Print the manifest; return 0.

        Raises
        ------
        InvalidConfiguration, InvalidJob, EngineRefused
            There is none, with the reason.
        WrongArguments
            The version is not one.
        """
        one_schedule = is_before_schedules(self.argo_version)
        self.load_configuration()
        notebook = Path(self.extra_args[0]).resolve()
        with self.open_scheduler(notebook.parent, create=False) as scheduler:
            scheduler.jobs.engine.start()
            manifest = build_manifest(scheduler, notebook.name, self.schedule, self.timezone, one_schedule)
        print(yaml.safe_dump(manifest, sort_keys=False), end="")
        return 0


def is_before_schedules(version: str) -> bool:
    """Return whether a version of Argo knows one ``schedule`` only; empty is the newest.

    Raises
    ------
    WrongArguments
        It is not a version.
    """
    if not version:
        return False
    numbers = re.fullmatch(r"v?(\d{1,9})\.(\d{1,9})(?:[.-].*)?", version)
    if not numbers:
        raise WrongArguments(f"'{version}' is not a version of Argo. Write it as 3.5 or v3.5.12.")
    return (int(numbers[1]), int(numbers[2])) < KNOWS_SCHEDULES


def build_manifest(
    scheduler: ArgoScheduler, input_uri: str, schedule: str, timezone: str, one_schedule: bool
) -> dict[str, Any]:
    """Return the manifest of a run, or of a job definition where there is a schedule. Nothing is stored or submitted.

    It has an id of its own, as each has, and nothing of the notebook: a manifest holds ids and paths only.

    Parameters
    ----------
    scheduler
        Whose configuration counts.
    input_uri
        The notebook within its root folder.
    schedule, timezone
        Of a job definition; empty for a run now, and for UTC.
    one_schedule
        Whether Argo knows one ``schedule`` only.

    Raises
    ------
    InvalidJob
        The notebook or the schedule would be refused, or nothing would be submitted.
    EngineRefused
        The shape of the pods is not complete.
    """
    from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine
    from argo_jupyter_scheduler.jobs import inputs

    inputs.read_notebook(inputs.find_input(scheduler.jobs.settings.root_dir, input_uri))
    engine = scheduler.jobs.engine
    if not isinstance(engine, ArgoEngine):
        raise InvalidJob(
            "Argo is not configured (see ARGO_SERVER), so notebooks run on this machine, without a manifest."
        )
    new_id, compute_type = str(uuid.uuid4()), scheduler.jobs.settings.default_compute_type
    if not schedule:
        return engine.build_workflow(JobRow(job_id=new_id, parameters={}, compute_type=compute_type))
    schedules.parse(schedule, timezone or None)
    definition = DefinitionRow(
        job_definition_id=new_id,
        parameters={},
        compute_type=compute_type,
        schedule=schedule,
        timezone=timezone or None,
    )
    return engine.build_cron_workflow(definition, one_schedule=one_schedule)

"""Data for forms and pages beyond a single job: parameters, times of a schedule, options, and past runs."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from argo_jupyter_scheduler.domain import schedules
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import ArgoSchedulerError, InvalidJob
from argo_jupyter_scheduler.domain.option_fields import OPTION_FIELDS
from argo_jupyter_scheduler.domain.option_values import INPUTS, SNAPSHOT
from argo_jupyter_scheduler.domain.output_template import PLACEHOLDERS, STORES
from argo_jupyter_scheduler.domain.parameters import list_defaults
from argo_jupyter_scheduler.domain.retention import Keep
from argo_jupyter_scheduler.environments import kernels
from argo_jupyter_scheduler.jobs.answers import (
    Choice,
    Option,
    Options,
    Parameter,
    Parameters,
    Preview,
    PreviewTime,
    Run,
    make_run,
)
from argo_jupyter_scheduler.jobs.definitions import check_schedule
from argo_jupyter_scheduler.jobs.inputs import find_input, read_notebook
from argo_jupyter_scheduler.jobs.service import JobService
from argo_jupyter_scheduler.jobs.settings import JobSettings
from argo_jupyter_scheduler.storage.destinations import is_store_installed
from argo_jupyter_scheduler.storage.recent import read_last_runs

HISTORY_RUNS = 50
"""How many runs the history of a job definition has."""

PREVIEW_TIMES = 5
"""How many times of a schedule are shown."""


class Views:
    """The views before a job is created, and after a definition has run. All methods block.

    Parameters
    ----------
    jobs
        The server's jobs.
    """

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs

    def show_parameters(self, path: str) -> Parameters:
        """Return the parameters of a notebook.

        Parameters
        ----------
        path
            Where it is in the root folder.

        Raises
        ------
        InvalidJob
            It does not exist, is outside the root folder, or is not a notebook.
        """
        notebook = read_notebook(find_input(self._jobs.settings.root_dir, path))
        _, language = kernels.notebook_kernel(notebook.metadata)
        found = list_defaults(notebook.defaults, language)
        return Parameters(
            parameters=[
                Parameter(name=one.name, type=one.type, default=one.default, comment=one.comment)
                for one in found
            ],
            tagged=notebook.is_tagged,
        )

    def preview_schedule(self, schedule: str, timezone: str) -> Preview:
        """Return the next times of a schedule, or why a job definition with it is refused.

        Parameters
        ----------
        timezone
            IANA's name; empty for UTC.
        """
        try:
            check_schedule(schedule, timezone)
        except InvalidJob as refusal:
            return Preview(times=[], refusal=str(refusal))
        parsed = schedules.parse(schedule, timezone)
        zone = ZoneInfo(parsed.timezone)
        times: list[PreviewTime] = []
        moment = parsed.after(now_ms())
        while moment is not None and len(times) < PREVIEW_TIMES:
            text = datetime.fromtimestamp(moment / 1000, zone).isoformat()
            change = schedules.find_clock_change(moment, parsed.timezone)
            times.append(PreviewTime(time=moment, text=text, clock_change=change))
            moment = parsed.after(moment)
        return Preview(times=times, refusal=None)

    def show_history(self, job_definition_id: str) -> list[Run]:
        """Return the last runs of a job definition, newest first.

        Raises
        ------
        JobNotFound
            It does not exist.
        """
        self._jobs.get_definition(job_definition_id)
        rows = read_last_runs(self._jobs.database, [job_definition_id], HISTORY_RUNS)
        return [make_run(row) for row in rows]

    def show_options(self) -> Options:
        """Return what jobs can ask for on this server."""
        settings, bounds = self._jobs.settings, self._jobs.validation.bounds
        has_slack = False
        with contextlib.suppress(ArgoSchedulerError):  # Argo's pods are not known yet
            has_slack = self._jobs.staging.slack_settings().has_token
        images = list(bounds.images) if bounds.images and not bounds.no_images else None
        targets = list(self._jobs.engine.notification_targets)
        return Options(
            engine=self._jobs.engine.name,
            images=images,
            max_timeout_seconds=bounds.timeout,
            default_concurrency=settings.concurrency_policy,
            keep_runs=str(settings.keep_runs),
            keep_jobs=str(settings.keep_jobs),
            notification_targets=targets,
            output_directory_template=settings.output_template,
            output_placeholders=list(PLACEHOLDERS),
            output_stores=[protocol for protocol in STORES if is_store_installed(protocol)],
            inputs=list(INPUTS),
            slack=has_slack,
            fields=_make_fields(settings, bounds.timeout, images or [], targets),
        )


def _make_fields(
    settings: JobSettings, max_timeout: int, images: Sequence[str], targets: Sequence[str]
) -> list[Option]:
    """Return the fields of the options that a job can have here."""
    defaults = {
        "timeout": str(Keep(seconds=max_timeout)),
        "concurrency": settings.concurrency_policy.lower(),
        "late": str(Keep(seconds=settings.late_after_seconds)),
        "notify_on": settings.notifications.notify_on,
        "output": settings.output_template,
        "input": SNAPSHOT,
    }
    found = {"notify": targets, "image": [image for image in images if not _is_glob(image)]}
    hidden = {*(() if targets else ("notify", "notify_on")), *(() if images else ("image",))}
    return [
        Option(
            name=field.name,
            label=field.label,
            help=field.help,
            kind=field.kind,
            pattern=field.pattern,
            example=field.example,
            choices=[
                Choice(value=value, label=label)
                for value, label in field.choices or ((name, name) for name in found.get(field.name, ()))
            ],
            only_definitions=field.only_definitions,
            default=defaults.get(field.name, ""),
        )
        for field in OPTION_FIELDS
        if field.name not in hidden
    ]


def _is_glob(text: str) -> bool:
    return any(character in text for character in "*?[")

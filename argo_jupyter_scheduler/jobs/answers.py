"""The answers of the routes below ``/argo-scheduler/``. Times are milliseconds since 1970, durations are seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from argo_jupyter_scheduler.domain.option_fields import FieldKind
from argo_jupyter_scheduler.domain.parameters import Type
from argo_jupyter_scheduler.domain.schedules import ClockChange
from argo_jupyter_scheduler.storage.recent import AnyRow
from argo_jupyter_scheduler.storage.schema import JobRow, ShownJob


class Progress(TypedDict):
    """How far a run is.

    `cell` and `attempt` count from 1; 0 where it is unknown. `source` is the first line of the cell that is not empty.
    """

    cell: int
    cells: int
    source: str
    elapsed_seconds: float
    estimated_seconds: float | None
    attempt: int
    attempts: int


class Job(TypedDict):
    """A job. `progress` is None unless it is IN_PROGRESS."""

    job_id: str
    name: str
    input_filename: str
    status: str
    status_message: str | None
    create_time: int
    start_time: int | None
    end_time: int | None
    update_time: int
    job_definition_id: str | None
    output_formats: list[str]
    progress: Progress | None


class JobProgress(Progress):
    """The progress of a job, whatever its status."""

    status: str


class Output(TypedDict):
    """An output of a job.

    `path` is relative to the root folder, None until the output has been fetched or delivered. `url` is its address in an object
    store, None where the run has put it into none.
    """

    format: str
    display_name: str
    path: str | None
    url: str | None


class JobDetail(Job):
    """All that is shown of one job.

    `input_path` is the notebook in the root folder, if it is still there. `partial` says that the outputs are those of a run
    that did not complete. `scheduled_time` is the moment that the job is about, in ISO 8601.
    """

    parameters: Mapping[str, str]
    tags: list[str]
    runtime_environment_name: str
    input_path: str | None
    attempts: int
    engine: str
    engine_url: str | None
    outputs: list[Output]
    partial: bool
    scheduled_time: str | None


class LogPart(TypedDict):
    """A part of a job's log. Offsets and sizes are in bytes; `ended` says that nothing follows."""

    text: str
    offset: int
    next_offset: int
    size: int
    ended: bool


class Run(TypedDict):
    """A run of a job definition."""

    job_id: str
    status: str
    start_time: int | None
    end_time: int | None
    duration_seconds: float | None


class Definition(TypedDict):
    """A job definition with its last runs, newest first."""

    job_definition_id: str
    name: str
    input_filename: str
    schedule: str | None
    timezone: str | None
    active: bool
    create_time: int
    update_time: int
    next_run_time: int | None
    runs: list[Run]


class Changes(TypedDict):
    """The changes; with `reset`, everything."""

    token: str
    reset: bool
    jobs: list[Job]
    deleted_jobs: list[str]
    definitions: list[Definition]
    deleted_definitions: list[str]


class DefinitionChange(TypedDict):
    """The result for one job definition that is applied.

    `action` is ``create``, ``change``, ``delete`` or ``keep``. `fields` has `before` and `after` of each key that changes.
    `failure` says why it was not done.
    """

    action: str
    name: str
    place: str
    job_definition_id: str | None
    fields: Mapping[str, Mapping[str, object]]
    failure: str | None


class Applied(TypedDict):
    """The changes that were made, or with `dry_run` would be."""

    dry_run: bool
    changes: list[DefinitionChange]


class Exported(TypedDict):
    """Job definitions as files of the root folder: their text by their names."""

    files: Mapping[str, str]
    warnings: list[str]


class History(TypedDict):
    """The last runs of a job definition, newest first."""

    runs: list[Run]


class Parameter(TypedDict):
    """A parameter of a notebook. `default` is as it is written in the cell, empty where there is none."""

    name: str
    type: Type
    default: str
    comment: str


class Parameters(TypedDict):
    """The parameters of a notebook; `tagged` says whether it has a cell for them."""

    parameters: list[Parameter]
    tagged: bool


class PreviewTime(TypedDict):
    """When a schedule runs. `text` is in its time zone; `clock_change` says how clocks are changed on that day."""

    time: int
    text: str
    clock_change: ClockChange


class Preview(TypedDict):
    """The next times of a schedule, or why it is refused."""

    times: list[PreviewTime]
    refusal: str | None


class Choice(TypedDict):
    """A value that an option can have, and what the user reads for it."""

    value: str
    label: str


class Option(TypedDict):
    """A field of the form. `default` is what applies to a job without the option; empty for nothing."""

    name: str
    label: str
    help: str
    kind: FieldKind
    pattern: str
    example: str
    choices: list[Choice]
    only_definitions: bool
    default: str


class Options(TypedDict):
    """The options of jobs on this server.

    `images` are globs, None where a job cannot choose its image. `max_timeout_seconds` is 0 without a limit. `keep_runs` and
    `keep_jobs` are empty where all are kept. `output_directory_template` is empty where outputs stay in the staging area.
    `output_placeholders` are those that each run has. `output_stores` are the protocols of the object stores whose packages this
    server has. `inputs` are the values of the option `input`. `fields` are the options that a job can have
    here.
    """

    engine: str
    images: list[str] | None
    max_timeout_seconds: int
    default_concurrency: str
    keep_runs: str
    keep_jobs: str
    notification_targets: list[str]
    output_directory_template: str
    output_placeholders: list[str]
    output_stores: list[str]
    inputs: list[str]
    slack: bool
    fields: list[Option]


def make_run(run: AnyRow) -> Run:
    """Return a run of a job definition by a row of `read_last_runs`; its duration is known once it has ended."""
    ended = run.start_time is not None and run.end_time is not None
    return Run(
        job_id=run.job_id,
        status=run.status,
        start_time=run.start_time,
        end_time=run.end_time,
        duration_seconds=(run.end_time - run.start_time) / 1000 if ended else None,
    )


def make_job(job: JobRow | ShownJob, progress: Progress | None) -> Job:
    """Return a job by its row."""
    return Job(
        job_id=job.job_id,
        name=job.name or job.input_filename,
        input_filename=job.input_filename,
        status=job.status,
        status_message=job.status_message,
        create_time=job.create_time,
        start_time=job.start_time,
        end_time=job.end_time,
        update_time=job.update_time,
        job_definition_id=job.job_definition_id,
        output_formats=list(job.output_formats or ()),
        progress=progress,
    )

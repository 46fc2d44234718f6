"""``definitions``: a list of job definitions."""

from __future__ import annotations

from traitlets import Bool

from argo_jupyter_scheduler.cli.command import SchedulerCommand
from argo_jupyter_scheduler.cli.tables import (
    ID_LENGTH,
    NOTHING,
    hide_secrets,
    make_cell,
    render_json,
    render_moment,
    render_table,
)
from argo_jupyter_scheduler.domain import schedules
from argo_jupyter_scheduler.domain.clock import now_ms
from argo_jupyter_scheduler.domain.errors import JobNotFound
from argo_jupyter_scheduler.storage.schema import DefinitionRow

TITLES = ("DEFINITION", "STATE", "SCHEDULE", "TIME ZONE", "NEXT RUN", "NAME")
DEFAULT_TIMEZONE = "UTC"


class DefinitionsCommand(SchedulerCommand):
    """Lists job definitions."""

    name = "jupyter argo-scheduler definitions"
    description = """List job definitions, newest first. The next run is in this machine's time zone.

    jupyter argo-scheduler definitions [options]
    """
    examples = "jupyter argo-scheduler definitions --json"

    as_json = Bool(False, config=True, help="Print all columns as JSON.")

    def execute(self) -> int:
        """Print the list; return 0.

        Raises
        ------
        InvalidConfiguration
            The database cannot be used.
        """
        self.load_configuration()
        try:
            rows = self.open_database().list_definitions()
        except JobNotFound:  # nothing has been stored yet
            rows = []
        if self.as_json:
            print(render_json([definition_as_json(row) for row in rows]))
        else:
            cells = [definition_as_cells(row) for row in rows]
            print(render_table(TITLES, cells) if cells else "No job definitions.")
        return 0


def next_run_ms(definition: DefinitionRow, now: int) -> int | None:
    """Return when a definition runs next after `now`, in milliseconds since 1970; None if it does not."""
    return schedules.find_next_run(
        definition.schedule, definition.timezone, definition.active, definition.update_time, now
    )


def definition_as_cells(definition: DefinitionRow) -> tuple[str, ...]:
    """Return a job definition as a line of the table."""
    return (
        definition.job_definition_id[:ID_LENGTH],
        "active" if definition.active else "paused",
        definition.schedule or NOTHING,
        definition.timezone or DEFAULT_TIMEZONE,
        render_moment(next_run_ms(definition, now_ms())),
        make_cell(definition.name),
    )


def definition_as_json(definition: DefinitionRow) -> dict[str, object]:
    """Return a job definition for programs; times are in milliseconds since 1970, as in the REST API."""
    return {
        "job_definition_id": definition.job_definition_id,
        "name": definition.name,
        "active": definition.active,
        "schedule": definition.schedule,
        "timezone": definition.timezone,
        "next_run_time": next_run_ms(definition, now_ms()),
        "create_time": definition.create_time,
        "update_time": definition.update_time,
        "input_filename": definition.input_filename,
        "runtime_environment_name": definition.runtime_environment_name,
        "compute_type": definition.compute_type,
        "output_formats": list(definition.output_formats or ()),
        "parameters": hide_secrets(definition.parameters),
        "tags": list(definition.tags or ()),
    }

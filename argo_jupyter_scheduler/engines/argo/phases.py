"""The meaning of the phases of Argo's workflows and their nodes for a run.

Sources: ``WorkflowPhase`` in ``pkg/apis/workflow/v1alpha1/workflow_phase.go`` and ``NodePhase`` in ``workflow_types.go`` of Argo
3.4 to 4.1.
"""

from __future__ import annotations

from enum import Enum


class Meaning(Enum):
    """The meaning of a phase for the run."""

    WAITING = "waiting"
    """Nothing runs yet."""
    RUNNING = "running"
    ENDED = "ended"
    """The run has ended."""


PHASES: dict[str, Meaning] = {
    "": Meaning.WAITING,  # the controller has not seen the workflow yet
    "Pending": Meaning.WAITING,  # such as for a node, or for a semaphore
    "Running": Meaning.RUNNING,
    "Succeeded": Meaning.ENDED,
    "Failed": Meaning.ENDED,
    "Error": Meaning.ENDED,
    "Skipped": Meaning.ENDED,  # of a node: its `when` was false
    "Omitted": Meaning.ENDED,  # of a node: what it depends on has failed
}
"""All phases of workflows and nodes."""


def has_ended(phase: str) -> bool:
    """Return whether a workflow or a node in this phase has ended. An unknown phase is not an end."""
    return PHASES.get(phase) is Meaning.ENDED


def is_waiting(phase: str) -> bool:
    """Return whether a workflow or a node in this phase has not begun. An unknown phase is not a wait."""
    return PHASES.get(phase) is Meaning.WAITING

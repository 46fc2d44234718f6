"""What the phases of a workflow mean.

Source: ``WorkflowPhase`` in Argo's ``pkg/apis/workflow/v1alpha1/workflow_phase.go`` (3.4 to 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """What a phase means for a run.

    Attributes
    ----------
    is_end
        Whether the workflow will not change any more.
    """

    is_end: bool


PHASES: dict[str, Phase] = {
    "": Phase(is_end=False),  # the controller has not seen it yet
    "Pending": Phase(is_end=False),  # it waits, such as for a semaphore
    "Running": Phase(is_end=False),
    "Succeeded": Phase(is_end=True),
    "Failed": Phase(is_end=True),
    "Error": Phase(is_end=True),
}
"""All phases of Argo 3.4 to 4.1."""


def is_end(phase: str) -> bool:
    """Return whether a workflow in this phase has ended. A phase that is not known here is not an end."""
    return phase in PHASES and PHASES[phase].is_end

"""Output formats that this installation cannot make, and why."""

from __future__ import annotations

from collections.abc import Mapping

from argo_jupyter_scheduler.cli.doctor.finding import Finding, ok
from argo_jupyter_scheduler.steps.notebook.formats import find_missing_requirements


def check_formats(missing: Mapping[str, tuple[str, ...]] | None = None) -> Finding:
    """Return which formats can be made, and what the others need.

    Parameters
    ----------
    missing
        The missing programs and packages of each format; by default those of this machine. Such a format is not offered.
    """
    missing = find_missing_requirements() if missing is None else missing
    made = ", ".join(name for name, requirements in missing.items() if not requirements)
    others = ", ".join(
        f"{name} ({_listed(requirements)} missing)" for name, requirements in missing.items() if requirements
    )
    return ok("formats", f"{made}; not available: {others}" if others else made)


def _listed(requirements: tuple[str, ...]) -> str:
    return f"{' and '.join(requirements)} {'are' if len(requirements) > 1 else 'is'}"

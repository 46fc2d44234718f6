"""Traits for how long finished jobs are kept."""

from __future__ import annotations

from typing import Any

from traitlets import HasTraits, TraitError, Unicode, validate

from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.option_values import parse_keep
from argo_jupyter_scheduler.domain.retention import Keep


class RetentionTraits(HasTraits):
    """How long finished jobs are kept, for `ArgoScheduler`. The option `keep` of a job or a definition comes first."""

    keep_runs = Unicode(
        config=True,
        help="""How many finished runs of a job definition are kept, such as `20`, or how long after their end, such as `12h`, `30d`
        or `4w`. Others are deleted with their files and workflows. The last completed run is always kept. Empty: all runs are
        kept.""",
    )
    keep_jobs = Unicode(
        config=True,
        help="""How long finished jobs without a job definition are kept after their end, such as `12h`, `30d` or `4w`. Then they
        are deleted with their files and workflows. Empty: all are kept.""",
    )

    @validate("keep_runs", "keep_jobs")
    def _keep_is_valid(self, proposal: Any) -> str:
        value, name = str(proposal.value).strip(), proposal.trait.name
        try:
            keep = read_keep_trait(value)
        except InvalidJob as error:
            raise TraitError(f"c.ArgoScheduler.{name}: {error}") from error
        if keep.runs and name == "keep_jobs":
            raise TraitError(
                f"c.ArgoScheduler.{name} is a number of runs, '{value}', but these jobs have no definition. Write a time "
                "such as 30d."
            )
        return value


def read_keep_trait(value: str) -> Keep:
    """Return what a trait keeps; everything where it is empty.

    Raises
    ------
    InvalidJob
        It is neither a number of runs nor a time.
    """
    return parse_keep(value) if value else Keep()

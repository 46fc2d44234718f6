"""``doctor``: the sub-command."""

from __future__ import annotations

import sys

from traitlets import Bool, Float

from argo_jupyter_scheduler.cli.command import SchedulerCommand

TRIAL_SECONDS = 600.0
"""How long the notebook of ``--run`` may take by default: a node may have to start, an image to be pulled."""


class DoctorCommand(SchedulerCommand):
    """Checks everything that runs need."""

    name = "jupyter argo-scheduler doctor"
    description = """Check everything that runs need, and print how to fix each problem.

    jupyter argo-scheduler doctor [options]

    The exit code is 1 if there is a problem, else 0.
    """
    examples = "jupyter argo-scheduler doctor --run --timeout 120"

    run = Bool(
        False,
        config=True,
        help="Also run a tiny notebook, stop a run and create a job definition. All are deleted afterwards.",
    )
    timeout = Float(
        TRIAL_SECONDS, min=0, config=True, help="Time limit in seconds for the notebook of --run."
    )
    as_json = Bool(False, config=True, help="Print the findings as JSON.")

    def execute(self) -> int:
        """Print the findings; return 1 if there is a problem, else 0."""
        from argo_jupyter_scheduler.cli.doctor.examination import examine
        from argo_jupyter_scheduler.cli.doctor.finding import PROBLEM, as_json, show

        findings = examine(self, self.run, self.timeout)
        found = list(findings) if self.as_json else show(findings, sys.stdout)
        if self.as_json:
            print(as_json(found))
        return int(any(finding.status == PROBLEM for finding in found))

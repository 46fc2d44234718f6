"""Limits and history of runs, as traits."""

from __future__ import annotations

from traitlets import Bool, Enum, HasTraits, Integer


class WorkflowTraits(HasTraits):
    """Limits and history of runs, for `ArgoScheduler`."""

    pod_per_step = Bool(
        False,
        config=True,
        help="""Whether each step of a run has its own pod, so that Argo's UI shows it. Each additional pod takes about 10 seconds.
        By default one pod runs all steps.""",
    )
    concurrency_policy = Enum(
        ("Allow", "Forbid", "Replace"),
        default_value="Replace",
        config=True,
        help="""Decides which run continues if the next run of a schedule is due while one is in progress. `Replace` ends the one in
        progress, `Forbid` skips the next one, `Allow` lets both run.""",
    )
    starting_deadline_seconds = Integer(
        0,
        min=0,
        config=True,
        help="""How many seconds late a missed run may begin. A run is missed if Argo's controller (without Argo: JupyterLab) is
        down at its time. 0: missed runs are skipped.""",
    )
    successful_jobs_history_limit = Integer(
        4,
        min=0,
        config=True,
        help="""How many succeeded workflows of a schedule Argo keeps. This does not affect jobs in the panel and their files.""",
    )
    failed_jobs_history_limit = Integer(
        20,
        min=0,
        config=True,
        help="""How many failed workflows of a schedule Argo keeps. JupyterLab uses them to add runs whose pod could not start while
        JupyterLab was off.""",
    )
    ttl_seconds_after_completion = Integer(
        24 * 3600,
        min=0,
        config=True,
        help="How many seconds Argo keeps a finished workflow with its pods.",
    )
    active_deadline_seconds = Integer(
        0,
        min=0,
        config=True,
        help="Seconds after which Argo ends a run. 0: no limit. Has no effect on this machine.",
    )

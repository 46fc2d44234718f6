"""Limits and history of runs, as traits."""

from __future__ import annotations

from traitlets import Bool, Enum, HasTraits, Integer


class WorkflowTraits(HasTraits):
    """Limits and history of runs, for `ArgoScheduler`."""

    pod_per_step = Bool(
        False,
        config=True,
        help="""Whether each step of a run gets a pod of its own, so that Argo's UI shows it. Each further pod takes about 10
        seconds more. By default one pod does a whole run.""",
    )
    concurrency_policy = Enum(
        ("Allow", "Forbid", "Replace"),
        default_value="Replace",
        config=True,
        help="""What happens to a schedule's run that is still in progress when the next one is due: `Replace` ends it, `Forbid`
        skips the next one, `Allow` lets both run.""",
    )
    starting_deadline_seconds = Integer(
        0,
        min=0,
        config=True,
        help="""How many seconds late a scheduled run may begin if its time passed while Argo's controller (without Argo:
        JupyterLab) was down. 0: missed runs are skipped.""",
    )
    successful_jobs_history_limit = Integer(
        4,
        min=0,
        config=True,
        help="""How many succeeded workflows of a schedule Argo keeps. Jobs in the panel and their files stay.""",
    )
    failed_jobs_history_limit = Integer(
        20,
        min=0,
        config=True,
        help="""How many failed workflows of a schedule Argo keeps. From these, JupyterLab adds runs to the panel whose pod could
        not start while it was off.""",
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

"""How runs are treated, as traits."""

from __future__ import annotations

from traitlets import Bool, Enum, HasTraits, Integer


class WorkflowTraits(HasTraits):
    """How Argo, and where it makes sense this machine, treats runs; for `ArgoScheduler`."""

    pod_per_step = Bool(
        False,
        config=True,
        help="""Whether each step of a run gets a pod of its own, visible one by one in Argo's UI. Every further pod costs about
        10 seconds, so by default one pod does a whole run.""",
    )
    concurrency_policy = Enum(
        ("Allow", "Forbid", "Replace"),
        default_value="Replace",
        config=True,
        help="""What becomes of a schedule's run that is still under way when the next one is due: `Replace` ends it, `Forbid`
        skips the next one, `Allow` lets both run.""",
    )
    starting_deadline_seconds = Integer(
        0,
        min=0,
        config=True,
        help="""How many seconds late a scheduled run may begin, for a run whose minute passed while Argo's controller (without
        Argo: JupyterLab) was down. 0: what was missed is not made up for.""",
    )
    successful_jobs_history_limit = Integer(
        4,
        min=0,
        config=True,
        help="""How many succeeded workflows of a schedule Argo keeps. The panel's jobs and their files are not concerned.""",
    )
    failed_jobs_history_limit = Integer(
        20,
        min=0,
        config=True,
        help="""How many failed workflows of a schedule Argo keeps. Runs whose pod could not start while JupyterLab was off
        become jobs of the panel from these, once it is back.""",
    )
    ttl_seconds_after_completion = Integer(
        24 * 3600,
        min=0,
        config=True,
        help="How many seconds Argo keeps a finished workflow, for whoever wants to look at its pods.",
    )
    active_deadline_seconds = Integer(
        0,
        min=0,
        config=True,
        help="After how many seconds Argo ends a run. 0: never. Has no effect on this machine.",
    )

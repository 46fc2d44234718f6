"""Traits for reports of late runs and for metrics."""

from __future__ import annotations

from traitlets import Bool, HasTraits, Integer

from argo_jupyter_scheduler.domain.option_values import MAX_LATE_SECONDS


class WatchTraits(HasTraits):
    """Late runs and metrics, for `ArgoScheduler`."""

    late_after_seconds = Integer(
        0,
        min=0,
        max=MAX_LATE_SECONDS,
        config=True,
        help="""How many seconds late a scheduled run may begin before it is reported, unless its job definition has the
        option `late`. 0: only definitions with that option are watched.""",
    )
    serve_metrics = Bool(
        False,
        config=True,
        help="""Whether this server answers `/argo-scheduler/metrics`, in the format of Prometheus, to users with a login.""",
    )
    metrics_with_names = Bool(
        False,
        config=True,
        help="""Whether the metrics have a series for each job definition, labelled with its name. By default they have one
        series for all, so that readers of the metrics do not learn names.""",
    )

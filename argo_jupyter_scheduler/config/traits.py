"""Everything that can be configured, as one class."""

from __future__ import annotations

import os

from traitlets import Enum, Integer, default

from argo_jupyter_scheduler.config.argo import ArgoTraits
from argo_jupyter_scheduler.config.compute import ComputeTraits
from argo_jupyter_scheduler.config.environments import EnvironmentTraits
from argo_jupyter_scheduler.config.inputs import InputTraits
from argo_jupyter_scheduler.config.notifications import NotificationTraits
from argo_jupyter_scheduler.config.outputs import OutputTraits
from argo_jupyter_scheduler.config.pod import PodTraits
from argo_jupyter_scheduler.config.retention import RetentionTraits
from argo_jupyter_scheduler.config.slack import SlackTraits
from argo_jupyter_scheduler.config.watch import WatchTraits
from argo_jupyter_scheduler.config.workflows import WorkflowTraits


class SchedulerTraits(
    PodTraits,
    ArgoTraits,
    ComputeTraits,
    EnvironmentTraits,
    WorkflowTraits,
    SlackTraits,
    NotificationTraits,
    InputTraits,
    OutputTraits,
    WatchTraits,
    RetentionTraits,
):
    """The traits of `ArgoScheduler`."""

    engine = Enum(
        ("auto", "argo", "local"),
        default_value="auto",
        config=True,
        help="""Where notebooks run: `argo`, `local` (this machine), or `auto`. `auto` uses Argo if the environment variable
        ARGO_SERVER or the trait `argo_server` is set, otherwise this machine.""",
    )
    max_concurrent_runs = Integer(
        min=1,
        config=True,
        help="""Maximum number of runs in progress at once on this machine; others wait as QUEUED. Default: the number of cores. Has
        no effect on Argo.""",
    )

    @default("max_concurrent_runs")
    def _default_max_concurrent_runs(self) -> int:
        return os.cpu_count() or 1

"""The configuration of `jobs`; `config` makes it from the traits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from argo_jupyter_scheduler.domain.retention import Keep
from argo_jupyter_scheduler.domain.run_settings import NotificationSettings, SlackSettings
from argo_jupyter_scheduler.storage.input_folder import FolderRules


@dataclass(frozen=True)
class JobSettings:
    """The configuration of jobs.

    Attributes
    ----------
    root_dir
        JupyterLab's root folder.
    staging_path
        The staging area.
    slack
        The settings for messages to Slack.
    slack_token
        The token for runs of this machine that have none of their own; empty for none.
    notifications
        How runs notify targets.
    notification_targets
        The addresses of targets by their names, for runs of this machine.
    environment_patterns
        Where a step looks for an environment that the server did not find.
    run_papermill_in_environment
        Whether papermill runs in the chosen environment too.
    compute_types
        Traits of pods by the name of the compute type.
    default_compute_type
        Its name; empty for none.
    allowed_images
        Globs of the images that a job may ask for.
    concurrency_policy
        The policy for a schedule's earlier run: ``Allow``, ``Forbid`` or ``Replace``.
    starting_deadline_seconds
        How late a missed run may begin; 0 for not at all.
    late_after_seconds
        How late a scheduled run may begin without a report, unless its definition says it; 0 for no reports.
    folder_rules
        The part of an input folder that is copied.
    output_template
        The folders of the outputs of jobs that do not say it, see `domain.output_template`; empty for none.
    timezone
        The server's time zone; None where it is unknown.
    keep_runs
        Which finished runs are kept of a definition that does not say it, or is gone.
    keep_jobs
        How long jobs of their own are kept that do not say it.
    """

    root_dir: Path
    staging_path: Path
    slack: SlackSettings = field(default_factory=SlackSettings)
    slack_token: str = field(default="", repr=False)
    notifications: NotificationSettings = field(default_factory=NotificationSettings)
    notification_targets: Mapping[str, str] = field(default_factory=dict, repr=False)
    environment_patterns: tuple[str, ...] = ()
    run_papermill_in_environment: bool = False
    compute_types: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    default_compute_type: str = ""
    allowed_images: tuple[str, ...] = ()
    concurrency_policy: str = "Replace"
    starting_deadline_seconds: int = 0
    late_after_seconds: int = 0
    folder_rules: FolderRules = field(default_factory=FolderRules)
    output_template: str = ""
    timezone: str | None = None
    keep_runs: Keep = field(default_factory=Keep)
    keep_jobs: Keep = field(default_factory=Keep)

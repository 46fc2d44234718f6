"""The part of the server's configuration that a run's steps need: the content of ``run.json``.

The server writes it beside the staged input, without secrets; the run's process or pod reads it. The two may have different
versions of this package, and a definition's file may be years old, so this is a wire format:

- a reader ignores keys that it does not know, and has a default for each that is missing;
- a key never changes its meaning; `VERSION` counts the additions;
- version 1 had no ``version`` and no ``engine``: runs of this machine had ``places`` instead. Both are still written, so that
  pods with an older version of this package understand it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from argo_jupyter_scheduler.domain.environment import Environment

VERSION = 6

ALWAYS, SUCCESS, FAILURE, CHANGE = NOTIFY_ON = ("always", "success", "failure", "change")
"""After which runs a message is sent. A run that somebody stopped is neither a success nor a failure. A change is a run that failed
while its definition's last one did not, or the other way round."""

LOCAL: Literal["local"] = "local"
ARGO: Literal["argo"] = "argo"


@dataclass(frozen=True)
class SlackSettings:
    """The server's configuration of messages to Slack, without the token.

    Attributes
    ----------
    channel, notify
        For runs whose parameters do not set them.
    has_token
        Whether runs get a token from the server's configuration.
    time_limit
        Seconds after which sending is given up.
    file_limit
        Megabytes of the largest file that is sent.
    base_url
        Address of Slack's API. Empty: slack-sdk's default.
    """

    channel: str = ""
    notify: str = ALWAYS
    has_token: bool = False
    time_limit: float = 60.0
    file_limit: float = 50.0
    base_url: str = ""


@dataclass(frozen=True)
class NotificationSettings:
    """The server's configuration of notifications to named targets, without their addresses.

    Attributes
    ----------
    targets
        Names of the targets whose addresses runs get.
    notify_on
        For runs whose options do not set it.
    time_limit
        Seconds after which sending is given up.
    file_limit
        Megabytes of the largest file that is attached.
    public_url
        Where people reach this server with a browser; empty for no links.
    """

    targets: tuple[str, ...] = ()
    notify_on: str = ALWAYS
    time_limit: float = 60.0
    file_limit: float = 10.0
    public_url: str = ""


@dataclass(frozen=True)
class ComputeLimits:
    """The limits of a compute type on this machine.

    Attributes
    ----------
    memory
        Bytes; None for no limit.
    cores
        A number of cores, which may be a fraction; None for no limit.
    without_effect
        Names of its traits that have no effect on this machine.
    """

    memory: int | None = None
    cores: float | None = None
    without_effect: tuple[str, ...] = ()


@dataclass(frozen=True)
class LinkedInput:
    """The input that a run takes from the root folder when it begins: the notebook and, with an input folder, its neighbours.

    Attributes
    ----------
    excluded, max_files, max_bytes
        The part of an input folder that is copied, see `storage.input_folder.FolderRules`.
    left_out
        Full paths of folders that are left out.
    """

    excluded: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    max_files: int = 0
    max_bytes: int = 0


@dataclass(frozen=True)
class RunSettings:
    """The content of ``run.json``.

    Attributes
    ----------
    engine
        Where the run is executed.
    timezone
        The server's time zone, in which outputs are named; None where it is unknown.
    slack
        The settings for the run's message to Slack.
    notifications
        How the run notifies targets.
    environment
        The chosen environment, as the server found it; None where the server did not find it.
    own_environment
        The name of the environment that this package is installed in.
    environment_patterns
        Where a step looks for an environment that the server did not find.
    kernel
        The kernel that the notebook names, where only the server's kernel spec manager knows it.
    run_papermill_in_environment
        Whether papermill runs in the chosen environment too.
    origin
        Where the notebook was in the root folder; None where that is unknown.
    beside
        Names of what lies beside the notebook there and did not come along; those of folders end with a slash.
    database
        The id of the database that has the run's row; empty where it is unknown.
    root_dir
        The root folder's full path; empty where it is unknown.
    output
        The folders of the outputs, see `domain.output_template`; empty for the staging area alone.
    linked
        The input that the run takes from the root folder; None if it takes the staged one.
    scheduled_time
        The moment that a run is about which somebody started, in ISO 8601; empty for none. A scheduled run's name has its moment.
    max_concurrent_runs
        On this machine: how many runs may be in progress at once.
    compute_types
        On this machine: what each compute type limits.
    namespace
        On Argo: the namespace of the workflow.
    concurrency_policy
        On Argo: what becomes of a schedule's earlier run, ``Allow``, ``Forbid`` or ``Replace``.
    version
        The version of the format; 1 where the file does not say it.
    """

    engine: Literal["local", "argo"] = LOCAL
    timezone: str | None = None
    slack: SlackSettings = field(default_factory=SlackSettings)
    notifications: NotificationSettings = field(default_factory=NotificationSettings)
    environment: Environment | None = None
    own_environment: str | None = None
    environment_patterns: tuple[str, ...] = ()
    kernel: Mapping[str, Any] | None = None
    run_papermill_in_environment: bool = False
    origin: str | None = None
    beside: tuple[str, ...] = ()
    database: str = ""
    root_dir: str = ""
    output: str = ""
    linked: LinkedInput | None = None
    scheduled_time: str = ""
    max_concurrent_runs: int = 1
    compute_types: Mapping[str, ComputeLimits] = field(default_factory=dict)
    namespace: str = ""
    concurrency_policy: str = ""
    version: int = VERSION

    def to_json(self) -> Mapping[str, object]:
        """Return the settings as ``run.json`` has them."""
        content: dict[str, object] = {
            "version": self.version,
            "engine": self.engine,
            "timezone": self.timezone,
            "slack": _values(self.slack),
            "notifications": {**_values(self.notifications), "targets": list(self.notifications.targets)},
            "environment_patterns": list(self.environment_patterns),
            "run_papermill_in_environment": self.run_papermill_in_environment,
        }
        if self.engine == LOCAL:
            content["places"] = self.max_concurrent_runs
            content["compute_types"] = {name: _limits(limits) for name, limits in self.compute_types.items()}
        else:
            content["namespace"] = self.namespace
            content["concurrency_policy"] = self.concurrency_policy
        if self.own_environment is not None:
            content["own_environment"] = self.own_environment
        if self.environment is not None:
            content["environment"] = {
                "name": self.environment.name,
                "prefix": self.environment.prefix,
                "kernel": self.environment.kernel,
            }
        if self.kernel is not None:
            content["kernel"] = self.kernel
        if self.origin is not None:
            content["input_uri"] = self.origin
        if self.beside:
            content["beside"] = list(self.beside)
        if self.database:
            content["database"] = self.database
        if self.root_dir:
            content["root_dir"] = self.root_dir
        if self.output:
            content["output"] = self.output
        if self.linked is not None:
            content["linked"] = {
                "excluded": list(self.linked.excluded),
                "left_out": list(self.linked.left_out),
                "max_files": self.linked.max_files,
                "max_bytes": self.linked.max_bytes,
            }
        if self.scheduled_time:
            content["scheduled_time"] = self.scheduled_time
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RunSettings:
        """Return the settings that a ``run.json`` of any version contains."""
        is_local = content.get("engine", LOCAL if "places" in content else ARGO) == LOCAL
        compute_types = content.get("compute_types") or {}
        environment = content.get("environment")
        return cls(
            engine=LOCAL if is_local else ARGO,
            timezone=content.get("timezone"),
            slack=SlackSettings(**_known(SlackSettings, content.get("slack") or {})),
            notifications=_read_notifications(content.get("notifications") or {}),
            environment=Environment(**_known(Environment, environment)) if environment else None,
            own_environment=content.get("own_environment"),
            environment_patterns=tuple(content.get("environment_patterns") or ()),
            kernel=content.get("kernel"),
            run_papermill_in_environment=bool(content.get("run_papermill_in_environment")),
            origin=content.get("input_uri"),
            beside=tuple(map(str, content.get("beside") or ())),
            database=str(content.get("database") or ""),
            root_dir=str(content.get("root_dir") or ""),
            output=str(content.get("output") or ""),
            linked=_read_linked(content.get("linked")),
            scheduled_time=str(content.get("scheduled_time") or ""),
            max_concurrent_runs=int(content.get("places", 1)),
            compute_types={name: _read_limits(limits) for name, limits in compute_types.items()},
            namespace=content.get("namespace") or "",
            concurrency_policy=content.get("concurrency_policy") or "",
            version=int(content.get("version", 1)),
        )


def _values(settings: SlackSettings | NotificationSettings) -> dict[str, object]:
    return {entry.name: getattr(settings, entry.name) for entry in fields(settings)}


def _known(kind: type, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries that a dataclass knows: the writer may be of a later version."""
    return {entry.name: content[entry.name] for entry in fields(kind) if entry.name in content}


def _read_notifications(content: Mapping[str, Any]) -> NotificationSettings:
    settings = NotificationSettings(**_known(NotificationSettings, content))
    return replace(settings, targets=tuple(map(str, settings.targets)))


def _read_linked(content: Mapping[str, Any] | None) -> LinkedInput | None:
    if content is None:
        return None
    return LinkedInput(
        excluded=tuple(map(str, content.get("excluded") or ())),
        left_out=tuple(map(str, content.get("left_out") or ())),
        max_files=int(content.get("max_files") or 0),
        max_bytes=int(content.get("max_bytes") or 0),
    )


def _limits(limits: ComputeLimits) -> dict[str, object]:
    given = {"memory": limits.memory, "cores": limits.cores}
    found: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    return {"without_effect": list(limits.without_effect), **found}


def _read_limits(content: Mapping[str, Any]) -> ComputeLimits:
    without_effect = tuple(content.get("without_effect") or ())
    return ComputeLimits(content.get("memory"), content.get("cores"), without_effect)

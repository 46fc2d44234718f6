"""The commands for administrators: `doctor`, on machines that are well and on others, and `manifest`."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pytest
import trustme
import yaml
from jupyter_scheduler.orm import create_tables

from argo_jupyter_scheduler import __version__
from argo_jupyter_scheduler.cli.command import SchedulerCommand
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import DefinitionRow
from tests.stand_ins.argo import ArgoStandIn
from tests.stand_ins.kubernetes import KubernetesStandIn
from tests.support.environments import virtual_environment
from tests.support.jobs import notebook, real_argo
from tests.support.machine import Machine, of
from tests.support.tls import SECRET, jwt, tls


@pytest.fixture
def argo() -> Iterator[ArgoStandIn]:
    with ArgoStandIn(SECRET) as argo:
        yield argo


def pods(machine: Machine) -> dict[str, Any]:
    """Return traits for pods that see the machine's home."""
    kept = ("PATH", "HOME", "IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")
    return {
        "image": "stand-in",
        "environment": {name: os.environ[name] for name in kept},
        "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "home-me"}}],
        "volume_mounts": [{"name": "home", "mountPath": str(machine.home)}],
    }


@pytest.fixture
def on_argo(machine: Machine, argo: ArgoStandIn, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Configure the machine for the stand-in, with other traits than usual if there are any."""
    monkeypatch.setenv("ARGO_TOKEN", f"Bearer {argo.token}")

    def configure(**traits: Any) -> None:
        machine.configure(
            ArgoScheduler={"argo_server": argo.url, "argo_timeout": 2, **pods(machine), **traits}
        )

    configure()
    return configure


# Without Argo


def test_an_empty_machine_is_well_and_stays_empty(machine: Machine) -> None:
    lines = machine.command("doctor").splitlines()
    assert machine.exit_code == 0
    assert [line[:2] for line in lines[:-2]] == ["✓ "] * len(lines[:-2])
    assert lines[-1] == "No problems found."
    assert "this machine (Argo is not configured, see ARGO_SERVER)" in machine.output
    assert machine.files() == []
    found = machine.doctor()
    assert list(found) == [line[2:].split()[0] for line in lines[:-2]]
    assert set(chain(*of(found).values())) == {"ok"}


def test_the_command_as_a_user_calls_it(machine: Machine) -> None:
    command = [sys.executable, "-m", "jupyter", "argo-scheduler", "doctor"]
    environment = {
        **os.environ,
        "PYTHONIOENCODING": "ascii",
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
    }
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("ok      configuration ")


def test_a_run_on_this_machine(machine: Machine) -> None:
    found = machine.doctor("--run")
    assert of(found)["run"] == of(found)["stop"] == of(found)["schedule"] == ["ok"]
    assert machine.files() == ["data/scheduler.sqlite", "data/scheduler.sqlite.id"]
    assert found == {
        **machine.doctor(),
        **{check: found[check] for check in ("run", "stop", "schedule", "rows", "staging", "database")},
    }


def test_definitions_that_never_run_are_named(machine: Machine) -> None:
    """Such as those that the stock backend has stored."""
    machine.data.mkdir()
    url = f"sqlite:///{machine.data}/scheduler.sqlite"
    create_tables(url)
    schedules = {
        "leap": ("0 0 31 2 *", "never occurs: no month has that day. Choose another day."),
        "last": ("0 0 L * *", "The schedule's day of month 'L' is not valid."),
        "seconds": ("30 0 6 * * *", "has 6 fields"),
        "zoned": ("0 6 * * *", "Time zone 'Mars/Base' not found."),
        "good": ("0 6 * * 7", ""),
        "by hand": (None, ""),
    }
    database = Database(url)
    for number, (name, (schedule, _)) in enumerate(schedules.items()):
        zone = "Mars/Base" if name == "zoned" else None
        fields = {"name": name, "schedule": schedule, "timezone": zone, "active": name != "last"}
        database.insert_definition(
            DefinitionRow(
                job_definition_id=f"id-{number}",
                runtime_environment_name="e",
                input_filename="n.ipynb",
                **fields,  # type: ignore[arg-type]
            )
        )
    database.dispose()
    found = machine.doctor()["schedules"]
    assert {one["status"] for one in found} == {"warning"}
    for one, (number, (name, (_, words))) in zip(found, enumerate(schedules.items()), strict=False):
        assert one["message"].startswith(f"Job definition '{name}' (id-{number}) never runs: ")
        assert words in one["message"]
    assert len(found) == 4


def test_environments_that_cannot_start_are_named(machine: Machine) -> None:
    prefix = virtual_environment(machine.home / "projects" / "old")
    for link in (prefix / "bin").glob("python*"):
        link.unlink()
    machine.configure(ArgoScheduler={"environment_folders": [str(prefix.parent)]})
    broken, offered = machine.doctor()["environments"]
    assert (broken["status"], offered["status"]) == ("warning", "ok")
    assert broken["message"].endswith("is missing: old")
    assert "old" not in offered["message"].split(", ")


# Configuration


@pytest.mark.parametrize(
    ("file", "content", "status", "words"),
    [
        ("jupyter_server_config.py", "c.ArgoScheduler.imag = 'x'", "warning", "Did you mean `image`"),
        ("jupyter_server_config.py", "c.ArgoScheduler.argo_timeout = 'long'", "problem", "argo_timeout"),
        (
            "jupyter_server_config.py",
            "c.ArgoScheduler.argo_server = 'ftp://x'",
            "problem",
            "the scheme must be https or http",
        ),
        ("jupyter_server_config.py", "x = 1\nc.Argo(", "problem", "jupyter_server_config.py:2)"),
        ("jupyter_server_config.py", "\nimport nothing_like_that", "problem", "jupyter_server_config.py:2)"),
        ("jupyter_server_config.json", '{\n"a": 1,\n}', "problem", "jupyter_server_config.json)"),
        ("jupyter_server_config.json", '{"version": 2}', "problem", "jupyter_server_config.json)"),
        (
            "jupyter_lab_config.py",
            "c.ArgoScheduler.image = 'x'",
            "warning",
            "c.ArgoScheduler, which JupyterLab does not pass on",
        ),
    ],
)
def test_configuration_that_is_wrong(
    machine: Machine, file: str, content: str, status: str, words: str
) -> None:
    machine.config.mkdir()
    (machine.config / file).write_text(content)
    bad = [one for one in machine.doctor()["configuration"] if one["status"] != "ok"]
    assert [one["status"] for one in bad] == [status]
    assert words in bad[0]["message"]


def test_a_jupyterlab_that_does_not_use_this_package(machine: Machine) -> None:
    machine.configure(SchedulerApp={"scheduler_class": "jupyter_scheduler.scheduler.Scheduler"})
    [found] = machine.doctor()["backend"]
    assert (
        found["status"],
        "jupyter_scheduler.scheduler.Scheduler, not this package's" in found["message"],
    ) == ("problem", True)
    machine.configure(ServerApp={"jpserver_extensions": {"jupyter_scheduler": False}})
    [found] = machine.doctor()["backend"]
    assert (found["status"], "is not enabled" in found["message"]) == ("problem", True)


def test_the_servers_configuration_wins_over_the_extensions(machine: Machine) -> None:
    url = f"sqlite:///{machine.home}/rows.sqlite"
    machine.configure(SchedulerApp={"db_url": url})
    machine.configure(
        "jupyter_jupyter_scheduler_config", SchedulerApp={"db_url": "sqlite:////nowhere/other.sqlite"}
    )
    assert f"{machine.home}/rows.sqlite" in machine.doctor()["database"][0]["message"]


def test_a_database_that_is_none(machine: Machine) -> None:
    machine.data.mkdir()
    (machine.data / "scheduler.sqlite").write_text("no database, whatever it is called")
    assert "is not a database of Jupyter-Scheduler" in machine.doctor()["rows"][0]["message"]
    machine.configure(SchedulerApp={"db_url": "postgresql+psycopg://me:pw@127.0.0.1:1/rows"})
    [found] = machine.doctor()["database"]
    assert (found["status"], "pw" in found["message"]) == ("problem", False)


# On Argo


def test_argo_that_is_well(
    machine: Machine, argo: ArgoStandIn, on_argo: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_IMAGE", "stand-in")
    found = machine.doctor()
    rights = found.pop("rights")
    assert set(chain(*of(found).values())) == {"ok"}
    assert [one["status"] for one in rights] == ["ok", "warning"]
    assert "create, get, list workflows; create, get, list, patch cronworkflows" in rights[0]["message"]
    assert "not known: patch, delete workflows; update, delete cronworkflows" in rights[1]["message"]
    for words in (
        f"answers at {argo.url}/",
        "ARGO_TOKEN",
        "for system:serviceaccount:dev:argo-developer",
        "Argo Workflows 4.1.2",
    ):
        assert words in machine.output
    assert "in the pods on claim home-me" in found["staging"][0]["message"]
    # Nothing is left, there or here.
    assert (argo.runs, argo.crons, machine.files()) == ({}, {}, ["config/jupyter_server_config.json"])
    assert SECRET not in machine.output


def test_an_image_that_is_another(machine: Machine, on_argo: Callable[..., None]) -> None:
    [found] = machine.doctor()["image"]
    assert (found["status"], "doctor --run" in found["advice"]) == ("warning", True)
    assert f"in stand-in has argo-jupyter-scheduler {__version__}" in found["message"]


def test_on_nebari_the_pods_are_the_users(
    machine: Machine, argo: ArgoStandIn, on_argo: Callable[..., None]
) -> None:
    argo.nebari = True
    on_argo(image="", volumes=[], volume_mounts=[], nebari="on")
    found = machine.doctor()
    assert of(found)["pods"] == of(found)["image"] == of(found)["staging"] == of(found)["database"] == ["ok"]
    assert "which Nebari gives them" in found["staging"][0]["message"]


@pytest.mark.parametrize("version", ["v3.3.10", "v3.4.4", "v3.6.0"])
def test_versions_of_argo(
    machine: Machine, argo: ArgoStandIn, on_argo: Callable[..., None], version: str
) -> None:
    argo.version = version
    found = machine.doctor()
    assert of(found)["version"] == ["problem" if version == "v3.3.10" else "ok"]
    assert of(found)["rights"] == ["ok", "warning"]


@pytest.mark.parametrize(
    ("token", "status", "words"),
    [
        ("", "problem", "asks for a token (401), but none is configured"),
        (
            "wr0ng",
            "problem",
            "refused the token (401) of the environment variable ARGO_TOKEN. It may have expired",
        ),
        (jwt(exp=1_000_000_000), "problem", "It expired at 2001-09-0"),
        (jwt(exp=int(time.time()) + 600, sub="me"), "warning", "it is about to expire"),
        (jwt(exp=int(time.time()) + 86400, sub="me"), "ok", ", until 20"),
    ],
    ids=["none", "wrong", "expired", "about to expire", "good"],
)
def test_tokens(
    machine: Machine,
    argo: ArgoStandIn,
    on_argo: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    status: str,
    words: str,
) -> None:
    monkeypatch.setenv("ARGO_TOKEN", token)
    if status != "problem":
        argo.token = token
    [found] = machine.doctor()["token"]
    assert (found["status"], words in found["message"]) == (status, True), found
    assert not token or token not in machine.output


@pytest.mark.parametrize(
    ("life", "left", "status", "words"),
    [
        (3600, 600, "ok", "the file is read at each call"),
        (86400, 3600, "warning", "it is about to expire, and the file has no newer one"),
        (None, 30, "warning", "it is about to expire"),
        (3600, -30, "problem", "it has expired"),
    ],
)
def test_a_token_in_a_file_is_renewed(
    machine: Machine,
    argo: ArgoStandIn,
    on_argo: Callable[..., None],
    life: int | None,
    left: int,
    status: str,
    words: str,
) -> None:
    expires = int(time.time()) + left
    argo.token = jwt(exp=expires, **({"iat": expires - life} if life else {}))
    (machine.home / "token").write_text(argo.token)
    on_argo(argo_token_file=str(machine.home / "token"))
    [found] = machine.doctor()["token"]
    assert (found["status"], words in found["message"]) == (status, True), found


@pytest.mark.parametrize(
    ("forbidden", "missing"),
    [
        ({("list", "workflows"), ("create", "cronworkflows")}, "list workflows; create cronworkflows"),
        ({("create", "workflows"), ("patch", "cronworkflows")}, "create workflows; patch cronworkflows"),
        ({("get", "workflows"), ("get", "cronworkflows")}, "get workflows; get cronworkflows"),
    ],
)
def test_rights_that_are_missing(
    machine: Machine,
    argo: ArgoStandIn,
    on_argo: Callable[..., None],
    forbidden: set[tuple[str, str]],
    missing: str,
) -> None:
    argo.forbidden = forbidden
    found = machine.doctor()
    assert [one["message"] for one in found["rights"] if one["status"] == "problem"] == [
        f"not allowed in namespace dev: {missing}"
    ]
    assert of(found)["token"] == ["ok"]


def test_rights_are_known_without_a_shape_too(
    machine: Machine, argo: ArgoStandIn, on_argo: Callable[..., None]
) -> None:
    argo.forbidden = {("create", "workflows")}
    on_argo(image="")
    found = machine.doctor()
    assert found["rights"][1]["message"] == "not allowed in namespace dev: create workflows"
    assert (of(found)["pods"], of(found)["staging"]) == (["problem"], ["ok"])


def test_argo_that_is_not_there(machine: Machine, argo: ArgoStandIn, on_argo: Callable[..., None]) -> None:
    on_argo(argo_server="http://127.0.0.1:1")
    found = machine.doctor()
    assert (of(found)["argo"], "Connection refused" in found["argo"][0]["message"]) == (["problem"], True)
    assert not {"version", "token", "rights"} & set(found)
    assert of(found)["staging"] == ["ok"]
    argo.hang_seconds = 5
    on_argo(argo_timeout=1)
    assert "did not answer within 1 s" in machine.doctor()["argo"][0]["message"]
    argo.hang_seconds = 0


def test_certificates(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    monkeypatch.setenv("ARGO_TOKEN", SECRET)
    bundle = machine.home / "ca.pem"
    with ArgoStandIn(SECRET, tls=tls(authority)) as argo:
        monkeypatch.setenv("ARGO_SERVER", argo.url)
        machine.configure(ArgoScheduler=pods(machine))
        assert "is not trusted" in machine.doctor()["argo"][0]["message"]
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        assert "cannot be read" in machine.doctor()["argo"][0]["message"]
        authority.cert_pem.write_to_path(bundle)
        assert of(machine.doctor())["argo"] == ["ok"]
        monkeypatch.setenv("ARGO_INSECURE_SKIP_VERIFY", "true")
        found = machine.doctor()
        assert of(found)["argo"] == ["ok"]
        assert "is not verified" in found["configuration"][1]["message"]


@pytest.mark.parametrize(
    ("traits", "check", "status", "words"),
    [
        ({"image": ""}, "pods", "problem", "c.ArgoScheduler.image"),
        ({"volume_mounts": []}, "configuration", "problem", "'home' is not mounted"),
        (
            {"volumes": [], "volume_mounts": []},
            "staging",
            "problem",
            "is not on a volume that the pods mount",
        ),
        (
            {"volume_mounts": [{"name": "home", "mountPath": "/elsewhere"}]},
            "staging",
            "problem",
            "is not on a volume that the pods mount",
        ),
        (
            {"volume_mounts": [{"name": "home", "mountPath": "/", "readOnly": True}]},
            "database",
            "problem",
            "mount / read-only",
        ),
        ({"volumes": [{"name": "home", "emptyDir": {}}]}, "staging", "problem", "is an emptyDir"),
        ({"staging_path": "/proc/staging"}, "staging", "problem", "/proc/staging cannot be written"),
    ],
)
def test_pods_that_do_not_fit(
    machine: Machine,
    on_argo: Callable[..., None],
    traits: dict[str, Any],
    check: str,
    status: str,
    words: str,
) -> None:
    on_argo(**traits)
    found = machine.doctor()[check][-1]
    assert (found["status"], words in found["message"]) == (status, True), found
    assert bool(found["advice"]) == (check in ("staging", "database"))


def test_a_manifest_that_argo_refuses(
    machine: Machine, argo: ArgoStandIn, on_argo: Callable[..., None]
) -> None:
    argo.fail_next(
        400, {"code": 3, "message": "quantities must match"}, times=9, method="POST", path="/workflows/dev"
    )
    found = machine.doctor()
    assert (of(found)["pods"], "(400): quantities must match" in found["pods"][0]["message"]) == (
        ["problem"],
        True,
    )
    assert "create, get, list workflows" in found["rights"][0]["message"]


# Rights that only Kubernetes tells


@pytest.fixture
def kubernetes(
    machine: Machine, argo: ArgoStandIn, on_argo: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[KubernetesStandIn]:
    """Kubernetes, with this machine as a Zero to JupyterHub's user pod, whose service account Argo knows."""
    argo.token = jwt(sub="system:serviceaccount:dev:argo-developer")
    monkeypatch.delenv("ARGO_TOKEN")
    with KubernetesStandIn(machine.home / "account", argo.token) as stand_in:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", stand_in.port)
        monkeypatch.setenv("HOSTNAME", stand_in.run_pod("zero-to-jupyterhub", "claim-alice"))
        (stand_in.service_account / "namespace").write_text("dev")
        on_argo(service_account_path=str(stand_in.service_account))
        yield stand_in


@pytest.mark.parametrize(
    ("rules", "missing"),
    [
        ([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}], ""),
        (
            [
                {
                    "verbs": ["get", "patch", "update"],
                    "apiGroups": ["argoproj.io"],
                    "resources": ["workflows", "cronworkflows"],
                }
            ],
            "delete workflows; delete cronworkflows",
        ),
        (
            [
                {"verbs": ["delete", "patch"], "apiGroups": ["argoproj.io"], "resources": ["workflows"]},
                {
                    "verbs": ["*"],
                    "apiGroups": ["argoproj.io"],
                    "resources": ["cronworkflows"],
                    "resourceNames": ["one"],
                },
            ],
            "update, delete cronworkflows",
        ),
    ],
)
def test_kubernetes_tells_the_rights_that_argo_does_not(
    machine: Machine, kubernetes: KubernetesStandIn, rules: list[dict[str, Any]], missing: str
) -> None:
    kubernetes.rules = rules
    found = machine.doctor()
    assert "of this pod's service account" in found["token"][0]["message"]
    told = [one["message"] for one in found["rights"] if one["status"] != "ok"]
    assert told == ([f"not allowed in namespace dev: {missing}"] if missing else [])


def test_targets_on_argo(
    machine: Machine, kubernetes: KubernetesStandIn, on_argo: Callable[..., None]
) -> None:
    secrets = {name: {"name": "notifications", "key": name} for name in ("team", "ops")}
    account = str(kubernetes.service_account)
    on_argo(
        service_account_path=account, notification_secrets=secrets, notification_targets={"boss": "json://a"}
    )
    kubernetes.objects["secrets/notifications"] = {"kind": "Secret", "data": {"team": "anNvbjovL2g="}}
    assert [one["message"] for one in machine.doctor()["notifications"]] == [
        "runs on Argo cannot notify target 'boss', because no Secret has its address.",
        "target 'ops': Kubernetes has no Secret 'notifications' with the key 'ops'.",
    ]
    kubernetes.refused.add("secrets")
    on_argo(service_account_path=account, notification_secrets=secrets)
    assert [one["message"] for one in machine.doctor()["notifications"]] == ["targets: ops, team"]


def test_a_kubernetes_that_does_not_tell(
    machine: Machine, kubernetes: KubernetesStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    found = machine.doctor()
    assert of(found)["rights"] == ["ok", "warning"]
    assert "Runs do not inherit the shape of this server's pod" in found["configuration"][1]["message"]


def test_what_runs_inherit(
    machine: Machine, kubernetes: KubernetesStandIn, on_argo: Callable[..., None]
) -> None:
    account = str(kubernetes.service_account)
    on_argo(image="", volumes=[], volume_mounts=[], environment={}, service_account_path=account)
    found = machine.doctor()
    assert "image quay.io/jupyter/scipy-notebook:2025-10-20" in found["pods"][0]["message"]
    assert of(found)["image"] == ["ok"]
    assert (
        "is not on a volume that the pods mount" in found["staging"][0]["message"]
    )  # which have /home/jovyan


def test_another_claim_at_the_right_path(machine: Machine, kubernetes: KubernetesStandIn) -> None:
    [pod] = [one for path, one in kubernetes.objects.items() if path.startswith("pods/")]
    [mount] = [
        one for one in pod["spec"]["containers"][0]["volumeMounts"] if one["mountPath"] == "/home/jovyan"
    ]
    mount["mountPath"] = str(machine.home)
    found = machine.doctor()
    assert (of(found)["staging"], of(found)["database"]) == (["warning"], ["warning"])
    assert "is on claim claim-alice here, and on claim home-me in the pods" in found["staging"][0]["message"]


# Trying it


def test_a_run_on_argo(machine: Machine, argo: ArgoStandIn, on_argo: Callable[..., None]) -> None:
    found = machine.doctor("--run")
    assert of(found)["rights"] == of(found)["run"] == of(found)["stop"] == of(found)["schedule"] == ["ok"]
    assert found["image"][0]["message"] == f"has argo-jupyter-scheduler {__version__}, as this server"
    assert (argo.runs, argo.crons) == ({}, {})
    assert not list((machine.data / "scheduler_staging_area").iterdir())
    assert SECRET not in machine.output


def test_a_run_whose_image_has_not_this_package(
    machine: Machine, argo: ArgoStandIn, on_argo: Callable[..., None]
) -> None:
    on_argo(python_executable="/usr/bin/env")  # which knows no -m
    found = machine.doctor("--run", "--timeout", "20")
    assert (of(found)["run"], of(found)["stop"]) == (["problem"], ["ok"])
    assert "exit code" in found["run"][0]["message"]
    assert "The pod's log ends with: /usr/bin/env: invalid option" in found["run"][0]["advice"]
    assert argo.runs == {}


def test_a_run_that_only_argo_has_as_failed(
    machine: Machine, argo: ArgoStandIn, on_argo: Callable[..., None]
) -> None:
    """So it is where the pods' account may not create workflowtaskresults: Argo's own container in the pod fails."""
    python = machine.home / "python"
    python.write_text(f'#!/bin/sh\n{sys.executable} "$@"\nexit 64\n')
    python.chmod(0o755)
    on_argo(python_executable=str(python))
    found = machine.doctor("--run")
    assert (of(found)["run"], of(found)["image"]) == (["problem"], ["ok"])
    assert "but its workflow in Argo has failed: Error (exit code 64)" in found["run"][0]["message"]
    assert argo.runs == {}


def test_a_run_that_does_not_end_in_time(
    machine: Machine, argo: ArgoStandIn, on_argo: Callable[..., None]
) -> None:
    argo.pending = "ImagePullBackOff: Back-off pulling image"
    found = machine.doctor("--run", "--timeout", "1")
    assert f"did not end within 1 s (QUEUED: {argo.pending})" in found["run"][0]["message"]
    assert (argo.runs, argo.crons) == ({}, {})


def test_what_a_run_finds_out_about_rights(
    machine: Machine, argo: ArgoStandIn, on_argo: Callable[..., None]
) -> None:
    argo.forbidden = {("delete", "workflows"), ("update", "cronworkflows")}
    found = machine.doctor("--run")
    assert (of(found)["run"], of(found)["delete"], of(found)["stop"]) == (["ok"], ["problem"], ["problem"])
    assert (
        "a job definition could not be changed: Argo does not allow this (403)"
        in found["schedule"][0]["message"]
    )
    assert (len(argo.runs), argo.crons) == (2, {})


@pytest.mark.argo
@pytest.mark.skipif("ARGO_SERVER" not in os.environ, reason="needs a real Argo")
def test_a_real_argo(machine: Machine) -> None:
    traits = real_argo()
    traits["environment"].update(pods(machine)["environment"])
    machine.configure(ArgoScheduler=traits)
    found = machine.doctor("--run")
    status = of(found)
    if "no version number" in str(found["version"]):  # an Argo that was built without a number
        assert status.pop("version") == ["warning"]
    assert {check: grade for check, grade in status.items() if set(grade) != {"ok"}} == {}
    assert {"argo", "version", "token", "rights", "pods", "run", "image", "stop", "schedule"} <= set(found)


# Manifests


@pytest.mark.parametrize(
    ("version", "traits"),
    [
        ("v3.4.4", {}),
        ("v4.1.2", {"compute_types": {"small": {"cpu_limit": 1}, "gpu": {"node_selector": {"pool": "gpu"}}}}),
    ],
)
def test_a_manifest_is_what_is_posted(
    machine: Machine,
    argo: ArgoStandIn,
    on_argo: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    traits: dict[str, Any],
) -> None:
    argo.version = version
    on_argo(**traits)
    monkeypatch.chdir("/")
    (machine.home / "n.ipynb").write_text(notebook("1"))
    machine.data.mkdir()
    Database(f"sqlite:///{machine.data}/scheduler.sqlite").make_id()  # as the first job does
    arguments = ["manifest", str(machine.home / "n.ipynb"), "--argo-version", version]
    workflow = yaml.safe_load(machine.command(*arguments))
    cron_workflow = yaml.safe_load(
        machine.command(*arguments, "--schedule", "0 6 * * *", "--timezone", "Europe/Berlin")
    )
    assert (machine.exit_code, argo.posted, machine.files()) == (
        0,
        [],
        ["config/jupyter_server_config.json", "data/scheduler.sqlite.id", "n.ipynb"],
    )

    monkeypatch.chdir(machine.home)
    command = SchedulerCommand()
    command.load_configuration()
    scheduler = command.make_scheduler(machine.home)
    from jupyter_scheduler.models import CreateJob, CreateJobDefinition

    fields = {
        "input_uri": "n.ipynb",
        "name": "x",
        "runtime_environment_name": scheduler.environments_manager.list_environments()[0].name,
    }
    definition = CreateJobDefinition(**fields, schedule="0 6 * * *", timezone="Europe/Berlin")
    job_id = asyncio.run(scheduler.create_job(CreateJob(**fields)))
    definition_id = asyncio.run(scheduler.create_job_definition(definition))
    posted, cron_posted = argo.posted
    for shown, sent, new_id in (
        (workflow, posted["workflow"], job_id),
        (cron_workflow, cron_posted["cronWorkflow"], definition_id),
    ):
        shown_id = shown["metadata"]["name"].removeprefix("job-def-").removeprefix("job-")
        assert json.dumps(shown).replace(shown_id, new_id) == json.dumps(sent)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("x = 1\nc.Argo(", "SyntaxError: '(' was never closed"),
        ("c.SchedulerApp.db_url = 'nonsense'", "The scheduler cannot be started: Could not parse"),
        ("c.SchedulerApp.db_url = 'sqlite:////nowhere/x.sqlite'", "unable to open database file"),
        ("c.ArgoScheduler.argo_server = 'ftp://x'", "the scheme must be https or http"),
    ],
)
def test_commands_say_what_is_wrong_with_the_configuration_on_a_line(
    machine: Machine, content: str, words: str
) -> None:
    machine.config.mkdir()
    (machine.config / "jupyter_server_config.py").write_text(content)
    (machine.home / "n.ipynb").write_text(notebook("1"))
    assert machine.command("run", str(machine.home / "n.ipynb")) == ""
    assert (machine.exit_code, machine.output.count("\n")) == (1, 1), machine.output
    assert machine.output.startswith("jupyter argo-scheduler: ")
    assert words in machine.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.ipynb"], "'missing.ipynb' does not exist"),
        (["n.ipynb", "--schedule", "61 * * * *"], "The schedule's minute '61' is not valid"),
        (["n.ipynb", "--schedule", "@daily", "--timezone", "Mars/X"], "Time zone 'Mars/X' not found"),
    ],
)
def test_a_manifest_that_would_be_refused(
    machine: Machine, on_argo: Callable[..., None], arguments: list[str], words: str
) -> None:
    (machine.home / "n.ipynb").write_text(notebook("1"))
    assert machine.command("manifest", str(machine.home / arguments[0]), *arguments[1:]) == ""
    assert (machine.exit_code, words in machine.output) == (1, True)


def test_a_manifest_needs_no_argo_that_answers(machine: Machine, on_argo: Callable[..., None]) -> None:
    on_argo(argo_server="http://127.0.0.1:1")
    (machine.home / "n.ipynb").write_text(notebook("1"))
    arguments = ["manifest", str(machine.home / "n.ipynb"), "--schedule", "@daily"]
    newest = yaml.safe_load(machine.command(*arguments))
    assert (machine.exit_code, newest["spec"]["schedules"]) == (0, ["@daily"])
    older = yaml.safe_load(machine.command(*arguments, "--argo-version", "3.5"))
    assert older["spec"]["schedule"] == "@daily"


@pytest.mark.parametrize("server", ["", "  "])
def test_a_manifest_without_argo(machine: Machine, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    monkeypatch.setenv("ARGO_SERVER", server)
    (machine.home / "n.ipynb").write_text(notebook("1"))
    assert machine.command("manifest", str(machine.home / "n.ipynb")) == ""
    assert (machine.exit_code, "Argo is not configured (see ARGO_SERVER)" in machine.output) == (1, True)

"""What runs' pods look like: each source and their combinations as whole manifests, what wins, and what is refused."""

from __future__ import annotations

import logging
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from traitlets import TraitError
from traitlets.config import Config, LoggingConfigurable

from argo_jupyter_scheduler.config.argo import ArgoTraits
from argo_jupyter_scheduler.config.pod import PodTraits
from argo_jupyter_scheduler.domain.errors import InvalidPod
from argo_jupyter_scheduler.engines.argo.manifests import Site, build_cron_workflow, build_workflow
from argo_jupyter_scheduler.engines.argo.pods import quantities
from argo_jupyter_scheduler.engines.argo.pods.shape import TRAITS, PodShape
from argo_jupyter_scheduler.engines.argo.pods.shape_sources import (
    creator,
    helper_resources,
    on_nebari,
    pod_shape,
)
from argo_jupyter_scheduler.jupyter.environment_manager import ArgoEnvironmentManager
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from tests.stand_ins.kubernetes import PODS, KubernetesStandIn

ID = "2b6a5d0c-0d5e-4a7c-9f2f-5a8f6f6f0c11"
JOB = {"job_id": ID, "parameters": None}
DEFINITION = {
    "job_definition_id": ID,
    "parameters": None,
    "schedule": "0 6 * * *",
    "timezone": "Europe/Berlin",
    "active": True,
}
HOME = [{"name": "home", "persistentVolumeClaim": {"claimName": "claim-{username}"}}]
MOUNT = [{"name": "home", "mountPath": "/home/{username}"}]
VOLUME = {
    "volumes": [{"name": "home", "emptyDir": {}}],
    "volume_mounts": [{"name": "home", "mountPath": "/home"}],
}


class Server(PodTraits, ArgoTraits, LoggingConfigurable):
    """What of `ArgoScheduler` says what pods look like."""


EVERY_TRAIT: dict[str, Any] = {
    "image": "registry.example/jobs:1",
    "image_pull_policy": "Always",
    "image_pull_secrets": ["registry", {"name": "other"}],
    "cpu_guarantee": 0.5,
    "cpu_limit": 2,
    "mem_guarantee": "1G",
    "mem_limit": "2G",
    "extra_resource_guarantees": {"nvidia.com/gpu": 1, "ephemeral-storage": "1Gi"},
    "extra_resource_limits": {"nvidia.com/gpu": "1"},
    "environment": {
        "TEAM": "{username}",
        "JSON": '{{"a": 1}}',
        "KEY": {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    },
    "env_keep": ["LANG", "NOT_SET"],
    "service_account": "argo-{username}",
    "node_selector": {"pool": "jobs"},
    "tolerations": {
        "b": {"key": "gpu", "operator": "Exists"},
        "a": {"key": "x", "value": "y", "effect": "NoSchedule"},
    },
    "node_affinity_required": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}],
    "node_affinity_preferred": [
        {"weight": 1, "preference": {"matchExpressions": [{"key": "spot", "operator": "Exists"}]}}
    ],
    "pod_affinity_required": [
        {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "x"}}}
    ],
    "pod_affinity_preferred": [{"weight": 2, "podAffinityTerm": {"topologyKey": "zone"}}],
    "pod_anti_affinity_required": [{"topologyKey": "zone", "namespaces": ["dev"]}],
    "pod_anti_affinity_preferred": [{"weight": 3, "podAffinityTerm": {"topologyKey": "zone"}}],
    "volumes": HOME,
    "volume_mounts": {"home": MOUNT[0]},
    "init_containers": [{"name": "prepare", "image": "busybox", "command": ["true"], "volumeMounts": MOUNT}],
    "uid": 1000,
    "gid": 100,
    "fs_gid": 100,
    "supplemental_gids": [2000],
    "container_security_context": {"allowPrivilegeEscalation": False, "runAsGroup": 200},
    "pod_security_context": {"fsGroupChangePolicy": "OnRootMismatch"},
    "priority_class_name": "batch",
    "working_dir": "/home/{username}",
    "extra_labels": {"team": "{username}"},
    "extra_annotations": {"example.org/note": "of {unescaped_username}"},
    "extra_container_config": {"env_from": [{"secretRef": {"name": "more"}}]},
    "extra_pod_config": {
        "runtime_class_name": "nvidia",
        "dnsPolicy": "ClusterFirst",
        "scheduler_name": "other",
    },
}


def hook(server: Server, pod: dict[str, Any]) -> dict[str, Any]:
    pod["metadata"]["annotations"]["by"] = "hook"
    pod["spec"]["containers"][0]["env"].append({"name": "HOOK", "value": "1"})
    return pod


FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "server": ("", {}),
    "inherited-zero-to-jupyterhub": ("zero-to-jupyterhub", {}),
    "inherited-gpu": ("gpu", {"inherit_service_account": True}),
    "inherited-nebari": ("nebari", {}),
    "traits": ("", EVERY_TRAIT),
    "inherited-and-traits": (
        "zero-to-jupyterhub",
        {
            "mem_limit": "512M",
            "environment": {"JUPYTERHUB_DEBUG": "0"},
            "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}}],
            "volume_mounts": [{"name": "scratch", "mountPath": "/scratch"}],
            "tolerations": [{"key": "jobs", "operator": "Exists"}],
            "extra_labels": {"team": "blue"},
            "modify_pod_hook": hook,
        },
    ),
    "on-nebari": ("", {"nebari": "on"}),
    "on-nebari-with-traits": ("", {"nebari": "on", "cpu_limit": 1, "extra_labels": {"team": "blue"}}),
}


@pytest.fixture(autouse=True)
def server_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where a server is started, whatever machine this is."""
    for name in list(os.environ):
        if name.startswith(("JUPYTER", "KUBERNETES_", "CONDA_STORE_")) or name == "PREFERRED_USERNAME":
            monkeypatch.delenv(name)
    known = {"JUPYTERHUB_USER": "alice", "JUPYTER_IMAGE": "registry.example/server:2", "HOME": "/home/jovyan"}
    for name, value in {**known, "LANG": "C.UTF-8", "HOSTNAME": "jupyter-alice"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir("/")


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with KubernetesStandIn(tmp_path / "serviceaccount") as stand_in:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", stand_in.port)
        yield stand_in


def site(server: Server, pod_per_step: bool = False) -> Site:
    return Site(
        namespace="jhub",
        db_url="sqlite:////home/jovyan/scheduler.sqlite",
        staging_path="/home/jovyan/staging",
        pod_per_step=pod_per_step,
        shape=pod_shape(server, "jhub"),
        helper_resources=helper_resources(server),
        creator=creator(),
        nebari=on_nebari(server),
    )


def same_as_file(built: dict[str, Any], name: str) -> None:
    file = PODS / f"{name}.yaml"
    if os.environ.get("UPDATE_MANIFESTS"):
        file.write_text(yaml.safe_dump(built, sort_keys=False, width=120))
    assert built == yaml.safe_load(file.read_text()), yaml.safe_dump(built, sort_keys=False)


@pytest.mark.parametrize("form", FORMS)
def test_manifests(form: str, kubernetes: KubernetesStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded, traits = FORMS[form]
    if recorded:
        monkeypatch.setenv("HOSTNAME", kubernetes.run_pod(recorded, "claim-alice"))
        kubernetes.run_pod(
            recorded, "homes", "jupyterhub-dev-share", "nebari-conda-store-storage", modes=("ReadWriteMany",)
        )
    inherit = "on" if recorded else "off"
    server = Server(
        service_account_path=str(kubernetes.service_account),
        python_executable="/opt/conda/bin/python",
        **{"inherit_pod": inherit, **traits},
    )
    same_as_file(build_workflow(JOB, site(server)), form)
    if form == "inherited-gpu":
        same_as_file(build_workflow(JOB, site(server, pod_per_step=True)), f"{form}-pod-per-step")
    if form == "on-nebari-with-traits":
        same_as_file(build_cron_workflow(DEFINITION, site(server)), f"{form}-schedule")


def test_every_trait_is_tried() -> None:
    assert set(EVERY_TRAIT) >= set(TRAITS)


def test_a_shape_is_not_changed() -> None:
    first = PodShape("/python").changed(image="a:1", environment={"A": "1"}, **VOLUME)
    before = first.pod()
    first.changed(environment={"A": "2"}, mem_limit="1G", uid=1)
    first.pod()["spec"]["containers"][0]["env"].append("x")
    assert first.pod() == before
    assert first.changed() == first == first.changed(image="", cpu_limit=None, tolerations=[])


@pytest.mark.parametrize(
    ("earlier", "later", "resources"),
    [
        (
            {"mem_guarantee": "2G"},
            {"mem_limit": "1G"},
            {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        ),
        ({"cpu_limit": 1}, {"cpu_guarantee": 2}, {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}),
        ({"cpu_limit": 1, "cpu_guarantee": 1}, {"cpu_limit": 0}, {"requests": {"cpu": "1"}}),
        (
            {
                "extra_resource_limits": {"nvidia.com/gpu": 1},
                "extra_resource_guarantees": {"nvidia.com/gpu": 1},
            },
            {"extra_resource_limits": {"nvidia.com/gpu": 2}, "mem_limit": 1500000000},
            {"requests": {"nvidia.com/gpu": "2"}, "limits": {"nvidia.com/gpu": "2", "memory": "1500M"}},
        ),
        (
            {
                "extra_resource_limits": {"nvidia.com/gpu": 1},
                "extra_resource_guarantees": {"nvidia.com/gpu": 1},
            },
            {"extra_resource_limits": {"nvidia.com/gpu": 0}},
            None,
        ),
    ],
)
def test_a_later_amount_stands_and_the_other_follows(
    earlier: dict[str, Any], later: dict[str, Any], resources: dict[str, Any] | None
) -> None:
    shape = PodShape().changed(**earlier).changed(**later)
    found = {side: amounts for side, amounts in (shape.container.get("resources") or {}).items() if amounts}
    assert found == (resources or {})


def test_a_notebook_is_told_what_it_has_got() -> None:
    variables = {"MEM_LIMIT": "1", "CPU_LIMIT": "1.0", "MEM_GUARANTEE": "1"}
    shape = (
        PodShape()
        .changed(environment=variables, mem_guarantee=1)
        .changed(mem_limit="2G", cpu_limit=0.5, mem_guarantee=0)
    )
    assert {one["name"]: one["value"] for one in shape.container["env"]} == {
        "MEM_LIMIT": "2147483648",
        "CPU_LIMIT": "0.5",
    }


def test_lists_are_merged_by_name_and_what_nothing_mounts_is_left_out() -> None:
    first = PodShape().changed(
        volumes=[*VOLUME["volumes"], {"name": "data", "nfs": {"server": "x", "path": "/"}}],
        volume_mounts=[*VOLUME["volume_mounts"], {"name": "data", "mountPath": "/data"}],
        tolerations=[{"key": "a", "operator": "Exists"}],
        node_affinity_required=EVERY_TRAIT["node_affinity_required"],
    )
    second = first.changed(
        volumes=[{"name": "fast", "emptyDir": {}}],
        volume_mounts=[{"name": "fast", "mountPath": "/data/"}],
        tolerations=[{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Exists"}],
        pod_affinity_required=EVERY_TRAIT["pod_affinity_required"],
    )
    assert [volume["name"] for volume in second.spec["volumes"]] == ["home", "fast"]
    assert [mount["name"] for mount in second.container["volumeMounts"]] == ["home", "fast"]
    assert [one["key"] for one in second.spec["tolerations"]] == ["a", "b"]
    assert set(second.spec["affinity"]) == {"nodeAffinity", "podAffinity"}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"mem_limit": "2X"}, "mem_limit: '2X' is no amount of memory, such as '2G'"),
    ({"mem_guarantee": "512m"}, "mem_guarantee: '512m' is no amount of memory"),
    ({"cpu_limit": "two"}, "cpu_limit: 'two' is no number of cores"),
    ({"cpu_guarantee": -1}, "cpu_guarantee: -1.* is no number of cores"),
    ({"mem_limit": "1G", "mem_guarantee": "2G"}, "mem_limit: the limit of memory, 1Gi, is lower than .* 2Gi"),
    ({"cpu_limit": 1, "cpu_guarantee": "1500m"}, "cpu_limit: the limit of cpu, 1, is lower than"),
    (
        {"extra_resource_limits": {"gpu": 1}},
        "extra_resource_limits: 'gpu' is no resource .* 'nvidia.com/gpu'",
    ),
    ({"extra_resource_limits": {"nvidia.com/gpu": 0.5}}, "extra_resource_limits: 0.5 is no whole number of"),
    (
        {"extra_resource_guarantees": {"nvidia.com/gpu": 1}},
        "extra_resource_guarantees: nvidia.com/gpu also needs a limit",
    ),
    ({"tolerations": [{"key": "a", "operator": "Is"}]}, r"tolerations: \[0\]: 'Is' is none of Equal, Exists"),
    ({"tolerations": [{"kei": "a"}]}, r"tolerations: \[0\]: Kubernetes knows no field 'kei' there"),
    (
        {"tolerations": [{"operator": "Equal"}]},
        r"tolerations: \[0\]: without a key, the operator must be Exists",
    ),
    ({"tolerations": [{"key": "a", "effect": "No"}]}, r"tolerations: \[0\]: 'No' is none of NoSchedule"),
    (
        {"tolerations": [{"key": "a", "tolerationSeconds": 3}]},
        r"tolerations: .* for the effect NoExecute only",
    ),
    ({"volumes": [{"name": "Home", "emptyDir": {}}]}, r"volumes: \[0\]: 'Home' is no name"),
    ({"volumes": [{"name": "home"}]}, r"volumes: \[0\]: volume 'home' needs one source.*; it has none"),
    (
        {"volumes": [{"name": "h", "emptyDir": {}, "nfs": {"server": "a", "path": "/"}}]},
        "it has emptyDir and nfs",
    ),
    ({"volumes": [{"name": "h", "persistentVolumClaim": {}}]}, "knows no field 'persistentVolumClaim' there"),
    (
        {"volumes": [{"name": "h", "persistentVolumeClaim": {"claimName": 5}}]},
        "persistentVolumeClaim.claimName: input",
    ),
    ({"volumes": [{"name": "h", "emptyDir": {}}] * 2}, "volumes: there are two with the name 'h'"),
    (
        {"volumes": [{"name": "h", "emptyDir": {}}]},
        "volumes: volume 'h' is mounted nowhere; see volume_mounts",
    ),
    ({"volumes": [{"name": "h", "emptyDir": {"sizeLimit": "x"}}]}, "volumes: .*'x' is no amount"),
    ({"volume_mounts": MOUNT}, "volume_mounts: 'home' is mounted at /home/alice. There are no volumes"),
    ({"volumes": HOME, "volume_mounts": [*MOUNT, *MOUNT]}, "there are two with the mountPath '/home/alice'"),
    ({"volumes": HOME, "volume_mounts": [{"name": "home", "mountPath": "home"}]}, "'home' is no full path"),
    (
        {"volumes": HOME, "volume_mounts": [{**MOUNT[0], "subPath": "../x"}]},
        "'../x' must be a path within the volume",
    ),
    (
        {"volumes": [{"name": "h", "hostPath": {"path": "{user}"}}]},
        r"volumes: \[0\].hostPath.path names \{user\}",
    ),
    (
        {"init_containers": [{"name": "main", "image": "a"}]},
        r"init_containers: .* one of Argo's own containers",
    ),
    ({"init_containers": [{"name": "a"}]}, r"init_containers: \[0\]: None is no name of an image"),
    (
        {"init_containers": [{"name": "a", "image": "a", "volumeMounts": MOUNT}]},
        "init_containers: 'home' is mounted at",
    ),
    ({"uid": -1}, "uid: -1 is no whole number from 0"),
    (
        {"container_security_context": {"runAsUser": 2**31}},
        "container_security_context: .* is no whole number",
    ),
    (
        {"container_security_context": {"fsGroup": 1}},
        "container_security_context: Kubernetes knows no field 'fsGroup'",
    ),
    (
        {"pod_security_context": {"seccompProfile": {"type": "None"}}},
        "pod_security_context: 'None' is none of",
    ),
    ({"image": "Not An Image"}, "image: 'Not An Image' is no name of an image"),
    ({"image_pull_secrets": ["a_b"]}, "image_pull_secrets: 'a_b' is no name of an object"),
    ({"environment": {"A=B": "x"}}, "environment: .*'A=B' cannot be the name"),
    ({"environment": {"A": "{{{{secret}}}}"}}, r"environment: A has '\{\{', which Argo would take for"),
    ({"env_keep": ["ARGO_TOKEN"]}, "env_keep: ARGO_TOKEN is a secret"),
    ({"node_selector": {"a b": "c"}}, "node_selector: 'a b' is no key"),
    ({"extra_labels": {"team": "a b"}}, "extra_labels: 'a b', the value of 'team', is no label's"),
    (
        {"extra_labels": {"jupyterflow-override": "x"}},
        "extra_labels: 'jupyterflow-override' is set by this package",
    ),
    ({"node_affinity_required": [{"matchExpressions": [{"key": "a", "operator": "In"}]}]}, "In needs values"),
    (
        {"pod_affinity_required": [{"labelSelector": {}}]},
        "pod_affinity_required: .*topologyKey: field required",
    ),
    (
        {"pod_anti_affinity_preferred": [{"weight": 0, "podAffinityTerm": {"topologyKey": "a"}}]},
        "0 is no whole number",
    ),
    ({"working_dir": "home"}, "working_dir: 'home' is no full path"),
    ({"priority_class_name": "High"}, "priority_class_name: 'High' is no name of an object"),
    (
        {"extra_container_config": {"command": ["x"]}},
        "extra_container_config: 'command' is no field that can be set",
    ),
    ({"extra_pod_config": {"containers": []}}, "extra_pod_config: 'containers' is no field that can be set"),
    ({"extra_pod_config": {"runtimeClas": "x"}}, "Possible: runtimeClassName"),
    ({"helper_mem_limit": "1K"}, "helper_mem_limit: the limit of memory"),
    ({"helper_cpu_limit": "x"}, "helper_cpu_limit: 'x' is no number of cores"),
    ({"modify_pod_hook": lambda server, pod: pod["nope"]}, "modify_pod_hook: KeyError: 'nope'"),
    ({"modify_pod_hook": lambda server, pod: None}, "modify_pod_hook: TypeError"),
    (
        {"modify_pod_hook": lambda server, pod: {"spec": {"containers": [{"args": ["x"]}]}}},
        "'args' is no field",
    ),
    ({"mem_limit": "1e99"}, "mem_limit: '1e99' is no amount of memory"),
    ({"mem_limit": "100000000000000000000000G"}, "mem_limit: '100000000000000000000000G' is no amount"),
    ({"extra_resource_limits": {"nvidia.com/gpu": "1e99"}}, "extra_resource_limits: '1e99' is no amount"),
    ({"extra_resource_limits": {"hugepages-2Mi": "4Mi"}}, "hugepages-2Mi also needs an amount of cpu or"),
    (
        {"volumes": HOME, "volume_mounts": [{**MOUNT[0], "recursiveReadOnly": "Enabled"}]},
        "volume_mounts: .*it needs readOnly",
    ),
    ({"environment": {"A": {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k k"}}}}}, "'k k' is no key"),
    # Wrong types are traitlets' own errors.
    ({"volumes": "home"}, "volumes"),
    ({"image_pull_policy": "Sometimes"}, "image_pull_policy"),
    ({"uid": "root"}, "uid"),
    ({"cpu_limit": [1]}, "cpu_limit"),
]


BAD_VOLUMES: list[tuple[str, dict[str, Any], str]] = [
    ("nfs", {"server": "a", "path": "rel"}, "'rel' is no full path"),
    ("nfs", {"server": "", "path": "/x"}, "it needs server"),
    ("secret", {"secretName": "s", "defaultMode": 9999}, "9999 is no whole number from 0 to 511"),
    ("secret", {"secretName": "s", "items": [{"key": "", "path": "a"}]}, "'' is no key of a Secret"),
    ("configMap", {"name": "c", "items": [{"key": "k", "path": "/abs"}]}, "'/abs' must be a path within"),
    ("configMap", {"name": "c", "items": [{"key": "k", "path": "../x"}]}, "'../x' must be a path within"),
    ("csi", {"driver": ""}, "it needs driver"),
    ("csi", {"driver": "a", "nodePublishSecretRef": {"name": ""}}, "'' is no name of an object"),
    ("ephemeral", {}, "it needs volumeClaimTemplate"),
    ("ephemeral", {"volumeClaimTemplate": {"spec": {}}}, "it needs accessModes"),
    (
        "ephemeral",
        {
            "volumeClaimTemplate": {
                "spec": {"accessModes": ["RWX"], "resources": {"requests": {"storage": 1}}}
            }
        },
        "'RWX' is none of",
    ),
    (
        "ephemeral",
        {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"limits": {}}}}},
        "a claim needs an amount",
    ),
    ("downwardAPI", {"items": [{"path": "x"}]}, "'x' needs either fieldRef or resourceFieldRef"),
    ("downwardAPI", {"items": [{"path": "x", "fieldRef": {"fieldPath": "spec.nodeName"}}]}, "is no field"),
    (
        "downwardAPI",
        {"items": [{"path": "x", "resourceFieldRef": {"resource": "limits.cpu"}}]},
        "containerName",
    ),
    ("iscsi", {"targetPortal": "1.2.3.4", "iqn": "iqn.2001-04.com.example:x", "lun": -1}, "-1 is no whole"),
    ("iscsi", {"targetPortal": "1.2.3.4", "iqn": "x", "lun": 0}, "'x' must begin with iqn"),
    ("fc", {"targetWWNs": ["a"]}, "needs a lun"),
    ("hostPath", {"path": ""}, "it needs path"),
    ("hostPath", {"path": "/a/../b"}, "must not have '..'"),
    ("rbd", {"monitors": [], "image": "i"}, "it needs monitors"),
    ("projected", {"sources": [{"secret": {"items": []}}]}, "None is no name"),
    ("projected", {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 5}}]}, "from 600"),
    ("projected", {"sources": [{"secret": {"name": "s"}, "configMap": {"name": "c"}}]}, "one thing only"),
]
BAD += [
    ({**VOLUME, "volumes": [{"name": "home", kind: source}]}, rf"volumes: \[0\]: .*{words}")
    for kind, source, words in BAD_VOLUMES
]
BAD += [
    ({"extra_container_config": {"resources": {"limits": limits}}}, f"extra_container_config: .*{words}")
    for limits, words in [
        ({"memory": "-1"}, "'-1' is no amount"),
        ({"foo": "1"}, "'foo' is no resource"),
        ({"nvidia.com/gpu": "500m"}, "'500m' is no whole number of"),
    ]
]


@pytest.mark.parametrize(("traits", "words"), BAD, ids=[str(index) for index in range(len(BAD))])
def test_bad_input_fails_when_the_server_starts(traits: dict[str, Any], words: str) -> None:
    with pytest.raises(TraitError, match=words) as error:
        site(Server(inherit_pod="off", **traits))
    assert "secret}" not in str(error.value)


@pytest.mark.parametrize(
    "traits",
    [
        {"environment": {"1 A": "x"}},
        {"extra_annotations": {"Example.org/note": "x"}},
        {"extra_container_config": {"resources": {"limits": {"cpu": 0.5, "nvidia.com/gpu": 1}}}},
        {"init_containers": [{"name": "a", "image": "b", "resources": {"limits": {"cpu": 1}}}]},
        *(
            {**VOLUME, "volumes": [{"name": "home", kind: source}]}
            for kind, source in [
                ("nfs", {"server": "a", "path": "/x"}),
                ("hostPath", {"path": "rel"}),
                ("emptyDir", {"sizeLimit": 1000}),
                ("secret", {"secretName": "s", "defaultMode": 0o440, "items": [{"key": "k", "path": "a/b"}]}),
                ("configMap", {"name": "c", "items": [{"key": "k", "path": "a/..b", "mode": 0}]}),
                ("csi", {"driver": "secrets.example.org", "volumeAttributes": {"mode": "9999"}}),
                (
                    "ephemeral",
                    {
                        "volumeClaimTemplate": {
                            "spec": {
                                "accessModes": ["ReadWriteOnce"],
                                "resources": {"requests": {"storage": "1Gi"}},
                            }
                        }
                    },
                ),
                (
                    "downwardAPI",
                    {"items": [{"path": "x", "fieldRef": {"fieldPath": "metadata.labels['a']"}}]},
                ),
                ("fc", {"wwids": ["a"]}),
                ("projected", {"sources": [{"serviceAccountToken": {"path": "t"}}]}),
            ]
        ),
    ],
)
def test_what_kubernetes_takes_is_taken(traits: dict[str, Any]) -> None:
    """As a Kubernetes 1.34 took it."""
    assert site(Server(inherit_pod="off", **traits))


def test_the_scheduler_does_not_start_with_it(tmp_path: Path, db_url: str) -> None:
    traits = {"argo_server": "http://127.0.0.1:9", "inherit_pod": "off", "staging_path": str(tmp_path)}
    config = Config({"ArgoScheduler": {**traits, "volume_mounts": [{"name": "home", "mountPath": "/home"}]}})
    with pytest.raises(TraitError, match=r"c\.ArgoScheduler\.volume_mounts: 'home' is mounted at /home\."):
        ArgoScheduler(str(tmp_path), ArgoEnvironmentManager(), db_url, config=config)


def test_a_trait_that_there_is_not() -> None:
    with pytest.raises(
        InvalidPod, match=r"cpu_limt: there is no such trait of a pod\. Possible: cpu_limit"
    ) as error:
        PodShape().changed(cpu_limt=1)
    assert error.value.trait == "cpu_limt"


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({"PREFERRED_USERNAME": "ada@example.org"}, "ada-example.org"),
        ({"PREFERRED_USERNAME": ""}, "alice"),
        ({"PREFERRED_USERNAME": "中文"}, "alice"),
        ({"JUPYTERHUB_USER": "_a_"}, "a"),
        ({"JUPYTERHUB_USER": ""}, ""),
    ],
)
def test_the_creator(environment: dict[str, str], wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert creator() == wanted
    labels = build_workflow(JOB, site(Server(inherit_pod="off")))["metadata"]["labels"]
    assert labels.get("workflows.argoproj.io/creator-preferred-username", "") == wanted


def test_nebari_is_recognized_by_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not on_nebari(Server())
    monkeypatch.setenv("CONDA_STORE_SERVICE", "nebari-conda-store-server:5000")
    assert not on_nebari(Server())
    monkeypatch.setenv("CONDA_STORE_SERVICE_NAMESPACE", "dev")
    assert on_nebari(Server())
    assert not on_nebari(Server(nebari="off"))
    assert not on_nebari(Server(nebari=False))
    monkeypatch.delenv("JUPYTER_IMAGE")
    assert pod_shape(Server(), "dev").container == {"image": "set-by-nebari"}


GOOD = st.decimals(min_value=Decimal("1e-9"), max_value=10**15, allow_nan=False, places=9)


@given(GOOD, st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "E-2"]))
def test_a_quantity_keeps_its_amount(number: Decimal, suffix: str) -> None:
    text = f"{number:f}{suffix}"
    canonical = quantities.canonical(text)
    assert quantities.canonical(canonical) == canonical
    assert 0 <= quantities.amount(canonical) - quantities.amount(text) < Decimal("1e-9") or suffix.endswith(
        "i"
    )


@pytest.mark.parametrize(
    ("given", "canonical"),
    # As Kubernetes 1.34 gives them back.
    [
        *(
            ("0.5", "500m"),
            ("1000m", "1"),
            ("2048Mi", "2Gi"),
            ("1.5Gi", "1536Mi"),
            ("100000", "100k"),
            ("1e3", "1k"),
        ),
        *(("2147483648", "2147483648"), ("0.5Gi", "512Mi"), ("0", "0"), ("1Ki", "1Ki"), (".5", "500m")),
    ],
)
def test_quantities_have_kubernetes_form(given: str, canonical: str) -> None:
    assert quantities.canonical(given) == canonical


def test_logging_has_no_secrets(kubernetes: KubernetesStandIn, caplog: pytest.LogCaptureFixture) -> None:
    kubernetes.run_pod("zero-to-jupyterhub")
    with caplog.at_level(logging.DEBUG):
        shape = pod_shape(Server(service_account_path=str(kubernetes.service_account)), "jhub")
    text = caplog.text + str(shape)
    assert "AWS_SECRET_ACCESS_KEY" in caplog.text
    assert not any(secret in text for secret in ("EXAMPLE/0000", "0123456789abcdef", "kubernetes-token"))

"""What runs' pods look like: each source and their combinations as whole manifests, what wins, and what is refused."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from traitlets import TraitError
from traitlets.config import Config

from argo_jupyter_scheduler.config.settings import POD_TRAITS, is_on_nebari
from argo_jupyter_scheduler.config.traits import SchedulerTraits
from argo_jupyter_scheduler.domain.errors import InvalidPod
from argo_jupyter_scheduler.engines.argo.manifests import build_cron_workflow, build_workflow
from argo_jupyter_scheduler.engines.argo.pods import quantities
from argo_jupyter_scheduler.engines.argo.pods.shape import REQUIRED, TRAITS, PodShape
from argo_jupyter_scheduler.engines.argo.pods.shape_sources import find_creator
from argo_jupyter_scheduler.jupyter.environment_manager import ArgoEnvironmentManager
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from tests.stand_ins.kubernetes import PODS, KubernetesStandIn
from tests.support.manifests import DEFINITION, JOB, argo_settings, manifest_settings_of, shape_of

HOME = [{"name": "home", "persistentVolumeClaim": {"claimName": "claim-{username}"}}]
MOUNT = [{"name": "home", "mountPath": "/home/{username}"}]
VOLUME: dict[str, Any] = {
    "volumes": [{"name": "home", "emptyDir": {}}],
    "volume_mounts": [{"name": "home", "mountPath": "/home"}],
}


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


def hook(server: SchedulerTraits, pod: dict[str, Any]) -> dict[str, Any]:
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
    settings = argo_settings(
        service_account_path=str(kubernetes.service_account),
        python_executable="/opt/conda/bin/python",
        **{"inherit_pod": inherit, **traits},
    )
    shared = manifest_settings_of(settings)
    same_as_file(build_workflow(JOB, shared), form)
    if form == "inherited-gpu":
        same_as_file(build_workflow(JOB, replace(shared, pod_per_step=True)), f"{form}-pod-per-step")
    if form == "on-nebari-with-traits":
        same_as_file(build_cron_workflow(DEFINITION, shared), f"{form}-schedule")


def test_every_trait_is_tried() -> None:
    assert set(EVERY_TRAIT) >= set(TRAITS)
    assert set(POD_TRAITS) == set(TRAITS)


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
    ({"mem_limit": "2X"}, "mem_limit: '2X' is not an amount of memory, such as '2G'"),
    ({"mem_guarantee": "512m"}, "mem_guarantee: '512m' is not an amount of memory"),
    ({"mem_limit": "1e99"}, "mem_limit: '1e99' is not an amount of memory"),
    ({"mem_limit": "100000000000000000000000G"}, "mem_limit: '100000000000000000000000G' is not an amount"),
    ({"cpu_limit": "two"}, "cpu_limit: 'two' is not a number of cores"),
    ({"cpu_guarantee": -1}, "cpu_guarantee: -1.* is not a number of cores"),
    ({"mem_limit": "1G", "mem_guarantee": "2G"}, "mem_limit: the limit of memory, 1Gi, is lower than .* 2Gi"),
    ({"cpu_limit": 1, "cpu_guarantee": "1500m"}, "cpu_limit: the limit of cpu, 1, is lower than"),
    ({"extra_resource_limits": {"nvidia.com/gpu": "1e99"}}, "extra_resource_limits: '1e99' is not an amount"),
    (
        {"extra_resource_limits": {"a.b/gpu": 1}, "extra_resource_guarantees": {"a.b/gpu": 2}},
        "extra_resource_limits: the limit of a.b/gpu, 1, must be the same as the guarantee, 2",
    ),
    ({"extra_container_config": {"resources": {"limits": {"memory": "-1"}}}}, "'-1' is not an amount"),
    (
        {"extra_container_config": {"resources": {"limits": {"cpu": 1}, "requests": {"cpu": 2}}}},
        "extra_container_config: the limit of cpu, 1, is lower than",
    ),
    (
        {"node_affinity_required": [{"matchExpressions": [{"operator": "In"}]}]},
        r"node_affinity_required: \[0\]: matchExpressions.0.key: field required",
    ),
    ({"pod_affinity_required": [{"labelSelector": {}}]}, r"pod_affinity_required: \[0\]: topologyKey: field"),
    ({"tolerations": ["a"]}, r"tolerations"),
    (
        {"volumes": [{"name": "h", "persistentVolumeClaim": {"claimName": 5}}]},
        r"volumes: \[0\]: persistentVolumeClaim.claimName: input",
    ),
    ({"volumes": [{"emptyDir": {}}]}, r"volumes: \[0\]: name: field required"),
    ({"volumes": [{"name": "h", "emptyDir": {}}] * 2}, "volumes: two have the name 'h'"),
    (
        {"volumes": [{"name": "h", "emptyDir": {}}]},
        "volumes: 'h' is not mounted. Mount it with volume_mounts",
    ),
    (
        {"volume_mounts": MOUNT},
        "volume_mounts: 'home' is mounted at /home/alice, but no volume has that name. Available: none",
    ),
    ({"volumes": HOME, "volume_mounts": [*MOUNT, *MOUNT]}, "two have the mountPath '/home/alice'"),
    (
        {"volumes": HOME, "volume_mounts": [{"name": "home", "mountPath": "home"}]},
        "'home' is not a full path",
    ),
    (
        {"volumes": [{"name": "h", "hostPath": {"path": "{user}"}}]},
        r"volumes: \[0\].hostPath.path names \{user\}",
    ),
    (
        {"init_containers": [{"name": "main", "image": "a"}]},
        "init_containers: 'main' is the name of one of Argo's own containers",
    ),
    (
        {"init_containers": [{"name": "a", "image": "a", "volumeMounts": MOUNT}]},
        "init_containers: 'home' is mounted at",
    ),
    ({"container_security_context": {"runAsUser": "root"}}, "container_security_context: runAsUser: input"),
    ({"image": "Not An Image"}, "image: 'Not An Image' is not the name of an image"),
    ({"image_pull_secrets": ["a_b"]}, "image_pull_secrets: 'a_b' is not the name of an object"),
    ({"priority_class_name": "High"}, "priority_class_name: 'High' is not the name of an object"),
    ({"environment": {"A": "{{{{secret}}}}"}}, r"environment: A contains '\{\{', which Argo would expand"),
    ({"env_keep": ["ARGO_TOKEN"]}, "env_keep: ARGO_TOKEN is a secret"),
    ({"node_selector": {"a b": "c"}}, "node_selector: 'a b' is not a label"),
    ({"node_selector": {"a": 1}}, "node_selector: the value of 'a' is not a text"),
    ({"extra_labels": {"team": "a b"}}, "extra_labels: 'a b' is not a value for the label 'team'"),
    ({"extra_labels": {"jupyterflow-override": "x"}}, "extra_labels: 'jupyterflow-override' cannot be set"),
    ({"extra_labels": {"workflows.argoproj.io/x": "x"}}, "extra_labels: .* this package or Argo sets it"),
    ({"working_dir": "home"}, "working_dir: 'home' is not a full path"),
    ({"extra_container_config": {"command": ["x"]}}, "extra_container_config: 'command' cannot be set here"),
    ({"extra_pod_config": {"containers": []}}, "extra_pod_config: 'containers' cannot be set here"),
    (
        {"extra_pod_config": {"restart_policy": "Never"}},
        "extra_pod_config: 'restartPolicy' cannot be set here",
    ),
    ({"helper_mem_limit": "1K"}, "helper_mem_limit: the limit of memory"),
    ({"helper_cpu_limit": "x"}, "helper_cpu_limit: 'x' is not a number of cores"),
    (
        {"compute_types": {"big": {"mem_limit": "2X"}}},
        "compute_types, 'big': mem_limit: '2X' is not an amount",
    ),
    ({"compute_types": {"big": {"cpu_limt": 1}}}, "compute_types, 'big': cpu_limt: .*Available: cpu_limit"),
]

BAD_HOOKS: list[tuple[Any, str]] = [
    (lambda server, pod: pod["nope"], "modify_pod_hook: KeyError: 'nope'"),
    (lambda server, pod: None, "modify_pod_hook: TypeError"),
    (
        lambda server, pod: {"spec": {"containers": [{"args": ["x"]}]}},
        "modify_pod_hook: ValueError: 'args' cannot be set here",
    ),
    (lambda server, pod: {"spec": {"containers": []}}, "modify_pod_hook: ValueError: it has 0 containers"),
]


@pytest.mark.parametrize(("traits", "words"), BAD, ids=[str(index) for index in range(len(BAD))])
def test_bad_input_is_refused_with_the_trait(traits: dict[str, Any], words: str) -> None:
    with pytest.raises((TraitError, InvalidPod), match=words) as error:
        manifest_settings_of(argo_settings(inherit_pod="off", **traits))
    assert "secret}" not in str(error.value)


@pytest.mark.parametrize(("bad_hook", "words"), BAD_HOOKS)
def test_what_a_hook_makes_is_checked(bad_hook: Any, words: str) -> None:
    with pytest.raises(InvalidPod, match=words):
        manifest_settings_of(argo_settings(inherit_pod="off", image="a", modify_pod_hook=bad_hook))


@pytest.mark.parametrize(
    "traits",
    [{"volumes": "home"}, {"image_pull_policy": "Sometimes"}, {"uid": "root"}, {"cpu_limit": [1]}],
)
def test_a_wrong_type_is_traitlets_own_error(traits: dict[str, Any]) -> None:
    with pytest.raises(TraitError, match=next(iter(traits))):
        argo_settings(**traits)


def test_fields_of_a_newer_kubernetes_are_passed_on_to_the_cluster() -> None:
    """hera's models, which are those of the Kubernetes that they were made for, would drop them."""
    settings = argo_settings(
        inherit_pod="off",
        image="a",
        volumes=[{"name": "home", "image": {"reference": "a", "newInIt": 1}, "newSource": {"a_b": 1}}],
        volume_mounts=[{"name": "home", "mountPath": "/home", "newOfMount": True}],
        tolerations=[{"key": "a", "operator": "Lt", "newOfToleration": 1}],
        node_affinity_required=[{"matchExpressions": [{"key": "a", "operator": "New"}], "newOfTerm": 1}],
        init_containers=[{"name": "a", "image": "a", "restartPolicyRules": [{"action": "Restart"}]}],
        container_security_context={"newOfContext": "x"},
        extra_container_config={
            "new_of_container": {"x": 1},
            "resources": {"claims": [{"name": "gpu", "request": "big"}]},
            "env": [{"name": "A", "valueFrom": {"fileKeyRef": {"key": "a"}}}],
        },
        extra_pod_config={"new_of_pod": {"x": 1}, "workloadRef": {"name": "w"}},
    )
    spec = build_workflow(JOB, manifest_settings_of(settings))["spec"]
    main = spec["templates"][0]
    container = main["container"]
    [volume] = spec["volumes"]
    assert (volume["newSource"], volume["image"]) == ({"a_b": 1}, {"reference": "a", "newInIt": 1})
    assert container["volumeMounts"][-1]["newOfMount"] is True
    assert main["tolerations"] == [{"key": "a", "operator": "Lt", "newOfToleration": 1}]
    [term] = main["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
    assert term == {"matchExpressions": [{"key": "a", "operator": "New"}], "newOfTerm": 1}
    assert main["initContainers"][0]["restartPolicyRules"] == [{"action": "Restart"}]
    assert container["securityContext"] == {"newOfContext": "x"}
    assert container["newOfContainer"] == {"x": 1}
    assert container["resources"]["claims"] == [{"name": "gpu", "request": "big"}]
    assert {"name": "A", "valueFrom": {"fileKeyRef": {"key": "a"}}} in container["env"]
    assert json.loads(main["podSpecPatch"]) == {"newOfPod": {"x": 1}, "workloadRef": {"name": "w"}}


def test_fields_may_have_pythons_names() -> None:
    shape = PodShape().changed(
        volumes=[{"name": "home", "empty_dir": {"size_limit": 1000}}],
        volume_mounts=[{"name": "home", "mount_path": "/home/", "sub_path": "a"}],
        extra_container_config={"env_from": [{"secret_ref": {"name": "s"}}], "image_pull_policy": "Always"},
        extra_pod_config={"host_ipc": True, "runtime_class_name": "nvidia", "set_hostname_as_fqdn": True},
    )
    assert shape.spec["volumes"] == [{"name": "home", "emptyDir": {"sizeLimit": "1000"}}]
    assert shape.container["volumeMounts"] == [{"name": "home", "mountPath": "/home", "subPath": "a"}]
    assert shape.container["envFrom"] == [{"secretRef": {"name": "s"}}]
    assert shape.container["imagePullPolicy"] == "Always"
    assert {"hostIPC", "runtimeClassName", "setHostnameAsFQDN"} <= set(shape.spec)


def test_the_scheduler_does_not_start_with_it(tmp_path: Path, db_url: str) -> None:
    traits = {"argo_server": "http://127.0.0.1:9", "inherit_pod": "off", "staging_path": str(tmp_path)}
    config = Config({"ArgoScheduler": {**traits, "volume_mounts": [{"name": "home", "mountPath": "/home"}]}})
    with pytest.raises(TraitError, match=r"c\.ArgoScheduler\.volume_mounts: 'home' is mounted at /home,"):
        ArgoScheduler(str(tmp_path), ArgoEnvironmentManager(), db_url, config=config)


def test_an_unknown_trait_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(
        InvalidPod, match=r"cpu_limt: this is not a trait of a pod\. Available: cpu_limit"
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
    assert find_creator() == wanted
    labels = build_workflow(JOB, manifest_settings_of(argo_settings(inherit_pod="off")))["metadata"]["labels"]
    assert labels.get("workflows.argoproj.io/creator-preferred-username", "") == wanted


def test_nebari_is_recognized_by_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_on_nebari(SchedulerTraits())
    monkeypatch.setenv("CONDA_STORE_SERVICE", "nebari-conda-store-server:5000")
    assert not is_on_nebari(SchedulerTraits())
    monkeypatch.setenv("CONDA_STORE_SERVICE_NAMESPACE", "dev")
    assert is_on_nebari(SchedulerTraits())
    assert not is_on_nebari(SchedulerTraits(nebari="off"))
    assert not is_on_nebari(SchedulerTraits(nebari=False))
    monkeypatch.delenv("JUPYTER_IMAGE")
    assert shape_of("dev").container == {"image": "set-by-nebari"}


GOOD = st.decimals(min_value=Decimal("1e-9"), max_value=10**15, allow_nan=False, places=9)


@given(GOOD, st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "E-2"]))
def test_a_quantity_keeps_its_amount(number: Decimal, suffix: str) -> None:
    text = f"{number:f}{suffix}"
    canonical = quantities.canonical(text)
    # Kubernetes writes 0.021933556Mi as 23000, and 23000 as 23k: it remembers which kind of suffix there was.
    if canonical.endswith("i") or not suffix.endswith("i"):
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
        shape = shape_of(service_account_path=str(kubernetes.service_account))
    text = caplog.text + str(shape)
    assert "AWS_SECRET_ACCESS_KEY" in caplog.text
    assert not any(secret in text for secret in ("EXAMPLE/0000", "0123456789abcdef", "kubernetes-token"))


def test_a_users_name_that_argo_would_expand_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "{{workflow.name}}")
    with pytest.raises(InvalidPod, match="which Argo would expand"):
        shape_of(image="a", inherit_pod="off", environment={"USER": "{unescaped_username}"})

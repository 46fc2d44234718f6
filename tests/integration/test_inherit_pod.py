"""Inheriting the shape of this server's own pod, from a real HTTPS server that plays Kubernetes' API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from tornado.httpclient import HTTPClientError

from argo_jupyter_scheduler.domain.errors import EngineRefused
from argo_jupyter_scheduler.engines.argo.api import WORKFLOWS
from argo_jupyter_scheduler.engines.argo.connection import Connection, Token, make_url
from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine
from argo_jupyter_scheduler.engines.argo.manifests import build_workflow
from argo_jupyter_scheduler.engines.argo.pods.inheritance import inherit
from argo_jupyter_scheduler.engines.argo.pods.own_pod import OwnPod
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.schema import JobRow
from tests.stand_ins.argo import ArgoStandIn
from tests.stand_ins.kubernetes import KubernetesStandIn
from tests.support import manifests
from tests.support.jobs import Jobs, notebook, refusal
from tests.support.manifests import JOB

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesStandIn]:
    for name in ("CONDA_STORE_SERVICE", "JUPYTER_IMAGE", "JUPYTER_IMAGE_SPEC", "HOSTNAME"):
        monkeypatch.delenv(name, raising=False)
    with KubernetesStandIn(tmp_path / "serviceaccount") as stand_in:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", stand_in.port)
        yield stand_in


def shape_of(kubernetes: KubernetesStandIn, **traits: Any) -> PodShape:
    return manifests.shape_of(service_account_path=str(kubernetes.service_account), **traits)


@pytest.fixture
def alice(kubernetes: KubernetesStandIn, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Alice's pod, as this server's own."""
    name = kubernetes.run_pod("zero-to-jupyterhub", "claim-alice")
    monkeypatch.setenv("HOSTNAME", name)
    return kubernetes.objects[f"pods/{name}"]


def test_only_what_is_meant_leaves(kubernetes: KubernetesStandIn, alice: dict[str, Any]) -> None:
    shape = shape_of(kubernetes)
    names = {one["name"] for one in shape.container["env"]}
    there = {one["name"] for one in alice["spec"]["containers"][0]["env"]}
    assert there - names == {"JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "AWS_SECRET_ACCESS_KEY"}
    assert "kube-api-access" not in str(shape)
    assert "serviceAccountName" not in shape.spec
    assert not {"schedulerName", "nodeName", "priority", "restartPolicy"} & set(shape.spec)
    assert shape_of(kubernetes, inherit_service_account=True).spec["serviceAccountName"] == "user"


@pytest.mark.parametrize("name", ["ARGO_TOKEN", "HERA_TOKEN", "CONDA_STORE_TOKEN", "JUPYTERHUB_API_TOKEN"])
def test_tokens_do_not_leave_as_references_either(
    kubernetes: KubernetesStandIn, alice: dict[str, Any], name: str
) -> None:
    reference = {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    alice["spec"]["containers"][0]["env"] = [
        {"name": name, **reference},
        {"name": "DB_PASSWORD", **reference},
    ]
    assert [one["name"] for one in shape_of(kubernetes).container["env"]] == ["HOME", "DB_PASSWORD"]


@pytest.mark.parametrize(
    ("name", "value", "leaves"),
    [
        ("GITHUB_TOKEN", "x", False),
        ("db_password", "x", False),
        ("DB_PASS", "x", False),
        ("OPENAI_API_KEY", "x", False),
        ("AWS_ACCESS_KEY_ID", "x", False),
        ("AWS_SECRET_ACCESS_KEY", "/abcDEF+key", False),
        ("MY_TOKEN", "/x", False),
        ("JUPYTERHUB_CRYPT_KEY", "x", False),
        ("OPENAI_KEY", "x", False),
        ("GITHUB_PAT", "x", False),
        ("HTTP_AUTHORIZATION", "x", False),
        ("AUTH_HEADER", "Bearer abc", False),
        ("DATABASE_URL", "postgresql://me:secret@db/x", False),
        ("SENTRY_DSN", "https://abc123@sentry.io/1", False),
        ("PIP_EXTRA_INDEX_URL", "https://pypi.org/simple https://t0ken@example.org/simple", False),
        ("ALERTS", "https://hooks.slack.com/services/T0/B0/x", False),
        ("STORE", "DefaultEndpointsProtocol=https;AccountName=me;AccountKey=abc==", False),
        ("UPLOADS", "https://me.blob.core.windows.net/x?sv=2024&sig=abc", False),
        ("OPENAI_API_KEY", "", True),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token", True),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/var/run/key.json", True),
        ("SSH_AUTH_SOCK", "/tmp/agent", True),
        ("SIGNING_PUBLIC_KEY", "x", True),
        ("KEYBOARD", "us", True),
        ("TOKENIZERS_PARALLELISM", "false", True),
        ("DATABASE_URL", "postgresql://db:5432/x", True),
        ("DATABASE_URL", "postgresql://me@db:5432/x?sslmode=require", True),
        ("HOMEPAGE", "https://example.org/@me?a=1", True),
        ("PWD", "/home/jovyan", True),
    ],
)
def test_which_variables_leave(
    kubernetes: KubernetesStandIn, alice: dict[str, Any], name: str, value: str, leaves: bool
) -> None:
    alice["spec"]["containers"][0]["env"] = [{"name": name, "value": value}]
    assert [one["name"] for one in shape_of(kubernetes).container["env"]] == ["HOME"] + [name] * leaves


def test_what_argo_would_expand_does_not_leave(kubernetes: KubernetesStandIn, alice: dict[str, Any]) -> None:
    alice["spec"]["containers"][0]["env"] = [{"name": "A", "value": "{{x}}"}, {"name": "B", "value": "{x}"}]
    assert [one["name"] for one in shape_of(kubernetes).container["env"]] == ["HOME", "B"]


def test_an_init_container_that_argo_would_expand_does_not_leave(
    kubernetes: KubernetesStandIn, alice: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    [other] = alice["spec"]["initContainers"]
    bad = {"name": "bad", "image": "x:1", "command": ["sh", "-c"], "args": ["docker ps --format '{{.ID}}'"]}
    alice["spec"]["initContainers"] = [bad, other]
    shape = shape_of(kubernetes)
    assert [one["name"] for one in shape.spec["initContainers"]] == [other["name"]]
    assert (
        "Runs do not inherit the init container bad of this server's pod, since it contains '{{'"
        in caplog.text
    )


def test_amounts_of_the_servers_container_are_those_of_the_run(
    kubernetes: KubernetesStandIn, alice: dict[str, Any]
) -> None:
    """A real Kubernetes 1.34 never started a pod that asked for the amounts of a container that it had not."""

    def limit(**whose: str) -> dict[str, Any]:
        return {"resourceFieldRef": {"resource": "limits.memory", **whose}}

    def told(**whose: str) -> list[dict[str, Any]]:
        return [{"name": "MEMORY", "valueFrom": limit(**whose)}]

    [server], [other] = alice["spec"]["containers"], alice["spec"]["initContainers"]
    server["env"], server["volumeMounts"] = told(containerName=server["name"]), []
    server["volumeMounts"] = [{"name": name, "mountPath": f"/{name}"} for name in ("info", "csi")]
    info = [{"path": "a", **limit(containerName=server["name"])}]
    info += [{"path": "b", **limit(containerName=other["name"])}]
    csi = {"driver": "blob.csi.azure.com", "volumeAttributes": {"containerName": server["name"]}}
    alice["spec"]["volumes"] = [{"name": "info", "downwardAPI": {"items": info}}, {"name": "csi", "csi": csi}]
    other["env"], other["volumeMounts"] = told(), []

    shape = shape_of(kubernetes)
    assert shape.container["env"][1:] == told(containerName="main")
    info[0] = {"path": "a", **limit(containerName="main")}
    assert [one for one in shape.spec["volumes"] if one["name"] == "csi"] == [{"name": "csi", "csi": csi}]
    assert {"name": "info", "downwardAPI": {"items": info}} in shape.spec["volumes"]
    assert shape.spec["initContainers"][0]["env"] == told()


@pytest.mark.parametrize(
    ("pod", "container", "is_server", "is_run"),
    [
        ({"runAsUser": 0}, {}, (1000, 100), (1000, 100)),
        ({"runAsUser": 1000}, {"runAsUser": 0, "runAsGroup": 0}, (1000, 100), (1000, 100)),
        ({"runAsUser": 0}, {"runAsUser": 1001}, (1001, 100), (1001, None)),
        ({"runAsUser": 0}, {}, (0, 0), (None, None)),
        ({}, {}, (1000, 100), (None, None)),
    ],
)
def test_a_server_that_begins_as_root_and_becomes_its_user(
    alice: dict[str, Any],
    pod: dict[str, int],
    container: dict[str, int],
    is_server: tuple[int, int],
    is_run: tuple[int | None, int | None],
) -> None:
    alice["spec"]["securityContext"] = {"fsGroup": 100, **pod}
    alice["spec"]["containers"][0]["securityContext"] = container
    shape, _ = inherit(OwnPod(alice, "jhub"), user=is_server)
    found = shape.container.get("securityContext") or {}
    assert (found.get("runAsUser"), found.get("runAsGroup")) == is_run


def same_node(**labels: str) -> dict[str, Any]:
    named = {f"hub.jupyter.org/{name}": value for name, value in labels.items()}
    return {"labelSelector": {"matchLabels": named}, "topologyKey": "kubernetes.io/hostname"}


@pytest.mark.parametrize("server", ["", "gpu", None])
def test_a_home_of_one_node_keeps_runs_on_it(
    kubernetes: KubernetesStandIn, alice: dict[str, Any], server: str | None
) -> None:
    whose = {"username": "alice"} if server is None else {"username": "alice", "servername": server}
    alice["metadata"]["labels"]["hub.jupyter.org/servername"] = server
    if server is None:
        del alice["metadata"]["labels"]["hub.jupyter.org/servername"]
    shape = shape_of(kubernetes)
    found = shape.spec["affinity"]["podAffinity"]
    assert found[REQUIRED] == [same_node(**whose)]
    # So that it meets its own term, and is the first where there is no such pod.
    assert shape.labels == found[REQUIRED][0]["labelSelector"]["matchLabels"]
    others = [{"weight": 50, "podAffinityTerm": same_node(username="alice")}]
    assert found.get(PREFERRED, []) == ([] if server is None else others)
    assert "nodeAffinity" in shape.spec["affinity"]

    alice["spec"]["affinity"]["podAffinity"] = {
        REQUIRED: [same_node(username="alice")]
    }  # the hub's administrator did it already
    assert shape_of(kubernetes).spec["affinity"] == alice["spec"]["affinity"]
    del alice["spec"]["affinity"]

    kubernetes.run_pod("gpu", "claim-alice", modes=("ReadWriteMany",))
    assert "affinity" not in shape_of(kubernetes).spec


def test_a_home_of_one_pod_is_told(
    kubernetes: KubernetesStandIn, alice: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    kubernetes.objects["persistentvolumeclaims/claim-alice"]["spec"]["accessModes"] = ["ReadWriteOncePod"]
    shape_of(kubernetes)
    assert "No run can start while this server is on" in caplog.text
    assert "claim-alice (ReadWriteOncePod)" in caplog.text


def test_claims_that_may_not_be_read(
    kubernetes: KubernetesStandIn, alice: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    kubernetes.refused = {"persistentvolumeclaims"}
    [_, term] = shape_of(kubernetes).spec["affinity"]["podAffinity"][PREFERRED]
    assert term == {"weight": 100, "podAffinityTerm": same_node(username="alice", servername="")}
    rule = '{apiGroups: [""], resources: [persistentvolumeclaims], verbs: [get]}'
    assert "can mount claim-alice" in caplog.text
    assert rule in caplog.text

    del alice["metadata"]["labels"]["hub.jupyter.org/username"]
    [_, term] = shape_of(kubernetes).spec["affinity"]["nodeAffinity"][PREFERRED]
    assert term["preference"]["matchFields"][0]["values"] == ["node-a"]
    assert "give this server's pod the label hub.jupyter.org/username" in caplog.text


def test_claims_are_not_asked_for_any_more_once_no_answer_comes(
    kubernetes: KubernetesStandIn, alice: dict[str, Any]
) -> None:
    volumes, mounts = alice["spec"]["volumes"], alice["spec"]["containers"][0]["volumeMounts"]
    for name in ("a", "b"):
        volumes.append({"name": name, "persistentVolumeClaim": {"claimName": f"claim-{name}"}})
        mounts.append({"name": name, "mountPath": f"/{name}"})
    kubernetes.silent = {"persistentvolumeclaims"}
    assert PREFERRED in shape_of(kubernetes).spec["affinity"]["podAffinity"]
    assert [path.split("/")[-2] for path in kubernetes.requests] == ["pods", "persistentvolumeclaims"]


def test_the_servers_container_among_several(kubernetes: KubernetesStandIn, alice: dict[str, Any]) -> None:
    [server] = alice["spec"]["containers"]
    alice["spec"]["containers"] = [{"name": "proxy", "image": "proxy:1"}, server]
    assert shape_of(kubernetes).image == server["image"]
    server["name"] = "jupyter"
    assert shape_of(kubernetes).image == "proxy:1"
    alice["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": "jupyter"}
    assert shape_of(kubernetes).image == server["image"]


def test_without_the_right_it_says_which_rule_is_missing(
    kubernetes: KubernetesStandIn, alice: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    kubernetes.refused = {"pods"}
    shape = shape_of(kubernetes, image="traits:1")
    assert (shape.image, "volumes" in shape.spec) == ("traits:1", False)
    assert 'User "system:serviceaccount:jhub:user" cannot get resource "pods"' in caplog.text
    assert (
        'in namespace jhub, a Role with the rule {apiGroups: [""], resources: [pods], verbs: [get]}'
        in caplog.text
    )


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("ca", "CERTIFICATE_VERIFY_FAILED"),
        ("token", r"(401: Unauthorized)"),
        ("damaged token", "its token is empty or damaged"),
        ("name", 'pods "jupyter-nobody" not found'),
        ("port", "Connection refused"),
        ("hang", "NetworkPolicy"),
        ("no token", "set singleuser.serviceAccountName"),
        ("no kubernetes", "KUBERNETES_SERVICE_HOST is not set"),
    ],
)
def test_a_pod_that_cannot_be_read_is_no_reason_not_to_start(
    kubernetes: KubernetesStandIn,
    alice: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    trouble: str,
    words: str,
) -> None:
    folder = kubernetes.service_account
    if trouble == "ca":
        trustme.CA().cert_pem.write_to_path(str(folder / "ca.crt"))
    elif trouble in ("token", "damaged token"):
        (folder / "token").write_text("another" if trouble == "token" else "a\r\nb")
    elif trouble == "name":
        monkeypatch.setenv("HOSTNAME", "jupyter-nobody")
    elif trouble == "port":
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "9")
    elif trouble == "hang":
        kubernetes.hang_seconds = 30
    elif trouble == "no token":
        (folder / "token").unlink()
    else:
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    begun = time.monotonic()
    assert shape_of(kubernetes, inherit_pod="on", image="traits:1").image == "traits:1"
    assert time.monotonic() - begun < 25
    assert words in caplog.text
    assert "kubernetes-token" not in caplog.text


def test_auto_is_off_outside_kubernetes_and_on_nebari(
    kubernetes: KubernetesStandIn,
    alice: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("CONDA_STORE_SERVICE", "x")
    monkeypatch.setenv("CONDA_STORE_SERVICE_NAMESPACE", "dev")
    assert shape_of(kubernetes).image == "set-by-nebari"
    assert shape_of(kubernetes, inherit_pod=True).image.startswith("quay.io")
    monkeypatch.delenv("CONDA_STORE_SERVICE")
    assert shape_of(kubernetes, inherit_pod="off").image == ""
    (kubernetes.service_account / "token").unlink()
    kubernetes.requests.clear()
    with caplog.at_level("INFO"):
        assert shape_of(kubernetes).image == ""
    assert caplog.text.count("this server's pod, which has no service account") == 1
    assert kubernetes.requests == []
    assert caplog.text.count("do not inherit these environment variables") == 1  # only where it was on


def test_another_namespace_is_told(
    kubernetes: KubernetesStandIn, alice: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    shape_of(kubernetes, namespace="argo")
    assert "Runs are in namespace argo, this server is in jhub" in caplog.text


def engine_of(
    kubernetes: KubernetesStandIn, database: Database, argo: ArgoStandIn, **traits: Any
) -> ArgoEngine:
    account = str(kubernetes.service_account)
    settings = manifests.argo_settings(service_account_path=account, inherit_pod="on", **traits)
    token = Token("the environment variable ARGO_TOKEN", argo.token)
    connection = Connection(make_url(argo.url, "", True), "dev", token, True, 8.0)
    return ArgoEngine(replace(settings, connection=connection), database, "/home/jovyan/staging")


def test_the_servers_pod_is_read_once_and_not_before_it_is_needed(
    kubernetes: KubernetesStandIn, alice: dict[str, Any], database: Database, argo: ArgoStandIn
) -> None:
    engine = engine_of(kubernetes, database, argo)
    assert kubernetes.requests == []
    with ThreadPoolExecutor() as pool:
        built = list(pool.map(engine.build_workflow, [JOB] * 4))
    engine.start()
    assert all(manifest == built[0] for manifest in built)
    assert [path.split("/")[-2] for path in kubernetes.requests] == ["pods", "persistentvolumeclaims"]
    engine.close()


def test_traits_that_do_not_fit_what_is_inherited_are_refused_when_it_is_known(
    kubernetes: KubernetesStandIn, alice: dict[str, Any], database: Database, argo: ArgoStandIn
) -> None:
    engine = engine_of(kubernetes, database, argo, volume_mounts=[{"name": "mine", "mountPath": "/mine"}])
    for use in (engine.start, lambda: engine.submit(JOB)):
        with pytest.raises(EngineRefused, match=r"c\.ArgoScheduler\.volume_mounts: 'mine' is mounted"):
            use()
    # Runs that were started before are still looked after.
    engine.api.call("POST", WORKFLOWS, "", {"workflow": ended_workflow(JOB)})
    argo.wait(JOB.workflow_name)
    queued = replace(JOB, status="QUEUED", create_time=1)
    assert engine.observe([queued], []).jobs[JOB.job_id].ended


def ended_workflow(job: JobRow) -> dict[str, Any]:
    """Return the manifest of a run that an earlier server has submitted, and that fails at once."""
    settings = replace(manifests.manifest_settings(pod_per_step=False), db_url="sqlite:////none")
    return build_workflow(job, settings)


class TestServer:
    """A whole server, which inherits its pod from Kubernetes and sends runs to Argo."""

    @pytest.fixture
    def scheduler_config(
        self, argo_config: dict[str, Any], kubernetes: KubernetesStandIn, alice: dict[str, Any]
    ) -> dict[str, Any]:
        variables = argo_config.pop("environment")
        alice["spec"]["containers"][0]["env"] += [
            {"name": name, "value": value} for name, value in variables.items()
        ]
        del argo_config["image"]
        account = str(kubernetes.service_account)
        return {**argo_config, "argo_namespace": "dev", "service_account_path": account}

    async def test_a_run_has_the_shape_of_the_servers_pod(
        self, jobs: Jobs, argo: ArgoStandIn, kubernetes: KubernetesStandIn
    ) -> None:
        code = "import os; print(os.environ['JUPYTERHUB_USER'], 'JUPYTERHUB_API_TOKEN' in os.environ)"
        argo.secrets["warehouse", "password"] = "pw"
        job = await jobs.wait(await jobs.create("p.ipynb", notebook(code)))
        assert job["status"] == "COMPLETED", job
        workflow = argo.runs[f"job-{job['job_id']}"].workflow
        main = workflow["spec"]["templates"][0]
        assert main["container"]["image"] == "quay.io/jupyter/scipy-notebook:2025-10-20"
        assert {"name": "volume-alice", "mountPath": "/home/jovyan"} in main["container"]["volumeMounts"]
        assert "0123456789abcdef" not in json.dumps(workflow)
        assert [path.split("/")[-2] for path in kubernetes.requests] == ["pods", "persistentvolumeclaims"]


class TestWithoutAnySource:
    """A hub whose pods have no service account: at most the image is known."""

    @pytest.fixture
    def scheduler_config(
        self,
        request: pytest.FixtureRequest,
        argo_config: dict[str, Any],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> dict[str, Any]:
        for name in ("JUPYTER_IMAGE", "JUPYTER_IMAGE_SPEC", "CONDA_STORE_SERVICE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        without = {"volumes": [], "volume_mounts": [], "service_account_path": str(tmp_path / "none")}
        return {**argo_config, **without, **request.param}

    @pytest.mark.parametrize("scheduler_config", [{"image": ""}], indirect=True)
    async def test_the_dialog_names_the_traits(
        self, jobs: Jobs, argo: ArgoStandIn, staging_path: Path
    ) -> None:
        with pytest.raises(HTTPClientError) as error:
            await jobs.create("p.ipynb", notebook("1"))
        message = refusal(error)
        for trait in ("image", "volumes", "volume_mounts", "inherit_pod"):
            assert f"c.ArgoScheduler.{trait}" in message
        assert not argo.runs
        assert list(staging_path.iterdir()) == []

    @pytest.mark.parametrize("scheduler_config", [{"python_executable": "/nowhere/python"}], indirect=True)
    async def test_a_run_whose_pod_could_not_write_its_row_says_so(self, jobs: Jobs) -> None:
        job = await jobs.wait(await jobs.create("p.ipynb", notebook("1")))
        assert job["status"] == "FAILED"
        assert "staging area is not on a volume that the pods mount" in job["status_message"]
        assert "c.ArgoScheduler.volumes" in job["status_message"]

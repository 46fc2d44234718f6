"""The pages' configuration works: YAML that can be applied, traits with valid values, rights that suffice.

`tests/unit/test_documentation.py` checks the rest: commands, options, links.
"""

from __future__ import annotations

import itertools
import re
import socket
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from jupyter_scheduler.extension import SchedulerApp
from traitlets.config import Config, LoggingConfigurable
from traitlets.config.loader import PyFileConfigLoader

from argo_jupyter_scheduler.cli.doctor.argo import list_rights
from argo_jupyter_scheduler.config.settings import make_engine_settings
from argo_jupyter_scheduler.config.traits import SchedulerTraits
from argo_jupyter_scheduler.engines.argo.connection import Connection, Token
from argo_jupyter_scheduler.engines.argo.engine import ArgoEngine
from argo_jupyter_scheduler.engines.argo.pods.shape import PodShape
from argo_jupyter_scheduler.engines.argo.pods.shape_sources import build_shape, helper_resources
from argo_jupyter_scheduler.engines.argo.settings import ArgoSettings, PodSettings
from argo_jupyter_scheduler.scheduler import ArgoScheduler
from argo_jupyter_scheduler.storage.database import Database

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


class Server(SchedulerTraits, LoggingConfigurable):
    """What of `ArgoScheduler` can be made without a database."""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


def documents() -> list[dict[str, Any]]:
    """Return all YAML documents of all pages."""
    texts = itertools.chain(*(blocks(page, "yaml") for page in PAGES))
    return [one for text in texts for one in yaml.safe_load_all(text)]


OBJECTS = [one for one in documents() if "apiVersion" in one]
VALUES = [one["singleuser"] for one in documents() if "singleuser" in one]


def check_traits(config: dict[str, Any]) -> None:
    """See that traits exist and take what they are given, and that Kubernetes would."""
    known = {"ArgoScheduler": ArgoScheduler, "Scheduler": ArgoScheduler, "SchedulerApp": SchedulerApp}
    for section, values in config.items():
        assert set(values) <= set(known[section].class_traits(config=True)), section
    traits = config.get("ArgoScheduler", {})
    server = Server(
        config=Config(Server={key: one for key, one in traits.items() if key in Server.class_traits()})
    )
    settings = make_engine_settings(server, "/home/staging", "/home").argo
    assert settings
    shape = build_shape(settings.pods, PodShape())
    assert settings.connection.url
    assert helper_resources(settings.pods)
    assert shape.image or not traits.get("image")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what a hub sets."""
    monkeypatch.setenv("JUPYTERHUB_USER", "alice")
    monkeypatch.setenv("ARGO_SERVER", "argo:2746")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def test_objects_are_complete() -> None:
    kinds = [one["kind"] for one in OBJECTS]
    assert {"Role", "RoleBinding", "ServiceAccount", "NetworkPolicy", "Deployment"} <= set(kinds)
    for one in OBJECTS:
        assert one["metadata"]["name"]
        assert one["kind"] == "Namespace" or one["metadata"]["namespace"] in ("jhub", "jupyter")
    there = {(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in OBJECTS}
    for one in OBJECTS:
        for named in [one.get("roleRef"), *one.get("subjects", [])]:
            assert named is None or (named["kind"], one["metadata"]["namespace"], named["name"]) in there


@pytest.mark.parametrize("namespace", ["jhub", "jupyter"])
def test_the_roles_grant_what_is_needed(namespace: str, database: Database) -> None:
    roles = [one for one in OBJECTS if one["kind"] == "Role" and one["metadata"]["namespace"] == namespace]
    rules = list(itertools.chain(*(role["rules"] for role in roles)))
    granted = {
        (group, resource, verb)
        for rule in rules
        for group, resource, verb in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }
    connection = Connection("https://x/", "dev", Token(), True, 1.0)
    engine = ArgoEngine(ArgoSettings(connection, PodSettings()), database, "/home/staging")
    needed = {("argoproj.io", right.resource, right.verb) for right in list_rights(engine)}
    needed |= {("argoproj.io", "workflowtaskresults", verb) for verb in ("create", "patch")}
    needed |= {("", kind, "get") for kind in ("pods", "persistentvolumeclaims")}
    assert granted == needed


def test_the_hubs_values_are_traits(hub: None) -> None:
    assert len(VALUES) == 2
    for values in VALUES:
        file, authority = values["extraFiles"].values()
        assert file["mountPath"].endswith("/jupyter_server_config.json")
        check_traits(file["data"])
        assert file["data"]["ArgoScheduler"]["argo_ca_bundle"] == authority["mountPath"]


def test_the_certificate_is_one_that_a_client_trusts(tmp_path: Path) -> None:
    [text] = [one for one in blocks(ROOT / "docs" / "zero-to-jupyterhub.md", "shell") if "openssl" in one]
    [command] = re.findall(r"^openssl (?:.*\\\n)*.*", text, re.MULTILINE)
    subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True)
    server, client = (
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        ssl.create_default_context(cafile=tmp_path / "argo.crt"),
    )
    server.load_cert_chain(tmp_path / "argo.crt", tmp_path / "argo.key")
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 does
    here, there = socket.socketpair()
    with here, there, ThreadPoolExecutor() as pool:
        answer = pool.submit(server.wrap_socket, there, server_side=True)
        name = VALUES[0]["extraFiles"]["scheduler-config"]["data"]["ArgoScheduler"]["argo_server"]
        client.wrap_socket(here, server_hostname=name.partition(":")[0]).close()
        answer.result().close()


def test_configuration_in_manifests_is_traits(hub: None) -> None:
    [config] = [one for one in OBJECTS if one["kind"] == "ConfigMap"]
    check_traits(yaml.safe_load(config["data"]["jupyter_server_config.json"]))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_configuration_in_python_is_traits(
    hub: None, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGO_JUPYTER_SCHEDULER_DB_PASSWORD", "secret")
    for text in blocks(page, "python"):
        (tmp_path / "config.py").write_text(text)
        config = PyFileConfigLoader("config.py", str(tmp_path)).load_config()
        if "scheduler_class.use_conda_store_env" in text:  # which Nebari sets on the class itself
            assert ArgoScheduler.__dict__["use_conda_store_env"] is True
            del ArgoScheduler.use_conda_store_env
        else:
            check_traits(config)


def test_tests_that_the_security_page_names_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "security.md").read_text(encoding="utf-8")))
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    there = set(re.findall(r"def (test_\w+)", "".join(sources)))
    assert named
    assert named <= there

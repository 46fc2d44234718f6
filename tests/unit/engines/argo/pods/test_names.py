"""Labels, slugs and templates, for any name that a user may have."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from argo_jupyter_scheduler.engines.argo.pods import names as naming

USERS = st.one_of(st.text(max_size=80), st.from_regex(r"[a-zA-Z0-9@._-]{1,70}", fullmatch=True))

KUBESPAWNER = {
    # What KubeSpawner 7.1 made of them: user, named server, {username}, {user_server}, {escaped_username}.
    ("alice", ""): ("alice", "alice", "alice"),
    ("alice", "gpu"): ("alice", "alice--gpu", "alice"),
    ("Ada.Lovelace@example.org", ""): (
        "ada-lovelace-example-org---059b8523",
        "ada-lovelace-example-org---059b8523",
        "-41da-2e-4covelace-40example-2eorg",
    ),
    ("ada@x.org", "gpu server"): (
        "ada-x-org---210e59f6",
        "ada-x-org---210e59f6--gpu-server---ac0c8cfd",
        "ada-40x-2eorg",
    ),
    ("a" * 60, ""): ("a" * 37 + "---11ee3912", "a" * 17 + "--x---dc276c9a", "a" * 60),
    ("bob--x", ""): ("bob-x---ee9b647c", "bob-x---ee9b647c", "bob-2d-2dx"),
    ("7up", ""): ("x-7up---be39b1e7", "x-7up---be39b1e7", "7up"),
    ("zoë", "täst"): ("zo---2752b886", "zo---2752b886--t-st---6db94e19", "zo-c3-ab"),
}


@pytest.mark.parametrize(("user", "server"), KUBESPAWNER)
def test_names_are_those_that_kubespawner_makes(user: str, server: str) -> None:
    names = naming.make_template_names(user, server)
    wanted = KUBESPAWNER[user, server]
    assert (names["username"], names["user_server"], names["escaped_username"]) == wanted
    assert naming.make_template_names(user, server, scheme="escape")["username"] == wanted[2]
    assert (names["unescaped_username"], names["unescaped_servername"]) == (user, server)


@given(USERS)
def test_any_text_becomes_a_label(text: str) -> None:
    value = naming.make_label_value(text)
    assert len(value) <= 63
    assert naming.LABEL_VALUE.fullmatch(value)
    assert naming.make_label_value(value) == value
    assert bool(value) == bool(re.search(r"[a-zA-Z0-9]", text[-63:]))


@given(st.text(min_size=1, max_size=80), st.sampled_from(["safe", "escape"]))
@example("../alice", "safe")
@example("../alice", "escape")
@example("{{workflow.name}}{0.__class__}", "safe")
@example("{{workflow.name}}{0.__class__}", "escape")
def test_no_users_folder_is_anothers(user: str, scheme: str) -> None:
    names = naming.make_template_names(user, scheme=scheme)
    [home, name] = naming.expand_templates("home/{username}", names).split("/")
    assert (home, set(name) & set(".{}\\")) == ("home", set())


@given(USERS, st.one_of(st.just(""), USERS))
def test_any_user_becomes_a_name(user: str, server: str) -> None:
    names = naming.make_template_names(user, server)
    for name in ("username", "user_server") if user else ():
        assert len(names[name]) <= 48
        assert naming.DNS_LABEL.fullmatch(names[name])
    assert naming.make_slug(user) != naming.make_slug(f"{user}x")


@given(st.text(max_size=30))
def test_a_label_that_is_one_stays_as_it_is(text: str) -> None:
    if naming.LABEL_VALUE.fullmatch(text):
        assert naming.make_label_value(text) == text


NAMES = naming.make_template_names("ada@x.org", "", "jhub", "jupyter-ada")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("claim-{username}", "claim-ada-x-org---210e59f6"),
        ("{username}--{servername}", "ada-x-org---210e59f6"),
        ("{user_server}-", "ada-x-org---210e59f6-"),
        ([{"a": "{namespace}/{pod_name}", "b": 1}], [{"a": "jhub/jupyter-ada", "b": 1}]),
        ('{{"json": 1}}', '{"json": 1}'),
        ("", ""),
    ],
)
def test_templates(value: Any, wanted: Any) -> None:
    assert naming.expand_templates(value, NAMES) == wanted


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"claim": "secret {user}"}, r"claim names \{user\}, which is unknown here\. Available: escaped_"),
        (
            {"claim": ["secret {"]},
            r"claim\[0\] is not a template \(.*\)\. Write a literal brace twice",
        ),
        ("secret {0}", "it is not a template"),
        (
            "secret {pvc_name}",
            r"it names \{pvc_name\}: only the hub knows it\. .* claim-\{user_server\}, or inherit",
        ),
        ("secret {hubnamespace}", r"only the hub knows it\. Write it out; \{namespace\} is"),
        ("secret {userid}", r"only the hub knows it\. Use"),
    ],
)
def test_a_template_that_names_nothing_known(value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words) as error:
        naming.expand_templates(value, NAMES)
    assert "secret" not in str(error.value)


def test_without_a_hub_no_user_is_known() -> None:
    with pytest.raises(ValueError, match="JUPYTERHUB_USER is not set"):
        naming.expand_templates("claim-{username}", naming.make_template_names("", namespace="dev"))

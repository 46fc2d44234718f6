"""Addresses of targets, and messages as plain text."""

from __future__ import annotations

import pytest

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.notify.occasions import is_wanted
from argo_jupyter_scheduler.notify.summary import RunSummary
from argo_jupyter_scheduler.notify.target_client import hide_address, read_service
from argo_jupyter_scheduler.notify.target_message import compose_message
from argo_jupyter_scheduler.notify.targets import make_environment, read_environment


def test_addresses_travel_as_environment_variables() -> None:
    addresses = {"team": "mailto://a", "on-call-1": "json://b"}
    environment = make_environment(addresses)
    assert environment["NOTIFICATION_TARGET_on-call-1"] == "json://b"
    assert (
        read_environment({"PATH": "/bin", **environment, "NOTIFICATION_TARGET_team": "mailto://a\n"})
        == addresses
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('Failed for ada@example.org at "smtp.example.org:25"', 'Failed for … at "…:25"'),
        ("no p%40ss, no p@ssw0rd, no abcd-token", "no p%40ss, no …, no …"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_no_part_of_an_address_is_shown(text: str, shown: str) -> None:
    address = "mailtos://ada%40example.org:p%40ssw0rd@smtp.example.org:25/abcd-token?to=x@y.org"
    assert hide_address(text, address) == shown


@pytest.mark.parametrize(
    ("address", "limits"),
    [
        ("json://example.org/x", (4, 60)),
        ("json://example.org/x?rto=2", (4, 2)),
        ("mailto://a:b@example.org", (60, 4)),
        ("mailto://a:b@example.org?cto=2", (2, 4)),
    ],
)
def test_a_slow_service_has_the_time_of_the_run(address: str, limits: tuple[float, float]) -> None:
    service = read_service(address, 60)
    assert service
    assert service.request_timeout == limits


def test_a_message_has_all_that_slacks_has() -> None:
    summary = RunSummary("a @here", "n.ipynb", "3 s", "on host", "E: x", failures=3, link="https://x/")
    message = compose_message(summary)
    assert (message.kind, message.title) == ("failure", "a @\u2060here has failed")
    assert message.text.split("\n\n") == [
        "n.ipynb · 3 s · on host",
        "E: x",
        messages.runs.runs_failed(3),
        "https://x/",
    ]
    assert compose_message(RunSummary("a", "n", "", "h", "", has_recovered=True)).title == "a has recovered"


@pytest.mark.parametrize(
    ("notify_on", "wanted"),
    [
        ("always", {"c", "f", "C", "F"}),
        ("success", {"c", "C"}),
        ("failure", {"f", "F"}),
        ("change", {"C", "F"}),
    ],
)
def test_occasions(notify_on: str, wanted: set[str]) -> None:
    """A capital letter is a result that differs from the last one."""
    found = {one for one in "cfCF" if is_wanted(notify_on, one in "cC", one.isupper())}
    assert found == wanted

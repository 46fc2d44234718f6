"""Late runs, of which a definition's targets hear."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.jobs.late_runs import LateRuns
from argo_jupyter_scheduler.storage.database import Database
from tests.stand_ins.receivers import Receivers, body, is_secret
from tests.support.services import Services, SmallEngine

MIDNIGHT = int(datetime(2026, 3, 2, tzinfo=timezone.utc).timestamp()) * 1000
LATE = MIDNIGHT + (6 * 60 + 11) * 60_000


class EngineWithTargets(SmallEngine):
    notification_targets = ("team", "ops")


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with Receivers() as receivers:
        yield receivers


class Watch:
    """A definition that runs at six, and servers that look at eleven minutes past."""

    def __init__(self, database: Database, folder: Path, addresses: dict[str, str]) -> None:
        engine = EngineWithTargets()
        self.services = Services(database, folder, engine, notification_targets=addresses)
        self.services.write("n.ipynb", '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}')
        tags = ("late:10m", "notify:team,ops", "notify_on:success")
        definition_id = self.services.define(name="nightly", tags=tags)
        database.update_definition(definition_id, update_time=MIDNIGHT)

    def look(self, servers: int = 2) -> None:
        for _ in range(servers):
            LateRuns(self.services.jobs, clock=lambda: LATE).report()


def test_each_target_hears_once(database: Database, tmp_path: Path, receivers: Receivers) -> None:
    Watch(database, tmp_path, receivers.targets).look()
    [mail], [post] = receivers.mails, receivers.posts
    assert mail["Subject"] == post["title"] == "nightly did not start in time"
    for text in (body(mail), post["message"]):
        assert "n.ipynb · due 2026-03-02 06:00 UTC · grace 10 min" in text
        assert messages.schedules.NO_RUN in text
    assert post["type"] == "warning"


def test_a_target_that_cannot_be_reached_costs_no_other_message(
    database: Database, tmp_path: Path, receivers: Receivers, caplog: pytest.LogCaptureFixture
) -> None:
    receivers.status = 500
    Watch(database, tmp_path, {"ops": receivers.targets["ops"]}).look()
    ours = [record for record in caplog.records if record.name == "argo_jupyter_scheduler"]
    [line] = [record.getMessage() for record in ours if record.levelno == logging.WARNING]
    assert f"did not start within 10 min. {messages.schedules.NO_RUN} No message was sent to team: " in line
    assert messages.notifications.TARGET_WITHOUT_ADDRESS in line
    assert "No message was sent to ops: " in line
    assert "500" in line
    assert receivers.asked == 1
    assert not is_secret(line.encode())

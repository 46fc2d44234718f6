"""Where a run's outputs are put, and under which names."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from argo_jupyter_scheduler.domain.errors import RunError
from argo_jupyter_scheduler.steps import rename_files, success
from argo_jupyter_scheduler.steps.context import Context, Result
from argo_jupyter_scheduler.storage.database import Database
from argo_jupyter_scheduler.storage.destinations import RECORD
from argo_jupyter_scheduler.storage.folders import delivered_record
from argo_jupyter_scheduler.storage.locks import locked
from tests.support.delivery import CREATED, DATE, DEFINITION, MOMENT, NOTEBOOK, OTHER, TIME, Ended


def test_without_a_folder_nothing_is_delivered(database: Database, tmp_path: Path) -> None:
    assert Ended(database, tmp_path, "").deliver().files == []


def test_placeholders_are_filled_by_the_run(database: Database, tmp_path: Path) -> None:
    ended = Ended(
        database, tmp_path, "r/{name}/{date}/{time}/{region}/{status}-{city}", parameters={"city": "Oslo"}
    )
    assert ended.deliver().files == [f"r/Sales - EU/{DATE}/{TIME}/North/completed-Oslo/n-{MOMENT}.html"]


def test_a_placeholder_has_the_moment_that_the_notebook_gets(database: Database, tmp_path: Path) -> None:
    ended = Ended(database, tmp_path, "r/{region}/{scheduled_time}", job_definition_id=DEFINITION)
    (ended.run.folder.path / "n.ipynb").write_text(
        NOTEBOOK.replace("region = 'North'", "region = choose()\\nscheduled_time = 'now'")
    )
    settings = ended.run.folder.read_settings()
    ended.run.folder.write_settings(replace(settings, scheduled_time="2026-03-02T06:00:00+01:00"))
    assert ended.deliver().files == [
        "r/_/2026-03-02T06-00-00+01-00/n-2026-03-02-06-00-00.html",
        "r/_/latest/n.html",
    ]


def test_a_failed_run_delivers_what_there_is(database: Database, tmp_path: Path) -> None:
    ended = Ended(database, tmp_path, "{status}", succeeded=False, job_definition_id=DEFINITION)
    assert ended.deliver().files == [f"failed/n-{MOMENT}.html"]  # and no `latest`


def test_files_that_the_notebook_made_come_along(database: Database, tmp_path: Path) -> None:
    ended = Ended(database, tmp_path, "r", job_definition_id=DEFINITION)
    ended.run.folder.stage(ended.run.folder.path / "n.ipynb", None)
    (ended.run.folder.path / "data").mkdir()
    (ended.run.folder.path / "data" / "a.csv").write_text("1")
    assert ended.deliver().files == [
        "r/latest/n.html",
        "r/latest/n/data/a.csv",
        f"r/n-{MOMENT}.html",
        f"r/n-{MOMENT}/data/a.csv",
    ]


def test_a_second_process_finds_what_the_first_delivered(database: Database, tmp_path: Path) -> None:
    ended = Ended(database, tmp_path, "r/{job_id}", output_formats=("html", "log"))
    ended.run.folder.log.write_text("one\n")
    before = ended.deliver().files
    ended.run.folder.log.write_text("one\ntwo\n")
    assert ended.deliver().files == before
    assert (ended.root / "r" / ended.run.id / f"n-{MOMENT}.log").read_text() == "one\ntwo\n"
    assert ended.run.folder.read(delivered_record(1))["complete"]


def test_a_log_that_a_killed_process_delivered_is_not_doubled(database: Database, tmp_path: Path) -> None:
    """It has grown since, so it is not recognised by its content."""
    ended = Ended(database, tmp_path, "r", output_formats=("html", "log"))
    ended.run.folder.log.write_text("one\n")
    before = ended.deliver().files
    record = ended.run.folder.read(delivered_record(1))
    log = f"n-{MOMENT}.log"
    [published] = [name for name in record["files"] if name.endswith(".log")]
    del record["files"][published]
    ended.run.folder.write(delivered_record(1), {**record, "complete": False, "begun": {published: log}})
    ended.run.folder.log.write_text("one\ntwo\n")
    assert ended.deliver().files == before
    assert (ended.root / "r" / log).read_text() == "one\ntwo\n"


def test_what_a_killed_process_left_beside_its_place_is_deleted(database: Database, tmp_path: Path) -> None:
    ended = Ended(database, tmp_path, "r", job_definition_id=DEFINITION)
    folder = ended.root / "r"
    (folder / "latest").mkdir(parents=True)
    begin = ended.run.id[:8]
    for name in (
        f".{begin}0123.part",
        f"latest/.{begin}4567.part",
        f".{begin}89ab.part",
        ".01234567890a.part",
    ):
        (folder / name).write_text("half")
    with locked(folder / f".{begin}89ab.part"):  # of a process that lives
        ended.deliver()
    parts = [path.name for path in folder.rglob(".*.part")]
    assert sorted(parts) == sorted([f".{begin}89ab.part", ".01234567890a.part"])


def test_several_places_get_the_outputs(database: Database, tmp_path: Path) -> None:
    ended = Ended(database, tmp_path, "r/{name}, all", job_definition_id=DEFINITION).deliver()
    assert sorted(ended.files) == sorted(
        [
            f"all/n-{MOMENT}.html",
            "all/latest/n.html",
            f"r/Sales - EU/n-{MOMENT}.html",
            "r/Sales - EU/latest/n.html",
        ]
    )
    assert set(ended.run.folder.delivered().values()) == {
        str(ended.root / "r" / "Sales - EU" / f"n-{MOMENT}.html")
    }


def test_a_place_that_fails_does_not_keep_the_outputs_from_the_others(
    database: Database, tmp_path: Path
) -> None:
    ended = Ended(database, tmp_path, "file/below,r")
    (ended.root / "file").parent.mkdir(exist_ok=True)
    (ended.root / "file").write_text("not a folder")
    with pytest.raises(RunError, match="could not be written to"):
        ended.deliver()
    assert f"r/n-{MOMENT}.html" in ended.files


def test_runs_of_one_second_have_names_of_their_own(database: Database, tmp_path: Path) -> None:
    first, second = Ended(database, tmp_path, "r").deliver(), Ended(database, tmp_path, "r").deliver()
    assert first.files == [f"r/n-{MOMENT}-{second.run.id[:8]}.html", f"r/n-{MOMENT}.html"]
    assert (first.root / "r" / f"n-{MOMENT}.html").read_text() == first.run.id


def test_latest_has_the_last_successful_outputs(database: Database, tmp_path: Path) -> None:
    fields: dict[str, Any] = {"job_definition_id": DEFINITION}
    latest = tmp_path / "root" / "r" / "latest"
    first = Ended(database, tmp_path, "r/{date}", **fields, create_time=CREATED).deliver()
    assert (latest / "n.html").read_text() == first.run.id
    newer = Ended(database, tmp_path, "r/{date}", **fields, create_time=CREATED + 60_000).deliver()
    assert (latest / "n.html").read_text() == newer.run.id
    Ended(
        database, tmp_path, "r/{date}", **fields, create_time=CREATED + 30_000
    ).deliver()  # which took longer
    Ended(database, tmp_path, "r/{date}", False, **fields, create_time=CREATED + 90_000).deliver()
    assert (latest / "n.html").read_text() == newer.run.id
    fewer = Ended(
        database, tmp_path, "r/{date}", **fields, create_time=CREATED + 99_000, output_formats=("ipynb",)
    )
    fewer.run.folder.output("ipynb").write_text("{}")
    fewer.deliver()
    assert [path.name for path in latest.iterdir() if not path.name.startswith(".")] == ["n.ipynb"]


def test_a_run_about_a_moment_to_come_does_not_keep_later_ones_out(
    database: Database, tmp_path: Path
) -> None:
    fields: dict[str, Any] = {"job_definition_id": DEFINITION}
    latest = tmp_path / "root" / "r" / "latest" / "n.html"
    ahead = Ended(database, tmp_path, "r", **fields)
    settings = ahead.run.folder.read_settings()
    ahead.run.folder.write_settings(replace(settings, scheduled_time="2050-01-01T00:00:00+00:00"))
    ahead.deliver()
    assert latest.read_text() == ahead.run.id
    later = Ended(database, tmp_path, "r", **fields, create_time=CREATED + 60_000).deliver()
    assert latest.read_text() == later.run.id


@pytest.mark.parametrize(
    "record",
    [
        {"files": []},
        {"files": {"n.html": 3}},
        {"files": {"n.html": {"definition": DEFINITION, "moment": "soon"}}},
    ],
)
def test_a_record_that_somebody_edited_says_nothing(
    database: Database, tmp_path: Path, record: dict[str, Any]
) -> None:
    ended = Ended(database, tmp_path, "r", job_definition_id=DEFINITION)
    latest = ended.root / "r" / "latest"
    latest.mkdir(parents=True)
    (latest / RECORD).write_text(json.dumps(record))
    ended.deliver()
    assert (latest / "n.html").read_text() == ended.run.id


def test_definitions_that_share_a_folder_keep_their_names(database: Database, tmp_path: Path) -> None:
    one = Ended(database, tmp_path, "r", job_definition_id=DEFINITION).deliver()
    two = Ended(database, tmp_path, "r", job_definition_id=OTHER).deliver()
    latest = tmp_path / "root" / "r" / "latest"
    assert (latest / "n.html").read_text() == one.run.id
    assert (latest / f"n-{OTHER[:8]}.html").read_text() == two.run.id


def test_a_file_of_the_user_in_latest_is_not_overwritten(database: Database, tmp_path: Path) -> None:
    ended = Ended(database, tmp_path, "r", job_definition_id=DEFINITION)
    theirs = ended.root / "r" / "latest" / "n.html"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")
    with pytest.raises(RunError, match=r"latest/n\.html' already exists, and no run wrote it"):
        ended.deliver()
    assert theirs.read_text() == "mine"
    # A pod of a later step knows it, too, and the panel still has the outputs.
    later = Context(ended.run.id, database, ended.run.folder)
    status, reason = later.outcome()
    assert status == "FAILED"
    assert "could not be written to" in reason
    assert ended.run.published(".html").is_file()
    with pytest.raises(RunError, match="no run wrote it"):
        success.run(later)


def test_an_attempt_that_fails_after_one_whose_delivery_failed_is_a_failure(
    database: Database, tmp_path: Path
) -> None:
    ended = Ended(database, tmp_path, "r/{status}", job_definition_id=DEFINITION)
    blocked = ended.root / "r" / "latest"
    blocked.parent.mkdir()
    blocked.write_text("")
    with pytest.raises(RunError, match=r"/r/latest' already exists, and no run wrote it"):
        ended.deliver()
    blocked.unlink()
    ended.context.write_result(Result(False, "KeyError: 'x'", attempts=2))
    ended.run.folder.output("html").write_text("failed")
    assert f"r/failed/n-{MOMENT}.html" in ended.deliver().files
    assert not blocked.exists()


def test_a_folder_that_cannot_be_written_fails_the_run(database: Database, tmp_path: Path) -> None:
    ended = Ended(database, tmp_path, "r/{name}")
    (ended.root / "r").write_text("a file")
    with pytest.raises(RunError, match=r"could not be written to .*/root/r/Sales - EU"):
        ended.deliver()


def test_a_pod_without_the_root_folder_does_not_write_into_its_own_disk(
    database: Database, tmp_path: Path
) -> None:
    ended = Ended(database, tmp_path, "r")
    ended.run.folder.write_settings(
        replace(ended.run.folder.read_settings(), engine="argo", root_dir="/nowhere")
    )
    with pytest.raises(RunError, match="the pods do not mount the root folder"):
        ended.deliver()
    assert not Path("/nowhere").exists()


def test_the_last_step_delivers_what_a_killed_pod_did_not(database: Database, tmp_path: Path) -> None:
    ended = Ended(database, tmp_path, "r")
    rename_files.publish(ended.run.folder, ended.run.row, ["html"])
    success.run(ended.context)
    assert ended.files == [f"r/n-{MOMENT}.html"]
    assert ended.run.row.status == "COMPLETED"


def test_a_scheduled_run_is_named_after_its_moment(database: Database, tmp_path: Path) -> None:
    due = CREATED // 1000 - 7
    token = f"job-def-{DEFINITION}-{due}"
    ended = Ended(database, tmp_path, "r", job_definition_id=DEFINITION, idempotency_token=token).deliver()
    assert f"r/n-{datetime.fromtimestamp(due):%Y-%m-%d-%H-%M-%S}.html" in ended.files

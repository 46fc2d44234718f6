"""The log of a run: whatever prints, and past whatever, it stays lines of text."""

from __future__ import annotations

import logging
import os
import subprocess
from pathlib import Path

import pytest

from argo_jupyter_scheduler.domain.log_lines import keep_records_on_lines
from argo_jupyter_scheduler.steps.run_log import drain, note, tee
from tests.support.hostile import WORDS, is_one_line


def test_programs_that_print_past_the_kernel_do_not_steer_a_terminal(tmp_path: Path) -> None:
    with tee(tmp_path / "log"):
        os.write(1, b"a\x1b[31m\x1b]0;title\x07\tb\nc\x08\x00\x7f")
        subprocess.run(["printf", r"\033[2Jd\n"], check=True)
        drain()
    assert (tmp_path / "log").read_bytes() == b"a[31m]0;title\tb\nc[2Jd\n"


def test_what_a_notebook_put_in_the_place_of_its_log_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("another run's")
    (tmp_path / "link").symlink_to("other")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        note(tmp_path / name, "no message")
        with tee(tmp_path / name):
            print("printed")
    assert (tmp_path / "other").read_text() == "another run's"


@pytest.mark.parametrize("word", [word for word in WORDS if not is_one_line(word)])
def test_a_record_is_one_line_unless_its_own_text_has_several(
    word: str, caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("one-line")
    keep_records_on_lines(log)
    keep_records_on_lines(log)
    assert len(log.filters) == 1
    log.warning("'%s': %d%%", word, 5)
    log.warning("Traceback:\n%s", f"{word}\nb")
    first, second = (record.getMessage() for record in caplog.records)
    assert is_one_line(first)
    assert first.endswith("': 5%")
    assert second.startswith("Traceback:\n")
    assert all(map(is_one_line, second.split("\n")))


def test_a_record_that_cannot_be_written_is_left_to_the_handler(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("one-line")
    keep_records_on_lines(log)
    log.addFilter(lambda record: False)
    log.warning("%d", "a")
    log.filters.clear()

"""The moment that a run is about."""

from __future__ import annotations

import pytest

from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.moments import format_moment, read_moment

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-03-02", "2026-03-02T00:00:00+01:00"),
        ("2026-03-02 06:30", "2026-03-02T06:30:00+01:00"),
        (" 2026-07-02T06:30:15 ", "2026-07-02T06:30:15+02:00"),
        ("2026-03-02T05:00:59.999Z", "2026-03-02T06:00:59+01:00"),  # as JavaScript writes it
        ("2026-03-02T06:00Z", "2026-03-02T07:00:00+01:00"),
        ("2026-03-02T06:00:00-0800", "2026-03-02T15:00:00+01:00"),
        ("2026-03-29T03:00", "2026-03-29T03:00:00+02:00"),  # clocks went forward an hour before
        ("2026-10-25T02:30", "2026-10-25T02:30:00+02:00"),  # comes twice
        ("2026-10-25T02:30+01:00", "2026-10-25T02:30:00+01:00"),
    ],
)
def test_a_moment_is_written_in_the_zone(text: str, written: str) -> None:
    assert format_moment(read_moment(text, BERLIN), BERLIN) == written
    assert format_moment(read_moment(written, None), BERLIN) == written


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "yesterday",
            "2026-3-2",
            "2026-02-30",
            "2026-03-02T25:00",
            "2026-03-02T06",
            "06:00",
            "2026-03-02T06:00.5",
        ),
        *(
            "2026-03-02T06:00+25:00",
            "2026-03-02T06:00 Europe/Berlin",
            "0001-01-01T00:00+10:00",
            "\uff12\uff10\uff12\uff16-03-02",
        ),
    ],
)
def test_what_is_not_a_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidJob, match="is not a date or a time"):
        read_moment(text, BERLIN)


def test_a_moment_that_clocks_skip_is_refused() -> None:
    with pytest.raises(InvalidJob, match="2026-03-29T02:30 does not exist in Europe/Berlin"):
        read_moment("2026-03-29T02:30", BERLIN)
    assert read_moment("2026-03-29T02:30", "UTC")


def test_seconds_are_written_in_utc_without_a_zone_that_is_known() -> None:
    for zone in (None, "", "Mars/Base", "../etc/passwd"):
        assert format_moment(1_795_423_080, zone) == "2026-11-23T08:38:00+00:00"

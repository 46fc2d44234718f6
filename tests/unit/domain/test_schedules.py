"""Cron's fields as Argo reads them."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.schedules import find_clock_change, normalize, parse
from tests.support import cron_reference


def after(schedule: str, moment: str, zone: str = "UTC") -> str | None:
    """Return the next time in a zone after another, both as ISO writes them."""
    start = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone))
    found = parse(schedule, zone).after(int(start.timestamp() * 1000))
    if found is None:
        return None
    return datetime.fromtimestamp(found / 1000, ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        ("* * * * *", "2026-03-01T10:00:30", "2026-03-01T10:01"),
        ("*/15 * * * *", "2026-03-01T10:16", "2026-03-01T10:30"),
        ("5/20 * * * *", "2026-03-01T10:26", "2026-03-01T10:45"),
        ("0 9-17/4 * * MON-FRI", "2026-03-06T17:00", "2026-03-09T09:00"),
        ("0 0 ? jan,JUL *", "2026-03-01T10:00", "2026-07-01T00:00"),
        ("0 0 13 * 5", "2026-03-01T10:00", "2026-03-06T00:00"),  # either day will do
        ("0 0 13 * 0-6", "2026-03-01T10:00", "2026-03-02T00:00"),  # so a full one does for both
        ("0 0 1-31 * MON", "2026-03-03T10:00", "2026-03-04T00:00"),
        ("0 0 */1 * MON", "2026-03-03T10:00", "2026-03-09T00:00"),  # but of a star, both must do
        ("0 0 *,5 * MON", "2026-03-03T10:00", "2026-03-09T00:00"),
        ("  0 6 *\t* *  ", "2026-03-01T10:00", "2026-03-02T06:00"),
        ("0 0 29 2 *", "2026-03-01T10:00", "2028-02-29T00:00"),
        ("0 0 31 2 *", "2026-03-01T10:00", None),
        ("@daily", "2026-03-01T10:00", "2026-03-02T00:00"),
        ("@weekly", "2026-03-01T10:00", "2026-03-08T00:00"),
        ("@every 1h30m", "2026-03-01T10:00", "2026-03-01T11:30"),
        ("@every 90000ms", "2026-03-01T10:00:30", "2026-03-01T10:02"),
        ("@every 1m.5h60000000µs1.m", "2026-03-01T10:00", "2026-03-01T10:33"),
        ("@every 0.57h", "2026-03-01T10:00:48", "2026-03-01T10:35"),
    ],
)
def test_next_time(schedule: str, moment: str, expected: str | None) -> None:
    assert after(schedule, moment) == expected


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 1), ("1999ms", 1), ("2562047h", 2562047 * 3600)])
def test_every_is_of_whole_seconds(text: str, seconds: int) -> None:
    assert parse(f"@every {text}", None).every == seconds


def test_every_counts_from_where_it_is_told() -> None:
    schedule = parse("@every 10m", None)
    begin = 1_000_000_500
    expected = [begin - 500 + 600_000 * number for number in (1, 1, 2, 3)]
    assert [schedule.after(begin + 1000 * late, begin) for late in (0, 599, 600, 1799)] == expected


def field(low: int, high: int, *others: str) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    part = st.one_of(number.map(str), span, st.builds("{}/{}".format, span, st.integers(1, 5)))
    return st.sampled_from(["*", "?", "*/1", "*/2", "*,3", *others]) | st.lists(
        part, min_size=1, max_size=3
    ).map(",".join)


@given(
    st.builds(
        "{} {} {} {} {}".format,
        field(0, 59),
        st.just("*") | field(0, 23),
        field(1, 31, "1-31", "13"),
        st.just("*") | field(1, 12),
        field(0, 6, "0-6", "SUN-SAT", "mon"),
    ),
    st.integers(0, 366 * 1440),
    st.sampled_from(["UTC", "Europe/Berlin"]),
)
def test_a_minute_is_due_exactly_when_it_is_for_argo(schedule: str, minute: int, zone: str) -> None:
    begin = 1_767_225_600 + 60 * minute  # from 2026 on
    window = range(begin, begin + 120 * 60, 60)
    expected = next((at for at in window if cron_reference.matches(schedule, zone, at)), None)
    found = (parse(schedule, zone).after(begin * 1000 - 1) or 0) // 1000
    assert (found if found in window else None) == expected


@given(
    st.builds(
        "{} {} {} {} {}".format,
        field(0, 59),
        st.just("*") | field(0, 23),
        st.just("*") | field(1, 31, "1-31"),
        st.just("*") | field(1, 12),
        st.just("*") | field(0, 6, "mon"),
    ),
    st.sampled_from([1_774_746_000, 1_792_890_000, 1_767_225_600]),  # clocks forward, back, and neither
    st.integers(-6 * 3600, 6 * 3600),
    st.sampled_from(["UTC", "Europe/Berlin"]),
)
def test_the_last_time_is_the_one_after_which_no_other_came(
    schedule: str, begin: int, seconds: int, zone: str
) -> None:
    moment = (begin + seconds) * 1000
    parsed = parse(schedule, zone)
    found = parsed.latest(moment)
    if found is None:
        assert parsed.after(moment) is None
        return
    assert found <= moment
    assert parsed.after(found - 1) == found
    following = parsed.after(found)
    assert following is None or following > moment


@pytest.mark.parametrize(
    ("late", "expected"), [(0, None), (599, None), (600, 600), (1199, 600), (1200, 1200), (1201, 1200)]
)
def test_the_last_time_of_every_counts_from_where_it_is_told(late: int, expected: int | None) -> None:
    begin = 1_000_000_000
    found = parse("@every 10m", None).latest(begin + late * 1000, begin)
    assert found == (None if expected is None else begin + expected * 1000)


def test_a_day_that_never_comes_has_never_been() -> None:
    assert parse("0 0 31 2 *", None).latest(1_774_746_000_000) is None


def test_a_time_zone_has_its_own_midnight_and_its_own_summer() -> None:
    assert after("0 6 * * *", "2026-03-28T12:00", "Europe/Berlin") == "2026-03-29T06:00"
    start = int(datetime(2026, 3, 29, 0, 0, tzinfo=timezone.utc).timestamp() * 1000)
    found = parse("0 6 * * *", "Europe/Berlin").after(start)
    assert found == int(datetime(2026, 3, 29, 4, 0, tzinfo=timezone.utc).timestamp() * 1000)
    assert (
        after("30 2 * * *", "2026-03-28T12:00", "Europe/Berlin") == "2026-03-30T02:30"
    )  # skipped that night


def test_the_hour_that_comes_twice_in_autumn_is_run_twice() -> None:
    schedule = parse("*/30 * * * *", "Europe/Berlin")
    moment = int(datetime(2026, 10, 24, 23, 45, tzinfo=timezone.utc).timestamp() * 1000)
    found = []
    for _ in range(6):
        moment = schedule.after(moment) or 0
        found.append(datetime.fromtimestamp(moment / 1000, ZoneInfo("Europe/Berlin")).strftime("%H:%M"))
    assert found == ["02:00", "02:30", "02:00", "02:30", "03:00", "03:30"]


@pytest.mark.parametrize(
    "schedule",
    [
        *("61 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "-1 * * * *", "5-2 * * * *"),
        *(
            "*/0 * * * *",
            "1-2-3 * * * *",
            "1//2 * * * *",
            "a * * * *",
            ", * * * *",
            "* * * foo *",
            "² * * * *",
        ),
        *(
            "*/٣ * * * *",
            f"*/{2**63} * * * *",
            "*,99 * * * *",
            " @daily",
            "@daily ",
            " @every 1h",
            "@every  1h",
        ),
        *(
            "@every 2562048h",
            "@every 1h ",
            "@every 1d",
            "@every 1٣s",
            "@every 1 h",
            "@every -1h",
            "@every ms",
        ),
        *("* * * *", "* * * * * *", "0 0 * * * * *", "@often", "@every", "@every 0s", "@every 5", "@every x"),
        *("", "   ", "CRON_TZ=UTC * * * * *", "0 0 L * *", "0 0 * * 1#2", "* * * * *" + " " * 300),
    ],
)
def test_what_argo_refuses_is_refused(schedule: str) -> None:
    with pytest.raises(InvalidJob):
        parse(schedule, "UTC")


@pytest.mark.parametrize("zone", ["Mars/X", "europe/berlin", "GMT+1", "../etc"])
def test_unknown_time_zones_are_refused(zone: str) -> None:
    with pytest.raises(InvalidJob, match="not found"):
        parse("* * * * *", zone)


@given(st.text(alphabet="0123456789*/-,@? LW#adehimnouvry", max_size=20))
def test_any_text_is_a_schedule_or_an_invalid_job(text: str) -> None:
    try:
        schedule = parse(text, None)
    except InvalidJob:
        return
    cron_reference.check(text)
    found = schedule.after(0)
    assert found is None or found > 0


@pytest.mark.parametrize(
    ("stock", "argo"),
    [
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * 5-7", "0 0 * * 5-6,0"),
        ("0 0 * * 1,7", "0 0 * * 1,0"),
        ("30 6 * * 1 0", "30 6 * * 1"),
        ("0 7 7 7 *", "0 7 7 7 *"),
        ("0 0 L * *", "0 0 L * *"),
        ("@daily", "@daily"),
        ("1 2 3 4 5 6", "1 2 3 4 5 6"),
    ],
)
def test_what_the_stock_backend_takes_is_translated_for_argo(stock: str, argo: str) -> None:
    assert normalize(stock) == argo


def test_sunday_may_be_seven() -> None:
    assert parse("0 0 * * 7", "UTC") == parse("0 0 * * 0", "UTC")
    assert parse("0 0 * * 5-7", "UTC") == parse("0 0 * * 0,5,6", "UTC")


@pytest.mark.parametrize(
    ("schedule", "day", "hours"),
    [
        ("30 2 * * *", "2026-03-29", []),
        ("0 */2 * * *", "2026-03-29", ["00:00", "04:00", "06:00"]),
        ("30 * * * *", "2026-03-29", ["00:30", "01:30", "03:30"]),
        ("0 3 * * *", "2026-03-29", ["03:00"]),
        ("30 2 * * *", "2026-10-25", ["02:30", "02:30"]),
        ("0 */2 * * *", "2026-10-25", ["00:00", "02:00", "02:00", "04:00"]),
        ("30 * * * *", "2026-10-25", ["00:30", "01:30", "02:30", "02:30", "03:30"]),
        ("0 3 * * *", "2026-10-25", ["03:00"]),
    ],
)
def test_the_examples_of_the_page_about_schedules(schedule: str, day: str, hours: list[str]) -> None:
    """In Europe/Berlin, when clocks change: here and as Argo reads it."""
    berlin = ZoneInfo("Europe/Berlin")
    midnight = int(datetime.fromisoformat(day).replace(tzinfo=berlin).timestamp())
    due, moment = [], midnight * 1000 - 1
    while (moment := parse(schedule, "Europe/Berlin").after(moment) or 0) < (midnight + 26 * 3600) * 1000:
        local = datetime.fromtimestamp(moment / 1000, berlin)
        if local.date().isoformat() == day:
            due.append(local.strftime("%H:%M"))
    minutes = range(midnight, midnight + 25 * 3600, 60)
    reference = [
        datetime.fromtimestamp(minute, berlin)
        for minute in minutes
        if cron_reference.matches(schedule, "Europe/Berlin", minute)
    ]
    assert due == [one.strftime("%H:%M") for one in reference if one.date().isoformat() == day]
    assert due[: len(hours)] == hours


@pytest.mark.parametrize(
    ("moment", "zone", "expected"),
    [
        ("2026-03-29T12:00:00+02:00", "Europe/Berlin", "forward"),
        ("2026-03-29T00:30:00+01:00", "Europe/Berlin", "forward"),
        ("2026-03-28T12:00:00+01:00", "Europe/Berlin", ""),
        ("2026-03-30T00:00:00+02:00", "Europe/Berlin", ""),
        ("2026-10-25T02:30:00+02:00", "Europe/Berlin", "back"),
        ("2026-10-25T02:30:00+01:00", "Europe/Berlin", "back"),
        ("2026-03-08T12:00:00-04:00", "America/Havana", "forward"),  # from midnight to 1:00
        ("2026-11-01T00:30:00-04:00", "America/Havana", "back"),  # from 1:00 to midnight
        ("2026-11-01T00:30:00-05:00", "America/Havana", "back"),
        ("2026-04-05T12:00:00+10:30", "Australia/Lord_Howe", "back"),  # by half an hour
        ("2026-03-29T12:00:00+00:00", "UTC", ""),
    ],
)
def test_days_when_clocks_change(moment: str, zone: str, expected: str) -> None:
    milliseconds = int(datetime.fromisoformat(moment).timestamp() * 1000)
    assert find_clock_change(milliseconds, zone) == expected

"""`next` as a calendar: RFC 5545 as another library reads it, and the few rules that it is lax about."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from taskcfg.control.coming import coming_fires
from taskcfg.control.icalendar import calendar_lines
from taskcfg.spec.pause import Pause
from taskcfg.spec.policy import Policy
from taskcfg.spec.schedule import Cron
from taskcfg.spec.task import TaskSpec
from taskcfg.testing import make_spec

NOW = datetime(2026, 10, 20, 12, 30, 15, 678901, tzinfo=UTC)
START, END = datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 10, 27, tzinfo=UTC)


def nightly(**fields: object) -> TaskSpec:
    return make_spec(schedule=Cron("30 2 * * *"), timezone="Europe/Berlin", **fields)


def calendar(*specs: TaskSpec, now: datetime = NOW, **pauses: Pause) -> bytes:
    coming = coming_fires(specs, START, END, None, pauses)
    return b"".join(calendar_lines(coming, {spec.name: spec for spec in specs}, now))


def check_lines(text: bytes) -> None:
    """Fail unless *text* keeps what RFC 5545 says of lines: their ends, their lengths, their letters."""
    assert text.endswith(b"\r\n")
    assert b"\n" not in text.replace(b"\r\n", b"") and b"\r" not in text.replace(b"\r\n", b"")
    for line in text.split(b"\r\n")[:-1]:
        assert 0 < len(line) <= 75
        line.decode()
    for line in text.replace(b"\r\n ", b"").decode().split("\r\n")[:-1]:
        assert re.match(r"[A-Z-]+:", line)
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", line)


def test_each_fire_is_an_event_with_its_fire_time_in_utc() -> None:
    text = calendar(nightly(description="Bills; all, of them \\ now\r\nand then"))

    check_lines(text)
    read = Calendar.from_ical(text)
    assert read["VERSION"] == "2.0"
    assert read["PRODID"].startswith("-//taskcfg//")
    assert [(event["SUMMARY"], event.start, event["DTSTAMP"].dt) for event in read.events] == [
        ("nightly", datetime(2026, 10, 24, 0, 30, tzinfo=UTC), NOW.replace(microsecond=0)),
        ("nightly", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), NOW.replace(microsecond=0)),
        ("nightly", datetime(2026, 10, 26, 1, 30, tzinfo=UTC), NOW.replace(microsecond=0)),
    ]
    words = "Bills; all, of them \\ now\nand then\n\nat 02:30 every day, Europe/Berlin"
    assert [str(event["DESCRIPTION"]) for event in read.events] == [
        words,
        f"{words}\n02:30 comes twice: fires once, the first",
        f"{words}\nclocks have gone back by 1h",
    ]
    assert text.count(b"DTSTART:20261024T003000Z\r\n") == 1


def test_an_event_keeps_its_uid_whenever_it_is_asked_for_and_shares_it_with_no_other() -> None:
    specs = nightly(), make_spec("other", schedule=Cron("30 2 * * *"), timezone="Europe/Berlin")
    jittered = nightly(policy=Policy(jitter=timedelta(minutes=5)))

    first = Calendar.from_ical(calendar(*specs)).events
    later = Calendar.from_ical(calendar(*specs, now=NOW + timedelta(days=1))).events
    moved = Calendar.from_ical(calendar(jittered)).events

    uids = [str(event["UID"]) for event in first]
    assert len(set(uids)) == len(uids) == 6
    assert [str(event["UID"]) for event in later] == uids
    assert {str(event["UID"]) for event in moved} == {
        str(event["UID"]) for event in first if event["SUMMARY"] == "nightly"
    }
    assert [event.start for event in moved] != [event.start for event in first[::2]]
    assert all("and jitter" in event["DESCRIPTION"] for event in moved)


def test_a_fire_that_a_pause_keeps_back_says_so() -> None:
    pause = Pause("oncall", "INC-1", NOW, datetime(2026, 10, 25, tzinfo=UTC))

    events = Calendar.from_ical(calendar(nightly(), nightly=pause)).events

    assert [str(event["SUMMARY"]) for event in events] == ["nightly (paused)", "nightly", "nightly"]


def test_without_fires_it_is_a_calendar_all_the_same() -> None:
    text = calendar(nightly(enabled=False))

    check_lines(text)
    assert list(Calendar.from_ical(text).events) == []


@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_any_description_comes_back_but_for_control_characters(description: str) -> None:
    text = calendar(nightly(description=description))

    check_lines(text)
    said = str(Calendar.from_ical(text).events[0]["DESCRIPTION"])
    kept = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", re.sub("\r\n?", "\n", description.strip()))
    assert said.removesuffix("at 02:30 every day, Europe/Berlin").strip() == kept.strip()


@pytest.mark.parametrize("letter", ["a", "ä", "€", "𝄞", ",", "\n"])
def test_a_line_is_folded_at_any_place_without_cutting_a_letter_in_two(letter: str) -> None:
    for length in range(50, 90):
        check_lines(calendar(nightly(description="x" * length + letter * 80)))

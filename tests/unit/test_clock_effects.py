"""What clock changes do to schedules, in the words of `explain` and of `next`."""

from datetime import UTC, datetime, timedelta

import pytest

from taskcfg.spec.calendar import calendar_of
from taskcfg.spec.clock_effects import change_days, clock_note
from taskcfg.spec.schedule import Cron, Dst, Every, Gap, Repeat, Schedule, qualified, union
from taskcfg.spec.times.clock_changes import clock_changes
from taskcfg.spec.times.timetable import timetable
from taskcfg.spec.times.zones import zone_named

SKIP_BOTH = Dst(Gap.SKIP, Repeat.BOTH)


def year(number: int) -> tuple[datetime, datetime]:
    return datetime(number, 1, 1, tzinfo=UTC), datetime(number + 1, 1, 1, tzinfo=UTC)


def said(schedule: Schedule, zone: str, number: int) -> dict[str, list[str]]:
    days = change_days(schedule, zone, *year(number))
    return {day.heading: [effect.words for effect in day.effects] for day in days}


@pytest.mark.parametrize(
    ("zone", "number", "shifts"),
    [
        ("UTC", 2026, []),
        ("Asia/Kathmandu", 2026, []),
        ("Europe/Berlin", 2026, [("2026-03-29T01:00", 3600), ("2026-10-25T01:00", -3600)]),
        ("Australia/Lord_Howe", 2026, [("2026-04-04T15:00", -1800), ("2026-10-03T15:30", 1800)]),
        ("Antarctica/Troll", 2026, [("2026-03-29T01:00", 7200), ("2026-10-25T01:00", -7200)]),
        (
            "Pacific/Apia",
            2011,
            [("2011-04-02T14:00", -3600), ("2011-09-24T14:00", 3600), ("2011-12-30T10:00", 86400)],
        ),
    ],
)
def test_the_clock_changes_of_a_year(zone: str, number: int, shifts: list[tuple[str, int]]) -> None:
    found = [
        (f"{change.at:%Y-%m-%dT%H:%M}", change.shift // timedelta(seconds=1))
        for change in clock_changes(zone_named(zone), *year(number))
    ]

    assert found == shifts


def test_a_clock_change_is_in_a_span_that_begins_with_it_and_not_in_one_that_ends_with_it() -> None:
    zone, at = zone_named("Europe/Berlin"), datetime(2026, 3, 29, 1, tzinfo=UTC)
    second = timedelta(seconds=1)

    assert [change.at for change in clock_changes(zone, at, at + second)] == [at]
    assert list(clock_changes(zone, at - second, at)) == []
    assert list(clock_changes(zone, at + second, at + timedelta(days=30))) == []


@pytest.mark.parametrize(
    ("schedule", "zone", "number", "expected"),
    [
        (
            Cron("30 2 * * *"),
            "Europe/Berlin",
            2026,
            {
                "Sun 29 Mar 2026, clocks go from 02:00 to 03:00": ["02:30 does not exist; fires at 03:00"],
                "Sun 25 Oct 2026, clocks go back from 03:00 to 02:00": [
                    "02:30 comes twice; fires once, the first"
                ],
            },
        ),
        (
            Cron("0,20,40 2 * * *"),
            "Europe/Berlin",
            2026,
            {
                "Sun 29 Mar 2026, clocks go from 02:00 to 03:00": [
                    "02:00, 02:20 and 02:40 do not exist; fires once, at 03:00"
                ],
                "Sun 25 Oct 2026, clocks go back from 03:00 to 02:00": [
                    "02:00, 02:20 and 02:40 come twice; each fires once, the first time"
                ],
            },
        ),
        (
            qualified(Cron("30 2 * * *"), dst=SKIP_BOTH),
            "Europe/Berlin",
            2026,
            {
                "Sun 29 Mar 2026, clocks go from 02:00 to 03:00": ["02:30 does not exist; does not fire"],
                "Sun 25 Oct 2026, clocks go back from 03:00 to 02:00": [
                    "02:30 comes twice; fires both times"
                ],
            },
        ),
        (
            Cron("*/15 * * * *"),
            "America/New_York",
            2026,
            {
                "Sun 8 Mar 2026, clocks go from 02:00 to 03:00": [
                    "follows real time: 4 times from 02:00 to 02:45 do not exist; 4 fires fewer that day"
                ],
                "Sun 1 Nov 2026, clocks go back from 02:00 to 01:00": [
                    "follows real time: 4 times from 01:00 to 01:45 come twice; 4 fires more that day"
                ],
            },
        ),
        (
            Cron("15 2 * * *"),
            "Australia/Lord_Howe",
            2026,
            {
                "Sun 5 Apr 2026, clocks go back from 02:00 to 01:30": [],
                "Sun 4 Oct 2026, clocks go from 02:00 to 02:30": ["02:15 does not exist; fires at 02:30"],
            },
        ),
        (
            Cron("30 23 * * *"),
            "America/Santiago",
            2026,
            {
                "Sun 5 Apr 2026, clocks go back from 00:00 to Sat 4 Apr 23:00": [
                    "Sat 4 Apr 23:30 comes twice; fires once, the first"
                ],
                "Sun 6 Sep 2026, clocks go from 00:00 to 01:00": [],
            },
        ),
        (Every(timedelta(hours=1)), "Europe/Berlin", 2026, {}),
        (Cron("30 2 * * *"), "UTC", 2026, {}),
    ],
)
def test_what_a_clock_change_does(
    schedule: Schedule, zone: str, number: int, expected: dict[str, list[str]]
) -> None:
    assert said(schedule, zone, number) == expected


def test_a_day_that_did_not_exist() -> None:
    words = said(Cron("30 9 * * *"), "Pacific/Apia", 2011)

    assert words["Fri 30 Dec 2011, clocks go from 00:00 to Sat 31 Dec 00:00"] == [
        "09:30 does not exist; fires at Sat 31 Dec 00:00"
    ]


def test_a_clock_change_outside_the_bounds_or_on_a_day_of_a_calendar_affects_nothing() -> None:
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    heading = "Sun 29 Mar 2026, clocks go from 02:00 to 03:00"
    rule = Cron("30 2 * * *")

    assert said(qualified(rule, end=change), "Europe/Berlin", 2026)[heading] == []
    assert said(qualified(rule, start=change + timedelta(seconds=1)), "Europe/Berlin", 2026)[heading] == []
    assert len(said(qualified(rule, start=change), "Europe/Berlin", 2026)[heading]) == 1
    sundays = calendar_of("sundays", (), weekdays=1)
    assert said(qualified(rule, skip_on=[sundays]), "Europe/Berlin", 2026)[heading] == []


def test_each_schedule_of_a_list_meets_the_changes_of_its_own_zone() -> None:
    schedule = union([Cron("30 2 * * *"), qualified(Cron("30 2 * * *"), timezone="America/New_York")])

    days = change_days(schedule, "Europe/Berlin", *year(2026))

    assert [(day.change.zone.key, [effect.schedule for effect in day.effects]) for day in days] == [
        ("America/New_York", ["30 2 * * * (America/New_York)"]),
        ("Europe/Berlin", ["30 2 * * * (Europe/Berlin)"]),
        ("Europe/Berlin", ["30 2 * * * (Europe/Berlin)"]),
        ("America/New_York", []),
    ]


@pytest.mark.parametrize("expression", ["30 2 * * *", "*/20 2 * * *", "0,30 1-3 * * *", "45 1 * * *"])
@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Australia/Lord_Howe", "Antarctica/Troll", "Africa/Casablanca"]
)
@pytest.mark.parametrize("dst", [Dst(), SKIP_BOTH])
def test_the_number_of_fires_said_is_that_of_the_timetable(expression: str, zone: str, dst: Dst) -> None:
    """What is skipped or comes twice is told apart by a clock that never changes."""
    schedule = qualified(Cron(expression), dst=dst)
    day = timedelta(days=1)

    for change, effects in ((each.change, each.effects) for each in change_days(schedule, zone, *year(2026))):
        fires = timetable(schedule, zone).count_between(change.at - day, change.at + day, 1)[0]
        on_the_wall = timetable(Cron(expression), "UTC")
        lowest, highest = sorted((change.old, change.new))
        start = (change.at - day + change.before).replace(tzinfo=UTC)
        end = (change.at + day + change.after).replace(tzinfo=UTC)
        usual = on_the_wall.count_between(start, end, 1)[0]
        concerned = on_the_wall.count_between(
            lowest.replace(tzinfo=UTC), highest.replace(tzinfo=UTC) - timedelta(seconds=1), 1
        )[0]
        assert sum(effect.times for effect in effects) == concerned
        expected = usual - concerned + sum(effect.fires for effect in effects)
        if change.shift > timedelta(0) and effects and effects[0].fires and _names(expression, change.new):
            expected -= 1  # the time that is shown next is the same instant
        assert fires == expected


def _names(expression: str, wall: datetime) -> bool:
    at = wall.replace(tzinfo=UTC)
    return timetable(Cron(expression), "UTC").count_between(at, at, 1)[0] == 1


@pytest.mark.parametrize(
    ("schedule", "zone", "start", "notes"),
    [
        (
            Cron("30 2 * * *"),
            "Europe/Berlin",
            "2026-03-29T00:00",
            ["02:30 does not exist that day: runs at 03:00"],
        ),
        (
            Cron("30 1 * * *"),
            "America/New_York",
            "2026-11-01T04:00",
            ["01:30 comes twice: fires once, the first"],
        ),
        (
            qualified(Cron("30 1 * * *"), dst=SKIP_BOTH),
            "America/New_York",
            "2026-11-01T04:00",
            ["01:30 comes twice: this is the first", "01:30 comes twice: this is the second"],
        ),
        (
            Cron("30 9 * * *"),
            "Pacific/Apia",
            "2011-12-29T20:00",
            ["Fri 30 Dec 09:30 does not exist: runs at Sat 31 Dec 00:00"],
        ),
        (
            Cron("0 0 * * *"),
            "America/Santiago",
            "2026-09-06T03:30",
            ["00:00 does not exist that day: runs at 01:00"],
        ),
        (
            Cron("15 2 * * *"),
            "Australia/Lord_Howe",
            "2026-10-03T12:00",
            ["02:15 does not exist that day: runs at 02:30"],
        ),
        (Cron("15 3 * * *"), "Europe/Berlin", "2026-03-29T00:00", [None]),
        (
            Every(timedelta(minutes=90), datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
            "America/New_York",
            "2026-11-01T06:00",
            ["01:30 comes twice: fires once, the second"],
        ),
    ],
)
def test_the_note_on_a_fire(schedule: Schedule, zone: str, start: str, notes: list[str | None]) -> None:
    table = timetable(schedule, zone)
    since = datetime.fromisoformat(start).replace(tzinfo=UTC)

    found = list(table.between(since, since + timedelta(hours=18), len(notes)))

    assert [clock_note(nominal, table) for nominal in found] == notes

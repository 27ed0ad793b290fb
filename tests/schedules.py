"""Schedules of every form, and the zones and moments at which they are hard: strategies for properties."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from taskcfg.spec.calendar import Calendar, calendar_of
from taskcfg.spec.schedule import (
    At,
    Cron,
    CronFields,
    Dst,
    Every,
    Gap,
    Part,
    Repeat,
    Schedule,
    parts_of,
    qualified,
    union,
)
from taskcfg.spec.times.cron import NAMED_FIELDS, NICKNAMES
from taskcfg.spec.times.cron_terms import InvalidCron
from taskcfg.spec.times.timetable import timetable

# Clock changes of all kinds: an hour, half an hour, two hours, at midnight, a month of winter in
# summer, and a day that was left out.
CHANGES = {
    "America/New_York": ("2026-03-08T07:00Z", "2026-11-01T06:00Z"),
    "Europe/Berlin": ("2026-03-29T01:00Z", "2026-10-25T01:00Z"),
    "Europe/London": ("2026-03-29T01:00Z", "2026-10-25T01:00Z"),
    "Australia/Lord_Howe": ("2026-04-04T15:00Z", "2026-10-03T15:30Z"),
    "America/Santiago": ("2026-04-05T03:00Z", "2026-09-06T04:00Z"),
    "America/Havana": ("2026-03-08T05:00Z", "2026-11-01T05:00Z"),
    "Atlantic/Azores": ("2026-03-29T01:00Z", "2026-10-25T01:00Z"),
    "Antarctica/Troll": ("2026-03-29T01:00Z", "2026-10-25T01:00Z"),
    "Africa/Casablanca": ("2026-02-15T02:00Z", "2026-03-22T02:00Z"),
    "Pacific/Apia": ("2011-12-30T10:00Z",),
    "Asia/Kathmandu": ("2026-03-29T01:00Z",),
    "UTC": ("2026-03-29T01:00Z",),
}
ZONES = tuple(CHANGES)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


instants = st.builds(
    lambda seconds: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds),
    st.integers(0, 6 * 365 * 86_400),
)


@st.composite
def zones_and_moments(draw: st.DrawFn, zones: tuple[str, ...] = ZONES) -> tuple[str, datetime]:
    """A zone and a moment within 36 hours of a change of its clocks."""
    zone = draw(st.sampled_from(zones))
    change = utc(draw(st.sampled_from(CHANGES[zone])))
    return zone, change + timedelta(seconds=draw(st.integers(-36 * 3600, 36 * 3600)))


places = st.one_of(zones_and_moments(), st.tuples(st.sampled_from(ZONES), instants))


def terms(lowest: int, highest: int) -> st.SearchStrategy[str]:
    """One to three numbers, ranges and steps."""
    number = st.integers(lowest, highest)
    ends = st.lists(number, min_size=2, max_size=2, unique=True).map(sorted)
    step = st.integers(1, 9)
    term = st.one_of(
        number.map(str),
        ends.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.builds(lambda pair, by: f"{pair[0]}-{pair[1]}/{by}", ends, step),
        st.builds(lambda first, by: f"{first}/{by}", number, step),
    )
    return st.lists(term, min_size=1, max_size=3).map(",".join)


def field(lowest: int, highest: int) -> st.SearchStrategy[str]:
    stepped = st.integers(1, highest).map(lambda by: f"*/{by}")
    return st.one_of(st.just("*"), stepped, terms(lowest, highest))


seconds = st.sampled_from(["0", "30", "*/20", "5-50/15", "59"])
days = st.one_of(field(1, 31), st.sampled_from(["L", "LW", "1,LW", "15,L", "29"]))
months = st.one_of(field(1, 12), st.sampled_from(["JAN,jul", "MAR-MAY", "*/2"]))
weekdays = st.one_of(
    field(0, 7), st.sampled_from(["5L", "7L", "TUE#1", "SUN#5", "MON#2,3", "sat,SUN", "FRI-MON", "FRIL"])
)
weekday_names = st.sampled_from(["MON-FRI", "sun", "TUE#1", "FRIL", "FRI-MON", "SAT,SUN", "MON#2,WED", "*"])
years = st.sampled_from(["2011", "2026", "2024-2030/2", "2011,2026,2027", "*"])

five_fields = st.tuples(field(0, 59), field(0, 23), days, months, weekdays).map(" ".join)
# Times of every day, near the changes: most of the others never meet one.
daily = st.tuples(field(0, 59), field(0, 4), st.just("* * *")).map(" ".join)


def fires(schedule: Schedule) -> bool:
    try:
        timetable(schedule, "UTC")
    except InvalidCron:
        return False
    return True


crons = st.builds(
    Cron,
    st.one_of(
        five_fields, daily, st.tuples(seconds, daily).map(" ".join), st.sampled_from(sorted(NICKNAMES))
    ),
).filter(fires)
_named = {
    "second": seconds,
    "minute": field(0, 59),
    "hour": field(0, 5),
    "day": days,
    "month": months,
    "day_of_week": weekday_names,
    "year": years,
}
cron_fields = (
    st.fixed_dictionaries({}, optional=_named)
    .filter(bool)
    .map(lambda given: CronFields(tuple((name, given[name]) for name in NAMED_FIELDS if name in given)))
    .filter(fires)
)
intervals = st.builds(Every, st.integers(1, 400 * 86_400).map(lambda each: timedelta(seconds=each)), instants)
near = st.sampled_from(sorted({change for changes in CHANGES.values() for change in changes})).flatmap(
    lambda change: st.integers(-200_000, 200_000).map(lambda each: utc(change) + timedelta(seconds=each))
)
lists = st.builds(
    lambda found: At(tuple(sorted(found))), st.sets(st.one_of(instants, near), min_size=1, max_size=20)
)
rules = st.one_of(crons, cron_fields, intervals, lists)

dsts = st.builds(Dst, st.sampled_from(Gap), st.sampled_from(Repeat))
_change_days = [
    utc(change).date() + timedelta(days=by)
    for each in CHANGES.values()
    for change in each
    for by in (-1, 0, 1)
]
calendars: st.SearchStrategy[Calendar] = st.builds(
    calendar_of,
    st.sampled_from(["holidays", "freeze", "working"]),
    st.sets(
        st.one_of(st.sampled_from(_change_days), st.dates(date(2024, 1, 1), date(2030, 1, 1))), max_size=12
    ),
    st.integers(0, 127),
)


@st.composite
def qualifieds(draw: st.DrawFn) -> Part:
    """A rule with any of what may stand beside it."""
    bounds = sorted(draw(st.sets(st.one_of(instants, near), min_size=2, max_size=2)))
    start, end = (bound if draw(st.booleans()) else None for bound in bounds)
    return qualified(
        draw(rules),
        start=start,
        end=end,
        timezone=draw(st.none() | st.sampled_from(ZONES)),
        dst=draw(dsts),
        skip_on=draw(st.lists(calendars, max_size=2)),
        only_on=draw(st.lists(calendars, max_size=1)),
    )


parts = st.one_of(rules, qualifieds())
unions = st.lists(parts, min_size=2, max_size=4).map(union).filter(lambda each: len(parts_of(each)) > 1)
schedules: st.SearchStrategy[Schedule] = st.one_of(parts, unions)

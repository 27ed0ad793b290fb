"""Schedules of every form, for properties."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import strategies as st

from taskcfg.spec.calendar import calendar_of
from taskcfg.spec.schedule import (
    EPOCH,
    At,
    Cron,
    CronFields,
    Dst,
    Every,
    Gap,
    Manual,
    Part,
    Repeat,
    Rule,
    Schedule,
    qualified,
    union,
)

CALENDARS = {
    "holidays": calendar_of("holidays", [date(2026, 12, 25), date(2027, 1, 1)]),
    "weekends": calendar_of("weekends", [], weekdays=0b1000001),
    "2026": calendar_of("2026", [date(2026, 1, 1)]),
}

EXPRESSIONS = (
    *("0 3 * * *", "*/5 9-17 * * MON-FRI", "0 0 L * *", "0 0 LW * *", "0 9 * * TUE#1", "0 9 * * 5L"),
    *("30 0 3 * * *", "@daily", "@hourly", "0 9 * * FRI-MON", "0,30 8 1,15 * sun"),
)
FIELDS = (
    (("hour", "2"),),
    (("minute", "0"), ("hour", "9"), ("day", "2-8"), ("day_of_week", "WED")),
    (("second", "*/10"), ("month", "JAN,JUL"), ("year", "2026-2199")),
    (("day_of_week", "FRIL"),),
)

_instants = st.timedeltas(timedelta(days=400), timedelta(days=80_000)).map(lambda after: EPOCH + after)
_crons = st.one_of(st.sampled_from(EXPRESSIONS).map(Cron), st.sampled_from(FIELDS).map(CronFields))
_others = st.one_of(
    st.builds(
        Every,
        st.integers(1, 10**7).map(lambda number: timedelta(seconds=number)),
        st.one_of(st.just(EPOCH), _instants),
    ),
    st.sets(_instants, min_size=1, max_size=4).map(lambda found: At(tuple(sorted(found)))),
)
_names = st.sets(st.sampled_from(sorted(CALENDARS)), max_size=2)


@st.composite
def parts(draw: st.DrawFn) -> Part:
    """A rule with anything beside it, whether it fires or not."""
    has_dst = draw(st.booleans())
    rule: Rule = draw(_crons) if has_dst else draw(_others)
    start, end = draw(st.none() | _instants), draw(st.none() | _instants)
    if start is not None and end is not None and start >= end:
        start, end = end, start if start > end else None
    return qualified(
        rule,
        start=start,
        end=end,
        timezone=draw(st.sampled_from([None, "UTC", "Europe/Berlin", "Australia/Lord_Howe"])),
        dst=Dst(draw(st.sampled_from(Gap)), draw(st.sampled_from(Repeat))) if has_dst else Dst(),
        skip_on=[CALENDARS[name] for name in draw(_names)],
        only_on=[CALENDARS[name] for name in draw(_names)],
    )


schedules: st.SearchStrategy[Schedule] = st.one_of(
    st.just(Manual()), parts(), st.lists(parts(), min_size=1, max_size=4).map(union)
)

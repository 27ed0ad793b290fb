"""The laws that fire times of every form keep, in every zone, on every day."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

import schedules as drawn
from nominals import after, between
from schedules import utc
from taskcfg.spec.calendar import Calendar
from taskcfg.spec.fire_time import fire_time
from taskcfg.spec.schedule import Cron, CronFields, Part, Rule, Schedule, parts_of, qualified
from taskcfg.spec.times.timetable import timetable
from taskcfg.spec.times.zones import forget_zones

MICROSECOND = timedelta(microseconds=1)
MANY = 3000

Place = tuple[str, datetime]
lengths = st.builds(timedelta, seconds=st.integers(0, 40 * 3600))


@given(drawn.schedules, drawn.places)
def test_the_next_time_is_strictly_later_and_the_previous_strictly_earlier(
    schedule: Schedule, place: Place
) -> None:
    zone, moment = place
    table = timetable(schedule, zone)
    later, earlier = table.next_after(moment), table.previous_before(moment)

    assert later is None or (later.at > moment and later.at.tzinfo is UTC)
    assert earlier is None or (earlier.at < moment and earlier.at.tzinfo is UTC)


@given(drawn.schedules, drawn.places, lengths)
def test_between_is_repeated_next_after_within_its_bounds(
    schedule: Schedule, place: Place, length: timedelta
) -> None:
    zone, start = place
    table = timetable(schedule, zone)

    found = between(table, start, start + length, 50)

    walked, at = [], after(table, start - MICROSECOND)
    while at is not None and at < start + length and len(walked) < 50:
        walked.append(at)
        at = after(table, at)
    assert found == walked
    assert all(first < second for first, second in pairwise(found))


@given(drawn.schedules, drawn.places)
def test_looking_back_from_the_next_time_nothing_was_left_out(schedule: Schedule, place: Place) -> None:
    zone, moment = place
    table = timetable(schedule, zone)
    found = table.next_after(moment)
    assume(found is not None)
    assert found is not None

    assert table.previous_before(found.at) == table.previous_before(moment + MICROSECOND)
    assert table.previous_before(found.at + MICROSECOND) == found


@given(drawn.schedules, drawn.places)
def test_looking_on_from_the_previous_time_nothing_was_left_out(schedule: Schedule, place: Place) -> None:
    zone, moment = place
    table = timetable(schedule, zone)
    found = table.previous_before(moment)
    assume(found is not None)
    assert found is not None

    assert table.next_after(found.at) == table.next_after(moment - MICROSECOND)
    assert table.next_after(found.at - MICROSECOND) == found


@given(drawn.schedules, drawn.places, st.data())
def test_a_restart_at_any_instant_changes_nothing(
    schedule: Schedule, place: Place, data: st.DataObject
) -> None:
    zone, moment = place
    found = timetable(schedule, zone).next_after(moment)
    if found is None:
        return

    microseconds = (found.at - moment) // MICROSECOND
    later = moment + timedelta(microseconds=data.draw(st.integers(0, microseconds - 1)))
    forget_zones()
    again = timetable(schedule, zone).next_after(later)

    assert again is not None
    assert (again.at, again.wall, str(again.zone)) == (found.at, found.wall, str(found.zone))


@given(drawn.unions, drawn.places, lengths)
def test_a_list_fires_at_the_sorted_set_of_its_parts_times(
    schedule: Schedule, place: Place, length: timedelta
) -> None:
    zone, start = place
    each = [between(timetable(part, zone), start, start + length, MANY) for part in parts_of(schedule)]
    assume(all(len(found) < MANY for found in each))

    found = between(timetable(schedule, zone), start, start + length, len(each) * MANY)

    assert found == sorted(set().union(*each))


@given(drawn.schedules, drawn.places, lengths)
def test_counting_agrees_with_listing(schedule: Schedule, place: Place, length: timedelta) -> None:
    zone, start = place
    table = timetable(schedule, zone)
    listed = between(table, start, start + length + MICROSECOND, MANY)
    assume(len(listed) < MANY)

    counted = table.count_between(start, start + length, 2 * MANY)

    assert counted == (len(listed), listed[-1] if listed else None)


@given(drawn.rules, drawn.dsts, drawn.places, lengths, st.data())
def test_start_and_end_only_leave_out(
    rule: Rule, dst: drawn.Dst, place: Place, length: timedelta, data: st.DataObject
) -> None:
    zone, moment = place
    instants = st.builds(lambda seconds: moment + timedelta(seconds=seconds), st.integers(-50_000, 150_000))
    start, end = data.draw(st.none() | instants), data.draw(st.none() | instants)
    unbounded = between(timetable(qualified(rule, dst=dst), zone), moment, moment + length, MANY)
    assume(len(unbounded) < MANY)

    bounded = between(
        timetable(qualified(rule, start=start, end=end, dst=dst), zone), moment, moment + length, MANY
    )

    within = [at for at in unbounded if (start is None or at >= start) and (end is None or at < end)]
    assert bounded == within


@given(
    drawn.rules,
    drawn.dsts,
    drawn.places.filter(lambda place: place[0] != "Pacific/Apia"),  # a gap there is two days'
    st.lists(drawn.calendars, max_size=2),
    st.lists(drawn.calendars, max_size=2),
)
def test_calendars_only_leave_out_days_on_the_wall(
    rule: Rule, dst: drawn.Dst, place: Place, skip_on: list[Calendar], only_on: list[Calendar]
) -> None:
    zone, start = place
    end = start + timedelta(days=2)
    every = list(timetable(qualified(rule, dst=dst), zone).between(start, end, MANY))
    assume(len(every) < MANY)

    table = timetable(qualified(rule, dst=dst, skip_on=skip_on, only_on=only_on), zone)

    kept = [found for found in every if is_open(found.wall.date(), skip_on, only_on)]
    assert list(table.between(start, end, MANY)) == kept


def is_open(day: date, skip_on: list[Calendar], only_on: list[Calendar]) -> bool:
    if any(has(each, day) for each in skip_on):
        return False
    return not only_on or any(has(each, day) for each in only_on)


def has(calendar: Calendar, day: date) -> bool:
    return day in calendar.dates or bool(calendar.weekdays >> day.isoweekday() % 7 & 1)


@given(st.one_of(drawn.parts, drawn.unions), drawn.zones_and_moments())
def test_a_nominal_time_is_what_the_wall_shows_or_what_clocks_skipped(
    schedule: Schedule, place: Place
) -> None:
    zone, moment = place
    for found in timetable(schedule, zone).between(moment, moment + timedelta(days=2), 30):
        shown = found.at.astimezone(found.zone).replace(tzinfo=None)
        assert found.local.replace(tzinfo=None) == shown
        if found.skipped is None:
            assert found.wall == shown
            continue
        just_before = (found.at - MICROSECOND).astimezone(found.zone).replace(tzinfo=None)
        there = found.wall.replace(tzinfo=found.zone).astimezone(UTC).astimezone(found.zone)
        assert there.replace(tzinfo=None) != found.wall
        assert just_before < found.wall == found.skipped < shown


@given(st.text(min_size=1, max_size=20), drawn.schedules, drawn.places, st.integers(1, 10**6))
def test_jitter_stays_in_its_window_and_never_reorders(
    name: str, schedule: Schedule, place: Place, part: int
) -> None:
    zone, start = place
    nominal = between(timetable(schedule, zone), start, start + timedelta(days=2), 20)
    shortest = min((later - at for at, later in pairwise(nominal)), default=timedelta(hours=1))
    jitter = shortest * part / 10**6

    fired = [fire_time(name, jitter, at) for at in nominal]

    if jitter:
        assert all(timedelta(0) <= at - due < jitter for at, due in zip(fired, nominal, strict=True))
    assert fired == sorted(fired) and len(set(fired)) == len(nominal)
    assert fired == [fire_time(name, jitter, at) for at in nominal]


@given(drawn.days, drawn.weekdays)
def test_both_day_fields_are_or_ed_unless_one_begins_with_a_star(day: str, weekday: str) -> None:
    numbers, weekdays = (days_of(Cron(text)) for text in (f"0 0 {day} * *", f"0 0 * * {weekday}"))
    anded = day.startswith("*") or weekday.startswith("*")
    assume(drawn.fires(Cron(f"0 0 {day} * {weekday}")))

    assert days_of(Cron(f"0 0 {day} * {weekday}")) == (numbers & weekdays if anded else numbers | weekdays)


@given(drawn.days, drawn.weekday_names)
def test_named_fields_must_all_hold(day: str, weekday: str) -> None:
    both = CronFields((("day", day), ("day_of_week", weekday)))
    assume(drawn.fires(both))

    numbers, weekdays = (days_of(CronFields((each,))) for each in both.fields)

    assert days_of(both) == numbers & weekdays


def days_of(rule: Part) -> set[date]:
    start, end = utc("2027-12-01T00:00Z"), utc("2028-06-01T00:00Z")
    return {at.date() for at in between(timetable(rule, "UTC"), start, end, 1000)}

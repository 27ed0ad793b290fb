"""The clock guard: a database clock that is set to another time is noticed, whatever else is slow."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from taskcfg.spec.clock_guard import AGREEMENT, APART, JUMP, Doubtful, Guard, Reading, Steady, judge

START = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)


def reading(at: float, *, moved: float = 0.0, blur: float = 0.0) -> Reading:
    """The clock as it was read *at* that second of ours, which was set by *moved* seconds since the start."""
    return Reading(START + timedelta(seconds=at + moved), at - blur / 2, at + blur / 2)


def after(*readings: Reading) -> Guard:
    guard: Guard | None = None
    for each in readings:
        guard = judge(guard, each)
    assert guard is not None
    return guard


def trusted(*readings: Reading) -> bool:
    return isinstance(after(*readings), Steady)


def test_the_first_reading_is_trusted_since_there_is_nothing_to_doubt_it_by() -> None:
    assert trusted(reading(0, moved=3600))


def test_a_jump_of_more_than_a_minute_is_doubted_in_either_direction() -> None:
    for moved in (JUMP + 1, -JUMP - 1, 3600, -3600):
        assert not trusted(reading(0), reading(1, moved=moved)), moved


def test_less_than_a_minute_is_nothing() -> None:
    assert trusted(reading(0), reading(1, moved=JUMP - 1), reading(2, moved=-1))


def test_a_day_without_a_reading_is_no_jump() -> None:
    assert trusted(reading(0), reading(86_400))


def test_a_machine_that_slept_sees_a_jump() -> None:
    assert not trusted(reading(0), reading(1, moved=8 * 3600))


def test_two_readings_five_seconds_apart_that_agree_end_the_doubt() -> None:
    seen = [reading(0), reading(1, moved=3600), reading(3, moved=3600)]

    assert not trusted(*seen, reading(5.9, moved=3600))
    assert trusted(*seen, reading(6.1, moved=3600))


def test_a_clock_that_is_still_being_set_is_doubted_on() -> None:
    creeping = [reading(second, moved=3600 + 2 * AGREEMENT * second) for second in range(1, 60)]

    assert not trusted(reading(0), *creeping)


def test_a_clock_that_is_set_back_again_is_doubted_for_five_seconds_more() -> None:
    there_and_back = [reading(0), reading(1, moved=3600), reading(5, moved=3600), reading(5.5)]

    assert not trusted(*there_and_back, reading(10))
    guard = after(*there_and_back)
    assert isinstance(guard, Doubtful)
    assert guard.moved == 0.0
    assert trusted(*there_and_back, reading(10.6))


def test_after_it_agrees_the_new_time_is_what_counts() -> None:
    agreed = [reading(0), reading(1, moved=3600), reading(7, moved=3600)]

    assert trusted(*agreed, reading(8, moved=3600))
    assert not trusted(*agreed, reading(8))


def test_a_reading_that_took_long_is_no_jump_and_hides_none() -> None:
    frozen = Reading(START, 0.0, 7200.0)

    assert trusted(reading(-1), frozen, reading(7201))
    assert not trusted(reading(-1), frozen, reading(7201, moved=3600))


moments = st.lists(st.floats(0, 1e6), min_size=1, max_size=20).map(sorted)
blurs = st.floats(0, 100)


@given(moments, st.data())
def test_a_clock_that_is_never_set_is_never_doubted_however_slow_its_readings(
    seconds: list[float], data: st.DataObject
) -> None:
    guard: Guard | None = None
    for at in seconds:
        early, late = data.draw(blurs), data.draw(blurs)
        guard = judge(guard, Reading(START + timedelta(seconds=at), at - early, at + late))
        assert isinstance(guard, Steady)


@given(moments, st.floats(2 * JUMP, 1e6), st.sampled_from([1, -1]), st.floats(0, 1))
def test_a_jump_is_always_noticed_with_the_next_reading(
    seconds: list[float], size: float, sign: int, blur: float
) -> None:
    calm = [reading(at, blur=blur) for at in seconds]

    assert not trusted(*calm, reading(seconds[-1] + 1, moved=sign * size, blur=blur))


@given(st.floats(2 * JUMP, 1e6), st.floats(APART + 1, 100))
def test_doubt_ends_by_itself(size: float, later: float) -> None:
    assert trusted(reading(0), reading(1, moved=size), reading(1 + later, moved=size))

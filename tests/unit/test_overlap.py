"""What a fire does that meets others of its task, and whose turn it is."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcfg.spec.overlap import (
    REPLACED,
    Admission,
    Goes,
    Live,
    LiveFire,
    Skipped,
    Waits,
    admit,
    admit_in_turn,
    take_turn,
)
from taskcfg.spec.policy import Overlap, OverlapMode

SKIP, WAIT, ALLOW, REPLACE = (Overlap(OverlapMode(word)) for word in ("skip", "wait", "allow", "replace"))
TWO = Overlap(OverlapMode.ALLOW, 2)
ALL = (SKIP, WAIT, ALLOW, REPLACE, TWO)
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)

overlaps = st.sampled_from(ALL)


@st.composite
def several_fires(draw: st.DrawFn) -> list[LiveFire]:
    """Live fires of one task in any mixture: none that waits runs, and only what runs is stopping."""
    fires = []
    for number in range(draw(st.integers(0, 6))):
        waiting, running = draw(st.booleans()), draw(st.booleans())
        fires.append(
            LiveFire(
                UUID(int=number),
                scheduled=draw(st.booleans()),
                waiting=waiting,
                fire_at=NOON + timedelta(seconds=draw(st.integers(0, 3))),
                came_at=NOON + timedelta(seconds=draw(st.integers(0, 3))),
                running=running and not waiting,
                stopping=draw(st.booleans()) and running and not waiting,
            )
        )
    return fires


def fire(number: int, **more: object) -> LiveFire:
    """Return a scheduled fire of the *number*-th second, which goes and does not run yet."""
    instant = NOON + timedelta(seconds=number)
    standing = {"scheduled": True, "waiting": False, "fire_at": instant, "came_at": instant}
    return LiveFire(UUID(int=number), **{**standing, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("overlap", "live", "scheduled", "asked"),
    [
        (SKIP, Live(), Goes, Goes),
        (SKIP, Live(going=1), Skipped, Goes),
        (ALLOW, Live(going=9), Goes, Goes),
        (TWO, Live(going=1), Goes, Goes),
        (TWO, Live(going=2), Skipped, Goes),
        (TWO, Live(going=1, waiting=1), Skipped, Goes),
        (WAIT, Live(), Goes, Goes),
        (WAIT, Live(going=1), Waits, Waits),
        (WAIT, Live(going=1, waiting=1), Waits, Waits),
        (WAIT, Live(going=1, waiting=2, scheduled=1), Skipped, Waits),
        (WAIT, Live(waiting=1), Waits, Waits),
        (REPLACE, Live(), Goes, Goes),
        (REPLACE, Live(going=1), Waits, Waits),
        (REPLACE, Live(waiting=1, scheduled=1), Waits, Waits),
    ],
)
def test_a_fire_goes_waits_or_is_skipped_by_what_is_live_and_who_asked(
    overlap: Overlap, live: Live, scheduled: type[Admission], asked: type[Admission]
) -> None:
    assert type(admit(overlap, live, scheduled=True)) is scheduled
    assert type(admit(overlap, live, scheduled=False)) is asked


@pytest.mark.parametrize("limit", [1, 3])
def test_a_skipped_fire_says_which_limit_it_met(limit: int) -> None:
    admission = admit(Overlap(OverlapMode.ALLOW, limit), Live(going=limit), scheduled=True)

    live = "1 fire is live" if limit == 1 else "3 fires are live"
    assert admission == Skipped(f"overlap: {live}, and no more are allowed")


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        (SKIP, [Goes, Skipped, Skipped, Skipped]),
        (WAIT, [Goes, Waits, Skipped, Skipped]),
        (ALLOW, [Goes, Goes, Goes, Goes]),
        (TWO, [Goes, Goes, Skipped, Skipped]),
        (REPLACE, [Skipped, Skipped, Skipped, Goes]),
    ],
)
def test_of_fires_that_come_at_once_the_policy_chooses(
    overlap: Overlap, expected: list[type[Admission]]
) -> None:
    assert [type(each) for each in admit_in_turn(overlap, Live(), 4)] == expected


def test_of_fires_that_come_at_once_the_last_replaces_the_others_and_what_is_live() -> None:
    *others, last = admit_in_turn(REPLACE, Live(going=1), 3)

    assert others == [Skipped(REPLACED)] * 2
    assert isinstance(last, Waits)


@given(overlaps, st.builds(Live, st.integers(0, 4), st.integers(0, 4)), st.integers(0, 5))
def test_each_fire_that_comes_is_decided_about(overlap: Overlap, live: Live, number: int) -> None:
    assert len(list(admit_in_turn(overlap, live, number))) == number


def test_the_turn_is_that_of_the_earliest_fire_time_whatever_came_first() -> None:
    late, early = fire(2, waiting=True, came_at=NOON), fire(1, waiting=True)

    turn = take_turn(WAIT, [late, early])

    assert turn.goes == (early.id,)


def test_nothing_has_its_turn_while_an_earlier_one_goes_or_waits_for_its_next_attempt() -> None:
    assert not take_turn(WAIT, [fire(1), fire(2, waiting=True)])
    assert not take_turn(WAIT, [fire(1, running=True), fire(2, waiting=True)])


def test_a_fire_replaces_what_does_not_run_at_once_and_waits_for_what_runs() -> None:
    runs, pending = fire(1, running=True), fire(2)
    waited, newest = fire(3, waiting=True), fire(4, waiting=True)

    turn = take_turn(REPLACE, [runs, pending, waited, newest])

    assert (turn.goes, turn.stopped) == ((), (runs.id,))
    assert set(turn.cancelled) == {pending.id, waited.id}


def test_what_was_told_to_stop_is_not_told_again() -> None:
    turn = take_turn(REPLACE, [fire(1, running=True, stopping=True), fire(2, waiting=True)])

    assert not turn


def test_a_retried_fire_of_long_ago_replaces_what_came_before_it() -> None:
    runs = fire(5)
    retried = fire(1, waiting=True, came_at=NOON + timedelta(minutes=1))

    turn = take_turn(REPLACE, [runs, retried])

    assert (turn.goes, turn.cancelled) == ((retried.id,), (runs.id,))


@pytest.mark.parametrize("overlap", ALL)
def test_a_fire_that_somebody_is_changing_is_left_for_the_next_look(overlap: Overlap) -> None:
    turn = take_turn(overlap, [fire(1, waiting=True, held=True)])

    assert not turn
    assert turn.again


def test_what_is_replaced_but_in_other_hands_keeps_the_new_one_waiting() -> None:
    turn = take_turn(REPLACE, [fire(1, held=True), fire(2), fire(3, waiting=True)])

    assert (turn.goes, turn.cancelled, turn.again) == ((), (UUID(int=2),), True)


def test_what_waits_goes_out_at_once_when_the_policy_became_allow() -> None:
    fires = [fire(1), fire(2, waiting=True), fire(3, waiting=True, scheduled=False)]

    assert take_turn(ALLOW, fires).goes == (UUID(int=2), UUID(int=3))
    assert take_turn(TWO, fires).goes == (UUID(int=2), UUID(int=3))
    assert take_turn(Overlap(OverlapMode.ALLOW, 1), fires).goes == (UUID(int=3),)
    assert take_turn(SKIP, fires).goes == (UUID(int=3),)


@given(overlaps, several_fires())
def test_nothing_waits_where_nothing_else_is_live(overlap: Overlap, fires: list[LiveFire]) -> None:
    waiting = [each for each in fires if each.waiting]

    turn = take_turn(overlap, waiting)

    assert bool(turn.goes) == bool(waiting)


@given(st.sampled_from([WAIT, REPLACE]), several_fires())
def test_no_turn_makes_two_go_at_once(overlap: Overlap, fires: list[LiveFire]) -> None:
    turn = take_turn(overlap, fires)

    left = {each.id for each in fires if not each.waiting} - set(turn.cancelled)
    assert len(turn.goes) <= 1
    assert not (turn.goes and left)


@given(several_fires())
def test_replacing_ends_with_the_one_that_came_last(fires: list[LiveFire]) -> None:
    turn = take_turn(REPLACE, fires)

    waiting = sorted((each for each in fires if each.waiting), key=lambda each: (each.came_at, each.id))
    if waiting:
        stopping = {each.id for each in fires if each.stopping}
        others = {each.id for each in fires} - {waiting[-1].id}
        assert {*turn.cancelled, *turn.stopped} | stopping == others
    else:
        assert not turn

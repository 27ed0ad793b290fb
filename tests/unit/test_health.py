"""When a scheduler lives, and when it is ready."""

from dataclasses import replace

import pytest

from taskcfg.daemon.health import (
    STEP_STUCK_AFTER,
    STUCK_AFTER,
    UNREADY_AFTER,
    Vitals,
    notes,
    status_line,
    why_dead,
    why_unready,
)
from taskcfg.daemon.watchdog import FROZEN_AFTER, MORE_TIME, STANDSTILL, Watchdog
from taskcfg.systemd import Notifier
from taskcfg.testing import FakeClock

WELL = Vitals(busy={"relay": 0.2, "firing": 0.0})


def test_one_that_fires_lives_and_is_ready() -> None:
    assert (why_dead(WELL), why_unready(WELL), notes(WELL)) == ((), (), ())
    assert status_line(WELL) == "firing"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dead": ("relay",)}, "loop `relay` has died"),
        ({"last_pass": STUCK_AFTER + 1}, "no firing pass ended for 61 s"),
        ({"busy": {"relay": STEP_STUCK_AFTER + 1}}, "loop `relay` is stuck for 301 s"),
    ],
    ids=["a dead loop", "no pass", "a stuck loop"],
)
def test_what_ends_it_makes_it_unready_too(change: dict[str, object], reason: str) -> None:
    vitals = replace(WELL, **change)  # type: ignore[arg-type]

    assert why_dead(vitals) == (reason,)
    assert reason in why_unready(vitals)


@pytest.mark.parametrize("change", [{"joined": False}, {"stopping": True}], ids=["waiting", "stopping"])
def test_waiting_for_the_database_and_stopping_are_life_and_not_readiness(change: dict[str, bool]) -> None:
    vitals = replace(WELL, dead=("firing",), last_pass=1e6, **change)

    assert why_dead(vitals) == ()
    assert len(why_unready(vitals)) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"database": "it does not answer"}, "the database is away: it does not answer"),
        ({"last_good_pass": None}, "it has not made its first pass yet"),
        ({"last_good_pass": UNREADY_AFTER + 1}, "no firing pass succeeded for 16 s"),
    ],
    ids=["away", "no pass yet", "no pass of late"],
)
def test_without_its_database_it_is_not_ready_and_lives(change: dict[str, object], reason: str) -> None:
    vitals = replace(WELL, **change)  # type: ignore[arg-type]

    assert why_unready(vitals) == (reason,)
    assert why_dead(vitals) == ()


def test_a_broker_that_is_away_is_named_and_no_reason() -> None:
    vitals = replace(WELL, broker=12.4, clock_doubted=True)

    assert why_unready(vitals) == ()
    assert notes(vitals) == (
        "the broker is away for 12 s: fires are recorded, and wait",
        "the database's clock has jumped: nothing fires until it agrees again",
    )


class Watched:
    """A watchdog over vitals that a test sets, on a clock that it moves."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.seen = WELL
        self.broken_off = 0
        self.dog = Watchdog(lambda: self.seen, Notifier({}), self.clock, self.break_off)

    def break_off(self) -> None:
        self.broken_off += 1

    def look_for(self, seconds: float) -> tuple[str, ...]:
        """Let time pass in which nothing happens, looking every second."""
        found: tuple[str, ...] = ()
        for _ in range(int(seconds)):
            self.clock.sleep(1)
            self.seen = replace(
                self.seen,
                last_pass=self.seen.last_pass + 1,
                busy={name: busy + 1 for name, busy in self.seen.busy.items()},
            )
            found = found or self.dog.look()
        return found


def test_silence_first_breaks_off_the_connections_and_then_ends_the_process() -> None:
    watched = Watched()

    assert watched.look_for(FROZEN_AFTER) == ()
    assert watched.broken_off == 0
    assert watched.look_for(STUCK_AFTER - FROZEN_AFTER) == ()
    assert watched.broken_off == 2
    assert watched.look_for(2) == ("no firing pass ended for 61 s",)


def test_a_loop_that_is_stuck_ends_the_process_though_passes_go_on() -> None:
    watched = Watched()
    for _ in range(int(STEP_STUCK_AFTER)):
        assert watched.look_for(1) == ()
        watched.seen = replace(watched.seen, last_pass=0.0, busy={**watched.seen.busy, "firing": 0.0})

    assert watched.look_for(1) == ("loop `relay` is stuck for 301 s",)


def test_a_process_that_stood_still_itself_has_all_the_time_again() -> None:
    watched = Watched()
    watched.look_for(10)

    watched.clock.sleep(3600)
    watched.seen = replace(watched.seen, last_pass=3610, busy={"relay": 3600.0})

    assert watched.dog.vitals().last_pass == 0
    assert watched.dog.look() == ()
    assert watched.look_for(STUCK_AFTER - 1) == ()
    assert watched.look_for(2) != ()
    assert STANDSTILL < FROZEN_AFTER < MORE_TIME

"""A loop repeats its step whatever happens, and says once when the database is away."""

import logging
import threading
from collections.abc import Callable

import pytest

from taskcfg.daemon.loop import Loop, Outage
from taskcfg.errors import DatabaseUnavailable
from waiting import eventually


def run(
    step: Callable[[], float], until: Callable[[], bool], *, name: str = "step", outage: Outage | None = None
) -> None:
    loop = Loop(name, step, outage or Outage())
    loop.start()
    try:
        eventually(until, timeout=10, interval=0.01)
    finally:
        loop.stop(5)
    assert not loop.alive


def test_the_step_is_repeated_after_the_wait_it_asked_for() -> None:
    calls: list[int] = []

    def step() -> float:
        calls.append(1)
        return 0.001

    run(step, lambda: len(calls) > 3)


def test_an_error_is_logged_and_the_loop_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def step() -> float:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("nobody thought of this")
        return 0.001

    run(step, lambda: len(calls) > 2)

    assert "nobody thought of this" in caplog.text


def test_an_error_that_stays_is_told_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def step() -> float:
        calls.append(1)
        if len(calls) < 3:
            raise RuntimeError("it stays")
        return 0.001

    run(step, lambda: len(calls) > 3)

    said = [record.getMessage() for record in caplog.records]
    assert [words.split()[0] for words in said] == ["loop.failed", "loop.recovered"]


def test_a_wake_does_not_hurry_a_loop_that_failed() -> None:
    calls: list[int] = []
    loop: Loop

    def step() -> float:
        calls.append(1)
        loop.wake()
        raise RuntimeError("it stays")

    loop = Loop("failing", step, Outage())
    loop.start()
    eventually(lambda: len(calls) == 2, timeout=10, interval=0.01)
    loop.stop(5)

    assert len(calls) <= 3


def test_a_wake_cuts_a_long_wait_short() -> None:
    called = threading.Event()

    def step() -> float:
        called.set()
        return 3600

    loop = Loop("sleeper", step, Outage())
    loop.start()
    assert called.wait(5)
    called.clear()
    loop.wake()
    assert called.wait(5)
    loop.stop(5)
    assert not loop.alive


def test_an_outage_is_told_once_and_its_end_once_however_many_loops_see_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    outage = Outage()
    error = DatabaseUnavailable("the database does not answer")

    for name in ("firing", "relay", "firing"):
        outage.began(name, error)
    outage.ended("reaper")
    outage.ended("firing")
    outage.ended("relay")

    said = [record.getMessage() for record in caplog.records]
    assert said == ["database.unavailable reason='the database does not answer'", "database.recovered"]

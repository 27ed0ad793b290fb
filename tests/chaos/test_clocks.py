"""Clocks that are wrong, that jump, and that go on while nothing runs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from acceptance.project import Background
from chaos.conftest import staged
from chaos.stage import EMBEDDED, PRODUCTION, SECOND, Place, Stage, marked, of, on, pause
from chaos.table import size
from services import postgres
from services.faketime import FakeTime
from services.required import resolve_or_skip

HOUR = timedelta(hours=1)
LATE = timedelta(seconds=30)
"""How late a fire is recorded at most that was not missed."""

POLICIES = ("none", "latest", "all")


class Clocked:
    """A stage whose database and processes all go by one clock, which may be moved."""

    def __init__(self, stage: Stage, clock: FakeTime) -> None:
        self.stage = stage
        self._clock = clock
        self._offset = timedelta(0)

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def advance(self, by: timedelta) -> None:
        """Move the clock, forward or back."""
        self._offset += by
        self._clock.shift(self._offset)

    def advance_to_before_the_hour(self, seconds: float) -> None:
        """Move it forward to so many seconds before the next full hour."""
        into = timedelta(minutes=self.now.minute, seconds=self.now.second)
        self.advance((HOUR - into - timedelta(seconds=seconds)) % HOUR)


@pytest.fixture(params=[marked(EMBEDDED), marked(PRODUCTION)])
def clocked(
    request: pytest.FixtureRequest, tmp_path: Path, fake_time: Callable[..., FakeTime]
) -> Iterator[Clocked]:
    """A stage on a clock of its own: that of the processes, and on PostgreSQL of a server for this test."""
    place: Place = request.param
    clock = fake_time()
    with ExitStack() as stack:
        url = None
        if place.database == "postgres":
            server = resolve_or_skip("postgres", lambda: stack.enter_context(postgres.own_server(clock.env)))
            url = server.url
        stage = stack.enter_context(staged(request, tmp_path, place, url, clock.env))
        yield Clocked(stage, clock)


@pytest.mark.row("fake clock: a restart every 5 s with `every: 1h`")
def test_a_scheduler_that_restarts_all_the_time_is_never_late_with_an_hourly_task(clocked: Clocked) -> None:
    stage, hours = clocked.stage, size(2, 12)
    stage.declare(3, "{every: 1h}", overlap="allow")
    worker = stage.worker(2)

    for _ in range(hours):
        seen = len(stage.books().events)
        clocked.advance_to_before_the_hour(6)
        while len(stage.books().events) == seen:
            scheduler = stage.scheduler()
            pause(3)
            scheduler.kill()
    stage.scheduler()
    books = stage.settled(fires=3 * hours)

    stage.verdict(books, interval=HOUR)
    assert {event.executions for event in books.events} == {("succeeded",)}
    assert [event for event in books.events if event.created_at - event.nominal_at > LATE] == []
    assert worker.running


@pytest.mark.row("fake clock: nothing runs for 30 days")
def test_after_thirty_days_each_catch_up_does_what_it_says(clocked: Clocked) -> None:
    stage = clocked.stage
    for policy in POLICIES:
        stage.write(
            1, "{every: 1h}", prefix=policy, file=policy, overlap="allow", catch_up=policy,
            catch_up_window="40d",
        )  # fmt: skip
    stage.apply()
    clocked.advance_to_before_the_hour(5)
    first = stage.scheduler()
    stage.until(lambda books: len(books.events) == 3)
    first.kill()

    clocked.advance(timedelta(days=30, minutes=30))
    stage.scheduler()
    stage.worker()
    books = stage.settled(fires=3 + 720 + 3, timeout=300)

    fires = {policy: of(books, policy) for policy in POLICIES}
    stage.verdict(books, interval=HOUR)
    ran = {policy: sum(event.executions == ("succeeded",) for event in fires[policy]) for policy in POLICIES}
    missed = {policy: sum(event.span_count or 0 for event in fires[policy]) for policy in POLICIES}
    assert ran == {"none": 1, "latest": 2, "all": 721}
    assert missed == {"none": 720, "latest": 719, "all": 0}


@pytest.mark.row("node clocks an hour ahead and an hour behind")
@on(PRODUCTION)
def test_schedulers_whose_clocks_are_wrong_fire_when_the_database_says(
    stage: Stage, fake_time: Callable[..., FakeTime]
) -> None:
    stage.declare(10, "{every: 1s}", overlap="allow", expires="10m")
    for offset in (HOUR, -HOUR):
        stage.scheduler(env=fake_time(offset).env)
        stage.worker(2, env=fake_time(-offset).env)

    stage.until(lambda books: len(books.events) > size(80, 600), timeout=180)
    stage.stop_firing()
    books = stage.settled()

    stage.verdict(books)
    assert [event for event in books.events if abs(event.created_at - event.nominal_at) > LATE] == []


@pytest.mark.row("the database's clock jumps an hour ahead, and back")
def test_a_clock_that_jumps_doubles_nothing_and_what_it_leaves_out_is_written_down(clocked: Clocked) -> None:
    stage = clocked.stage
    stage.declare(4, "{every: 1s}", overlap="allow", params="{seconds: 2}", timeout="5m")
    stage.worker(8)
    scheduler = stage.scheduler()
    stage.until(lambda books: len(books.events) > 12)

    clocked.advance(HOUR)
    agreed(scheduler, 1)
    seen = len(stage.books().events)
    stage.until(lambda books: len(books.events) > seen + 8)
    clocked.advance(-HOUR)
    agreed(scheduler, 2)
    stage.stop_firing()
    books = stage.settled()

    assert not any("lost" in event.executions for event in books.events)
    assert any((event.span_count or 0) > 3_000 for event in books.events)
    stage.verdict(books, interval=SECOND)


def agreed(scheduler: Background, times: int) -> None:
    """Wait until *scheduler* has said so many times that the clock jumped, and that it agrees again."""
    scheduler.wait_for(lambda: scheduler.err.count("clock.jumped") >= times)
    scheduler.wait_for(lambda: scheduler.err.count("clock.agrees") >= times)

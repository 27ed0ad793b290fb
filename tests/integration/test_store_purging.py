"""Old history goes, a little at a time; what lives, what is kept and what decides what comes next stay."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, text, update

from database_clock import clock_of
from stored import World, delivered
from taskcfg.daemon.retention import AGAIN, LOOK, STEADY, Retaining
from taskcfg.daemon.timekeeping import ClockWatch
from taskcfg.spec.fires import ExecutionState, Outcome, Started, scheduled_key
from taskcfg.spec.policy import CatchUp, Overlap, OverlapMode, Policy
from taskcfg.spec.retention import ENDED, FAILED, Retention
from taskcfg.store import leases, purging
from taskcfg.store.database import database_time, reading, writing
from taskcfg.store.executions import ExecutionRecords
from taskcfg.store.ids import new_id
from taskcfg.store.interventions import retry_fires
from taskcfg.store.purging import Old, Purged, Sweep, count_old, history_size, purge_old
from taskcfg.store.tables import schedule_event, task_execution
from taskcfg.testing import FakeClock, make_spec
from taskcfg.types.cleanup import CleanupParams, remove_old_events

DAY = timedelta(days=1)
LIVE = ("pending", "waiting", "published")
_e = schedule_event.c


def record(
    world: World, task_id: int, states: Iterable[str], *, age: timedelta = 100 * DAY, step: timedelta = DAY
) -> list[UUID]:
    """Record a fire in each of *states*, each *step* younger. `failed` is done; its last attempt failed."""
    ids = []
    with writing(world.database) as connection:
        now = database_time(connection)
        for number, state in enumerate(states):
            at = now - age + number * step
            ids.append(new_id(at))
            _insert(connection, task_id, ids[-1], at, "done" if state == FAILED else state)
            if state in ("done", FAILED):
                _attempt(
                    connection, task_id, ids[-1], at, ["failed", "failed" if state == FAILED else "succeeded"]
                )
    return ids


def _insert(connection: Any, task_id: int, id_: UUID, at: datetime, state: str) -> None:
    connection.execute(
        insert(schedule_event).values(
            id=id_, task_config_id=task_id, kind="scheduled", dedupe_key=scheduled_key(at), nominal_at=at,
            fire_at=at, config_version=1, state=state, created_at=at, done_at=None if state in LIVE else at,
        )
    )  # fmt: skip


def _attempt(connection: Any, task_id: int, event: UUID, at: datetime, states: Sequence[str]) -> None:
    for number, state in enumerate(states, 1):
        connection.execute(
            insert(task_execution).values(
                id=uuid4(), task_config_id=task_id, schedule_event_id=event, dispatch_no=number,
                attempt=number, celery_id=uuid4(), state=state, started_at=at, finished_at=at,
            )
        )  # fmt: skip


def left(world: World) -> set[UUID]:
    return {row.id for row in world.events()}


def purge(world: World, retention: Retention | Old, batch: int = 1000) -> Purged:
    old = retention if isinstance(retention, Old) else None
    if old is not None:
        return sum(purge_old(world.database, old, batch), Purged())
    assert isinstance(retention, Retention)
    sweep, total = Sweep(world.database, retention), Purged()
    while not sweep.over:
        total += sweep.step(batch)
    return total


class TestWhatGoes:
    """Age, count, state and task."""

    def test_what_is_old_enough_goes_with_its_attempts(self, world: World) -> None:
        task = world.add(make_spec())["nightly"]
        ids = record(world, task, ["done", "skipped", "missed", "done"], age=5 * DAY)

        purged = purge(world, Old(age=timedelta(days=2.5)))

        assert purged == Purged(events=3, executions=2)
        assert left(world) == {ids[3]}

    def test_each_way_of_ending_has_its_own_age(self, world: World) -> None:
        task = world.add(make_spec())["nightly"]
        ids = record(world, task, [*ENDED, *LIVE], step=timedelta(minutes=1))

        gone = []
        for ended_as in ENDED:
            before = left(world)
            purge(world, Retention({ended_as: 99 * DAY}))
            gone.append(before - left(world))

        assert gone == [{id_} for id_ in ids[: len(ENDED)]]
        assert left(world) == {*ids[len(ENDED) :]}

    def test_what_failed_is_told_from_what_succeeded_by_its_last_attempt(self, world: World) -> None:
        task = world.add(make_spec())["nightly"]
        _, failed = record(world, task, ["done", FAILED])

        purge(world, Retention({"done": DAY, FAILED: 365 * DAY}))

        assert left(world) == {failed}

    def test_the_newest_of_each_task_stay_however_old(self, world: World) -> None:
        tasks = world.add(make_spec("a"), make_spec("b"))
        a = record(world, tasks["a"], ["done"] * 5)
        b = record(world, tasks["b"], ["done", "skipped"])

        assert count_old(world.database, Old(age=DAY, keep=2)) == Purged(3, 6)
        purge(world, Retention(dict.fromkeys(ENDED, DAY), keep=2))

        assert left(world) == {*a[3:], *b}

    def test_only_of_the_tasks_that_are_meant(self, world: World) -> None:
        tasks = world.add(make_spec("a"), make_spec("b"))
        record(world, tasks["a"], ["done"] * 3)
        b = record(world, tasks["b"], ["done"] * 3)

        purge(world, Old(age=DAY, task_ids=[tasks["a"]]))

        assert left(world) == {*b}

    def test_what_lives_stays_however_old(self, world: World) -> None:
        task = world.add(make_spec())["nightly"]
        ids = record(world, task, LIVE)

        assert purge(world, Old(keep=0)) == Purged()
        assert left(world) == {*ids}

    def test_a_fire_that_took_long_counts_from_its_end(self, world: World) -> None:
        task = world.add(make_spec())["nightly"]
        (id_,) = record(world, task, ["done"])
        with writing(world.database) as connection:
            connection.execute(update(schedule_event).values(done_at=database_time(connection) - DAY))

        assert purge(world, Old(age=2 * DAY)) == Purged()
        assert left(world) == {id_}

    @given(data=st.data())
    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    def test_nothing_goes_that_should_stay_and_nothing_stays_that_should_go(
        self, world: World, data: Any
    ) -> None:
        with writing(world.database) as connection:
            connection.execute(delete(schedule_event))
        names = data.draw(st.lists(st.sampled_from("abc"), unique=True, min_size=1))
        tasks = [
            next(iter(world.add(make_spec(f"{name}-{uuid4()}"), source=str(uuid4())).values()))
            for name in names
        ]
        ages = data.draw(st.dictionaries(st.sampled_from(ENDED), st.sampled_from([2.5, 7.5, 20.5])))
        keep = data.draw(st.integers(0, 4))
        recorded = {}
        for task in tasks:
            states = data.draw(st.lists(st.sampled_from([*ENDED, *LIVE]), max_size=12))
            recorded[task] = list(zip(states, record(world, task, states, age=12 * DAY), strict=True))

        batch = data.draw(st.integers(1, 5))
        purged = purge(world, Retention({name: age * DAY for name, age in ages.items()}, keep), batch)

        stays = {
            id_
            for fires in recorded.values()
            for number, (state, id_) in enumerate(fires)
            if not (12 - number > ages.get(state, 1000) and number < len(fires) - keep)
        }
        assert left(world) == stays
        assert purged.events == sum(map(len, recorded.values())) - len(stays)


class TestALittleAtATime:
    """However long the history is, each transaction is short."""

    def test_many_windows_are_walked_whatever_of_them_stays(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(purging, "WINDOW", 7)
        task = world.add(make_spec())["nightly"]
        record(world, task, ["done", "dead", "pending"] * 20, step=timedelta(hours=1))

        steps = [purged.events for purged in purge_old(world.database, Old(age=DAY, states=["dead"]), 2)]

        assert (sum(steps), max(steps)) == (20, 2)
        assert Counter(row.state for row in world.events()) == {"done": 20, "pending": 20}

    def test_the_walk_ends_where_everything_is_too_young(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(purging, "WINDOW", 5)
        task = world.add(make_spec())["nightly"]
        record(world, task, ["done"] * 50, age=50 * DAY)
        sweep = Sweep(world.database, Retention({"done": timedelta(days=40.5)}))

        looks = 0
        while not sweep.ended:
            sweep.look()
            looks += 1

        assert looks == 3

    def test_who_is_at_a_fire_now_keeps_it(self, postgres_world: World) -> None:
        world = postgres_world
        task = world.add(make_spec())["nightly"]
        ids = record(world, task, ["done", "done"])

        with writing(world.database) as connection:
            connection.execute(select(_e.id).where(_e.id == ids[0]).with_for_update(key_share=True)).all()
            purge(world, Old(age=DAY))

        assert left(world) == {ids[0]}

    def test_what_came_back_to_life_between_look_and_deletion_stays(self, world: World) -> None:
        task = world.add(make_spec())["nightly"]
        ids = record(world, task, [FAILED, FAILED])
        with writing(world.database) as connection:
            connection.execute(update(schedule_event).values(message={"task": "t"}))
        sweep = Sweep(world.database, Retention({FAILED: DAY}))
        sweep.step(1)

        with writing(world.database) as connection:
            retry_fires(connection, [ids[1]], actor="ann")
        while not sweep.over:
            sweep.step()

        assert left(world) == {ids[1]}
        assert world.event().state == "pending"


class TestWhatComesNext:
    """What was purged is never recorded anew: what decides about that stands in the task's own row."""

    @pytest.mark.parametrize("catch_up", list(CatchUp))
    def test_after_a_purge_no_instant_fires_again_whatever_happens_to_clocks_and_tasks(
        self, world: World, catch_up: CatchUp
    ) -> None:
        policy = Policy(catch_up=catch_up, overlap=Overlap(OverlapMode.ALLOW))
        world.add(make_spec(policy=policy))
        before = [self.fire_and_finish(world, late) for late in (50, 40, 30)]
        before = [nominal for nominals in before for nominal in nominals]

        with writing(world.database) as connection:
            connection.execute(delete(schedule_event))
        clock = clock_of(world.database)
        clock.set(-timedelta(hours=3))
        world.make_pass()
        world.change_task("nightly", next_nominal_at=min(before), next_fire_at=min(before))
        world.make_pass()
        clock.set(timedelta(0))
        world.change_task("nightly", next_nominal_at=min(before), next_fire_at=min(before))
        world.make_pass()

        fired = [row.nominal_at for row in world.events() if row.state != "missed"]
        assert [nominal for nominal in fired if nominal <= max(before)] == []

    def fire_and_finish(self, world: World, late: int) -> list[datetime]:
        known = left(world)
        fires = world.let_fire(late=timedelta(seconds=late))
        records = ExecutionRecords(world.database)
        world.publish(fires)
        for fire in fires:
            started = records.start(delivered(fire))
            assert isinstance(started, Started)
            records.finish(started.execution_id, Outcome(ExecutionState.SUCCEEDED))
        return [row.nominal_at for row in world.events() if row.id not in known]


class TestTheLoop:
    """One scheduler at a time, step by step, while the setting asks for it."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    def retaining(self, world: World, clock: FakeClock, **ages: timedelta) -> Retaining:
        watch = ClockWatch(clock)
        clock.advance(timedelta(seconds=STEADY))
        return Retaining(world.database, uuid4(), Retention(ages, keep=0), clock, watch)

    def until_idle(self, retaining: Retaining) -> int:
        steps = 0
        while retaining.run_once() < LOOK:
            steps += 1
        return steps

    def test_it_walks_now_and_again_later(self, world: World, clock: FakeClock, caplog: Any) -> None:
        caplog.set_level("INFO", logger="taskcfg.retention")
        task = world.add(make_spec())["nightly"]
        record(world, task, ["done"] * 300, step=timedelta(minutes=1))
        retaining = self.retaining(world, clock, done=DAY)

        assert self.until_idle(retaining) >= 2
        assert left(world) == set()
        record(world, task, ["done"], age=10 * DAY)
        retaining.run_once()
        assert len(left(world)) == 1
        clock.advance(timedelta(seconds=AGAIN))
        self.until_idle(retaining)

        assert left(world) == set()
        assert "history.purged events=300 executions=600" in caplog.messages

    def test_another_scheduler_leaves_it_to_who_does_it(self, world: World, clock: FakeClock) -> None:
        record(world, world.add(make_spec())["nightly"], ["done"])
        leases.acquire(world.database, "retention", uuid4(), clock)

        assert self.retaining(world, clock, done=DAY).run_once() == LOOK
        assert len(left(world)) == 1

    def test_nothing_is_deleted_by_a_clock_that_has_just_jumped(self, world: World, clock: FakeClock) -> None:
        record(world, world.add(make_spec())["nightly"], ["done"])
        retaining = Retaining(world.database, uuid4(), Retention({"done": DAY}), clock, ClockWatch(clock))

        assert retaining.run_once() == LOOK
        assert len(left(world)) == 1


def test_a_history_that_the_database_has_not_looked_at_yet_is_counted(world: World) -> None:
    record(world, world.add(make_spec())["nightly"], ["done"] * 40)

    with reading(world.database) as connection:
        assert history_size(connection) == 40


def test_about_how_long_the_history_is_needs_no_counting(world: World) -> None:
    task = world.add(make_spec())["nightly"]
    with reading(world.database) as connection:
        empty = history_size(connection)
    record(world, task, ["done"] * 40, step=timedelta(hours=1))
    purge(world, Old(age=timedelta(days=99, hours=4)))
    if world.database.dialect.name == "postgresql":
        with writing(world.database) as connection:
            connection.execute(text("ANALYZE schedule_event"))

    with reading(world.database) as connection:
        assert (empty, history_size(connection)) == (0, len(left(world)))


class TestTheSameInATask:
    """The type `cleanup` with `target: schedule_events` deletes what `taskcfg purge --older-than` does."""

    def test_events_and_their_attempts_go_and_what_lives_stays(self, world: World) -> None:
        task = world.add(make_spec())["nightly"]
        record(world, task, [*ENDED, *LIVE] * 2)
        old = count_old(world.database, Old(age=90 * DAY))
        fields = {"target": "schedule_events", "older_than": "90d", "batch": 3}

        removed = remove_old_events(world.database, CleanupParams.model_validate(fields))

        assert removed == {"events": old.events, "executions": old.executions, "batches": 3}
        assert count_old(world.database, Old(age=90 * DAY)) == Purged()
        assert len(left(world)) == 20 - old.events
        with reading(world.database) as connection:
            attempts = connection.scalar(select(func.count()).select_from(task_execution))
        assert attempts == 2 * sum(row.state == "done" for row in world.events())

"""The first step of a fire: claimed, recorded and advanced, by one node among many."""

import json
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from stored import World
from taskcfg.errors import DatabaseUnavailable
from taskcfg.spec.advance import advance
from taskcfg.spec.due import Decision, DueFire
from taskcfg.spec.fires import Advance, EventState, celery_id
from taskcfg.spec.policy import CatchUp, Overlap, OverlapMode, Policy
from taskcfg.spec.schedule import At, Cron, Every
from taskcfg.store.database import reading, writing
from taskcfg.store.firing import EventFiring, materialise_due
from taskcfg.store.settings_table import database_uuid
from taskcfg.testing import make_spec

HOUR = timedelta(hours=1)
ALLOW = Policy(overlap=Overlap(OverlapMode.ALLOW))


def hourly(name: str = "nightly", **fields: Any) -> Any:
    return make_spec(name, schedule=Every(HOUR), **fields)


def test_a_due_task_is_recorded_once_and_its_row_moves_on(world: World) -> None:
    ids = world.add(hourly(policy=Policy(expires=HOUR)))
    world.let_come_due("nightly")
    nominal = world.task("nightly").next_nominal_at

    (fire,) = world.make_pass()

    event, row = world.event(), world.task("nightly")
    with reading(world.database) as connection:
        database_id = database_uuid(connection)
    assert (event.state, event.kind, event.nominal_at, event.fire_at) == (
        "pending", "scheduled", nominal, nominal,
    )  # fmt: skip
    assert event.dedupe_key == f"s:{nominal.isoformat().replace('+00:00', 'Z')}"
    assert (event.id, event.celery_id, event.message) == (fire.event_id, fire.celery_id, fire.message)
    assert event.celery_id == celery_id(database_id, ids["nightly"], event.dedupe_key, 1)
    assert event.expires_at == nominal + HOUR
    assert event.node_id == world.node
    assert row.last_nominal_at == nominal
    assert row.next_nominal_at == row.next_fire_at > nominal
    assert world.make_pass() == []


def test_nothing_due_opens_no_transaction_and_commits_nothing(world: World) -> None:
    world.add(hourly())

    firing_pass = world.firing.begin_pass(500)

    assert firing_pass.due == ()
    assert firing_pass.commit([]) == []
    assert world.events() == []


def test_how_long_until_the_next_fire_is_asked_of_the_database(world: World) -> None:
    assert world.firing.seconds_until_due() is None

    world.add(hourly())
    first = world.firing.seconds_until_due()
    world.let_come_due()

    assert first is not None and 0 < first <= 3600
    assert world.firing.seconds_until_due() == 0


def test_what_was_missed_is_one_event_that_names_the_span(world: World) -> None:
    half_an_hour_from_now = Every(HOUR, datetime.now(UTC) - 10.5 * HOUR)
    world.add(
        make_spec("latest", schedule=half_an_hour_from_now),
        make_spec("none", schedule=half_an_hour_from_now, policy=Policy(catch_up=CatchUp.NONE)),
    )
    three_ago = world.task("latest").next_nominal_at - 4 * HOUR
    for name in ("latest", "none"):
        world.change_task(name, next_nominal_at=three_ago, next_fire_at=three_ago)

    world.make_pass()

    missed = {row.span_count: row for row in world.events() if row.state == "missed"}
    made_up = [row for row in world.events() if row.state == "pending"]
    assert set(missed) == {3, 4}
    assert [row.nominal_at for row in made_up] == [three_ago + 3 * HOUR]
    assert (missed[4].nominal_at, missed[4].span_end) == (three_ago, three_ago + 3 * HOUR)
    assert missed[4].dedupe_key.startswith("x:") and missed[4].done_at is not None
    assert missed[4].reason == "missed: catch_up is `none`"
    assert missed[4].message is None


def test_a_fire_is_skipped_while_an_earlier_one_is_live(world: World) -> None:
    world.add(hourly(), hourly("parallel", policy=ALLOW))
    world.let_fire()

    second = world.let_fire()

    assert [fire.task for fire in second] == ["parallel"]
    states = Counter(row.state for row in world.events())
    assert states == {EventState.PENDING: 3, EventState.SKIPPED: 1}
    (skipped,) = [row for row in world.events() if row.state == "skipped"]
    assert skipped.reason == "overlap: an earlier fire is still live" and skipped.done_at is not None


def test_a_fire_that_is_recorded_already_is_left_alone_and_not_published_again(world: World) -> None:
    world.add(hourly(policy=ALLOW))
    world.let_come_due()
    before = world.task("nightly")
    world.make_pass()
    world.change_task(
        "nightly",
        next_nominal_at=before.next_nominal_at,
        next_fire_at=before.next_fire_at,
        last_nominal_at=None,
    )

    again = world.make_pass()

    assert again == []
    assert len(world.events()) == 1
    assert world.task("nightly").next_fire_at > before.next_fire_at


def test_a_schedule_that_has_ended_leaves_the_row_with_nothing_to_come(world: World) -> None:
    once = datetime.now(UTC) + HOUR
    world.add(make_spec("once", schedule=At((once,))))
    due = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=2)
    world.change_task("once", schedule={"at": [due.isoformat()]}, next_nominal_at=due, next_fire_at=due)

    assert len(world.make_pass()) == 1

    row = world.task("once")
    assert (row.next_nominal_at, row.next_fire_at) == (None, None)
    assert world.firing.seconds_until_due() is None


def test_a_pass_that_is_abandoned_leaves_everything_due(world: World) -> None:
    world.add(*(hourly(f"t{number}") for number in range(5)))
    world.let_come_due()

    abandoned = world.firing.begin_pass(500)
    assert len(abandoned.due) == 5
    abandoned.abandon()
    abandoned.abandon()

    assert world.events() == []
    assert len(world.make_pass()) == 5


def test_a_node_that_dies_before_the_commit_leaves_everything_due(world: World) -> None:
    world.add(*(hourly(f"t{number}") for number in range(5)))
    world.let_come_due()
    dying = world.firing.begin_pass(500)

    def die(advances: Any) -> None:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"), dying._transaction:
        die([advance(task, dying.now) for task in dying.due])

    assert world.events() == []
    assert len(world.make_pass()) == 5


class TestManyNodes:
    """Several schedulers share one database and wake up at the same moment."""

    def test_together_they_record_every_fire_once(self, world: World) -> None:
        world.add(*(hourly(f"t{number:03}") for number in range(200)))
        world.let_come_due()
        taken: list[list[Any]] = []
        start = threading.Barrier(3)

        def schedule() -> None:
            firing, mine = EventFiring(world.database, uuid4()), []
            start.wait()
            while (firing_pass := firing.begin_pass(20)).due:
                mine += firing_pass.commit([advance(task, firing_pass.now) for task in firing_pass.due])
            taken.append(mine)

        threads = [threading.Thread(target=schedule) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        fires = [fire for mine in taken for fire in mine]
        assert len(taken) == 3
        # whoever saw nothing to do may have left while another still worked
        while more := world.make_pass():
            fires += more
        assert sorted(fire.task for fire in fires) == [f"t{number:03}" for number in range(200)]
        assert len(world.events()) == 200

    def test_on_postgres_they_hold_different_rows_at_the_same_time(self, postgres_world: World) -> None:
        world = postgres_world
        world.add(*(hourly(f"t{number}") for number in range(6)))
        world.let_come_due()

        first = world.firing.begin_pass(4)
        second = EventFiring(world.database, uuid4()).begin_pass(4)
        claimed = {task.id for task in first.due}, {task.id for task in second.due}
        first.abandon()
        second.abandon()

        assert [len(ids) for ids in claimed] == [4, 2]
        assert not claimed[0] & claimed[1]

    def test_one_that_finds_only_what_others_hold_looks_again_in_a_moment(
        self, postgres_world: World
    ) -> None:
        world = postgres_world
        world.add(hourly())
        world.let_come_due()
        other = EventFiring(world.database, uuid4())

        claimed = world.firing.begin_pass(500)
        nothing = other.begin_pass(500)
        waits = world.firing.seconds_until_due(), other.seconds_until_due()
        claimed.abandon()

        assert nothing.due == ()
        assert waits == (0, 0.02)

    def test_a_frozen_node_loses_its_rows_to_the_others(self, postgres_world: World) -> None:
        world = postgres_world
        world.add(hourly())
        world.let_come_due()
        frozen = world.firing.begin_pass(500)
        assert frozen._connection is not None
        frozen._connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '50ms'"))

        with writing(world.database) as connection:
            # waits for the row, which the server frees by itself
            connection.execute(text("SELECT id FROM task_config FOR UPDATE"))

        with pytest.raises(DatabaseUnavailable, match="broke off"):
            frozen.commit([advance(task, frozen.now) for task in frozen.due])
        assert len(world.make_pass()) == 1

    def test_a_claimed_row_still_takes_new_events(self, postgres_world: World) -> None:
        world = postgres_world
        ids = world.add(hourly())
        world.let_come_due()

        claimed = world.firing.begin_pass(500)
        with writing(world.database) as connection:
            connection.execute(text("SET LOCAL lock_timeout = '1s'"))
            connection.execute(
                text(
                    "INSERT INTO schedule_event (id, task_config_id, kind, dedupe_key, nominal_at, fire_at,"
                    " config_version, state, created_at)"
                    " VALUES (gen_random_uuid(), :id, 'manual', 'm:1', now(), now(), 1, 'done', now())"
                ),
                {"id": ids["nightly"]},
            )
        claimed.abandon()

        assert world.event().kind == "manual"


class TestPoison:
    """One row is bad, by somebody's hand or by a mistake of ours. The others must not notice."""

    def test_a_row_that_cannot_be_read_is_set_aside_alone(self, world: World) -> None:
        world.add(hourly("bad"), hourly("good"))
        world.change_task("bad", schedule={"cron": 7})

        fires = world.let_fire()

        bad = world.task("bad")
        assert [fire.task for fire in fires] == ["good"]
        assert bad.error_reason == "the row cannot be read: ValueError: not a schedule: {'cron': 7}"
        assert (bad.error_count, bad.next_fire_at) == (1, None)
        assert timedelta(seconds=50) < bad.error_retry_at - datetime.now(UTC) < timedelta(seconds=70)
        assert world.firing.seconds_until_due() is not None

    def test_a_schedule_that_raises_is_set_aside_alone(self, world: World) -> None:
        world.add(hourly("bad"), hourly("good"))
        world.change_task("bad", schedule={"cron": "0 2 * * *"}, timezone="Mars/Olympus")

        fires = world.let_fire()

        assert [fire.task for fire in fires] == ["good"]
        assert world.task("bad").error_reason == "`Mars/Olympus` is not a time zone"

    @pytest.mark.parametrize(
        "params",
        [{"text": "a\0b"}, {"text": "half a character: \ud800"}],
        ids=["NUL", "half a character"],
    )
    def test_a_fire_that_the_database_refuses_is_set_aside_alone(
        self, postgres_world: World, params: dict[str, str]
    ) -> None:
        world = postgres_world
        world.add(*(hourly(f"good{number}") for number in range(3)), hourly("bad"))
        world.let_come_due()
        firing_pass = world.firing.begin_pass(500)
        advances = []
        for task in firing_pass.due:
            made = advance(task, firing_pass.now)
            if task.spec.name == "bad" and made.decision:
                # params cannot hold this, a message made of something else might
                skipped = [
                    DueFire(fire.nominal_at, fire.fire_at, params["text"]) for fire in made.decision.fires
                ]
                made = Advance(
                    task, Decision(tuple(skipped), None, made.decision.last_nominal_at, None, None)
                )
            advances.append(made)

        fires = firing_pass.commit(advances)

        assert sorted(fire.task for fire in fires) == ["good0", "good1", "good2"]
        assert world.task("bad").error_reason.startswith("the fire cannot be recorded: ")
        assert len(world.events()) == 3

    def test_it_is_tried_again_later_each_time_and_heals_when_it_is_mended(self, world: World) -> None:
        world.add(make_spec("nightly", schedule=Cron("* * * * *")))
        world.change_task("nightly", timezone="Mars/Olympus")
        world.let_fire(late=timedelta(minutes=10))
        counts = []
        for _ in range(7):
            world.change_task("nightly", error_retry_at=datetime.now(UTC) - timedelta(seconds=1))
            assert world.make_pass() == []
            row = world.task("nightly")
            counts.append(
                (row.error_count, round((row.error_retry_at - datetime.now(UTC)).total_seconds() / 60))
            )

        world.change_task("nightly", timezone="UTC", error_retry_at=datetime.now(UTC) - timedelta(seconds=1))
        healed = world.make_pass()

        assert counts == [(2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60)]
        assert [fire.task for fire in healed] == ["nightly"]
        row = world.task("nightly")
        assert (row.error_reason, row.error_count, row.error_retry_at) == (None, 0, None)
        assert row.next_fire_at is not None

    def test_rows_that_must_not_fire_but_were_left_due_by_hand_stop(self, world: World) -> None:
        world.add(hourly("disabled"), hourly("deleted"), hourly("good"))
        world.change_task("disabled", enabled=False)
        world.change_task("deleted", retired_at=datetime.now(UTC))

        fires = world.let_fire()

        assert [fire.task for fire in fires] == ["good"]
        assert world.task("disabled").next_fire_at is None
        assert world.task("deleted").next_fire_at is None

    def test_many_bad_rows_do_not_keep_the_good_ones_waiting(self, world: World) -> None:
        world.add(*(hourly(f"bad{number}") for number in range(10)), hourly("good"))
        for number in range(10):
            world.change_task(f"bad{number}", policy={})
        world.let_come_due("good", late=timedelta(seconds=1))
        world.let_come_due(*(f"bad{number}" for number in range(10)), late=timedelta(seconds=5))

        fires = [fire for _ in range(6) for fire in world.make_pass(limit=2)]

        assert [fire.task for fire in fires] == ["good"]


class TestMaterialiseDue:
    """Apply records what is due under the old spec before it changes a row."""

    def test_what_is_due_is_recorded_for_any_relay_to_take(self, world: World) -> None:
        ids = world.add(hourly("edited"), hourly("other"))
        world.let_come_due()

        with writing(world.database) as connection:
            recorded = materialise_due(connection, [ids["edited"]])

        event = world.event()
        assert recorded == 1
        assert (event.task_config_id, event.state, event.node_id) == (ids["edited"], "pending", None)
        assert [fire.event_id for fire in world.outbox.claim(10, held=())] == [event.id]
        assert [fire.task for fire in world.make_pass()] == ["other"]

    def test_nothing_is_recorded_when_the_apply_fails(self, world: World) -> None:
        ids = world.add(hourly())
        world.let_come_due()

        def fail() -> None:
            with writing(world.database) as connection:
                materialise_due(connection, ids.values())
                raise RuntimeError("killed")

        with pytest.raises(RuntimeError, match="killed"):
            fail()

        assert world.events() == []
        assert len(world.make_pass()) == 1

    def test_a_bad_row_does_not_stop_the_apply_that_mends_it(self, world: World) -> None:
        ids = world.add(hourly("bad"), hourly("good"))
        world.change_task("bad", schedule={"cron": json.dumps(None)})
        world.let_come_due()

        with writing(world.database) as connection:
            materialise_due(connection, ids.values())

        assert [row.task_config_id for row in world.events()] == [ids["good"]]
        assert world.task("bad").error_reason is not None

    def test_cron_and_interval_come_out_the_same(self, world: World) -> None:
        ids = world.add(
            make_spec("cron", schedule=Cron("0 * * * *")), make_spec("every", schedule=Every(HOUR))
        )
        top = world.task("cron").next_nominal_at - HOUR
        for name in ids:
            world.change_task(name, next_nominal_at=top, next_fire_at=top)

        with writing(world.database) as connection:
            materialise_due(connection, ids.values())

        assert {row.nominal_at for row in world.events()} == {top}
        assert {row.next_nominal_at for row in world.tasks().values()} == {top + HOUR}

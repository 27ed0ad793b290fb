"""The audit finds nothing in what the engine makes, and every single thing that is changed in it."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, delete, insert, select, update

from life import HOUR, MINUTE, Life
from taskcfg.spec.audit.verdict import Fault, Verdict
from taskcfg.spec.fires import ExecutionState, Outcome
from taskcfg.spec.pause import Pause
from taskcfg.spec.policy import CatchUp, Delivery, Overlap, OverlapMode, Policy
from taskcfg.spec.schedule import Every, Manual
from taskcfg.store.audit import audit_books
from taskcfg.store.database import database_time, reading, writing
from taskcfg.store.late import Patience
from taskcfg.store.pauses import pause_tasks, resume_tasks
from taskcfg.store.purging import Old, purge_old
from taskcfg.store.tables import schedule_event, task_config, task_execution
from taskcfg.testing import make_spec

E, X = schedule_event, task_execution
ALL = Policy(overlap=Overlap(OverlapMode.ALLOW), catch_up=CatchUp.ALL)
NONE = Policy(overlap=Overlap(OverlapMode.ALLOW), catch_up=CatchUp.NONE)
DONE = Outcome(ExecutionState.SUCCEEDED, {"rows": 1})


@pytest.fixture
def life(database: Engine) -> Life:
    """A database in which `a` fired six times and ran, and then missed five times."""
    life = Life(database, random.Random(1))
    life.declare(make_spec("a", schedule=Every(10 * MINUTE), policy=NONE))
    for _ in range(6):
        life.pass_to_next(10 * MINUTE)
        life.fire()
        run(life)
    life.pass_to_next(10 * MINUTE, times=6)
    life.fire()
    run(life)
    return life


def run(life: Life) -> None:
    """Let everything that was sent run, and succeed."""
    for fire in life.sent:
        life.deliver(fire, 0)
    for _, started in life.running:
        life.records.finish(started.execution_id, DONE)
    life.running = []


def change(life: Life, statement: Any) -> None:
    with writing(life.database) as connection:
        connection.execute(statement)


def fires(life: Life, state: str = "done") -> list[Any]:
    return [row for row in life.world.events() if row.state == state]


def kinds(verdict: Verdict) -> set[Fault]:
    return {fault for fault, number in verdict.counts.items() if number}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_engine_does_the_books_are_right(database: Engine, seed: int) -> None:
    life = Life(database, random.Random(seed))
    life.pass_time(timedelta(days=1))
    life.edit()
    life.edit()

    life.live(25)

    assert [str(finding) for finding in life.audit().findings] == []


def test_the_books_of_a_few_fires_are_right(life: Life) -> None:
    verdict = life.audit()

    assert verdict.ok
    assert (verdict.tasks, verdict.attempts) == (1, len(fires(life)))
    assert len(fires(life, "missed")) == 1


def delete_a_fire(life: Life) -> None:
    change(life, delete(E).where(E.c.id == fires(life)[2].id))


def delete_the_newest_fire(life: Life) -> None:
    change(life, delete(E).where(E.c.id == life.world.events()[-1].id))


def shift_a_nominal_time(life: Life) -> None:
    row = fires(life)[2]
    change(life, update(E).where(E.c.id == row.id).values(nominal_at=row.nominal_at + MINUTE))


def record_a_fire_again(life: Life) -> None:
    row = fires(life)[2]._asdict() | {"id": uuid4(), "dedupe_key": "s:again"}
    change(life, insert(E).values(**row))


def make_a_second_attempt(life: Life) -> None:
    row = life.world.executions()[1]._asdict()
    change(life, insert(X).values(**row | {"id": uuid4(), "celery_retry": 1, "attempt": 2}))


def drop_an_attempt(life: Life) -> None:
    change(life, delete(X).where(X.c.id == life.world.executions()[1].id))


def miscount_a_span(life: Life) -> None:
    row = fires(life, "missed")[0]
    change(life, update(E).where(E.c.id == row.id).values(span_count=row.span_count + 1))


def shorten_a_span(life: Life) -> None:
    row = fires(life, "missed")[0]
    values = {"span_count": row.span_count - 1, "span_end": row.span_end - 10 * MINUTE}
    change(life, update(E).where(E.c.id == row.id).values(values))


def lengthen_a_span(life: Life) -> None:
    row = fires(life, "missed")[0]
    values = {"span_count": row.span_count + 1, "span_end": row.span_end + 10 * MINUTE}
    change(life, update(E).where(E.c.id == row.id).values(values))


def give_another_dispatch_id(life: Life) -> None:
    change(life, update(E).where(E.c.id == fires(life)[2].id).values(celery_id=uuid4()))


def start_under_another_id(life: Life) -> None:
    change(life, update(X).where(X.c.id == life.world.executions()[1].id).values(celery_id=uuid4()))


def leave_an_attempt_running(life: Life) -> None:
    change(life, update(X).where(X.c.id == life.world.executions()[1].id).values(state="running"))


def skip_what_ran(life: Life) -> None:
    change(life, update(E).where(E.c.id == fires(life)[2].id).values(state="skipped"))


def kill_without_a_reason(life: Life) -> None:
    change(life, update(E).where(E.c.id == fires(life)[2].id).values(state="dead", reason=None))


def cancel_what_succeeded(life: Life) -> None:
    change(life, update(E).where(E.c.id == fires(life)[2].id).values(state="cancelled"))


def count_a_loss(life: Life) -> None:
    change(life, update(E).where(E.c.id == fires(life)[2].id).values(lost_count=3))


def lose_the_last_attempt(life: Life) -> None:
    change(life, update(X).where(X.c.id == life.world.executions()[1].id).values(state="lost"))


def end_before_the_beginning(life: Life) -> None:
    row = life.world.executions()[1]
    change(life, update(X).where(X.c.id == row.id).values(finished_at=row.started_at - MINUTE))


def end_never(life: Life) -> None:
    change(life, update(X).where(X.c.id == life.world.executions()[1].id).values(finished_at=None))


def write_a_state_that_is_none(life: Life) -> None:
    change(life, update(E).where(E.c.id == fires(life)[2].id).values(state="finished"))


def fire_before_the_time(life: Life) -> None:
    row = fires(life)[2]
    change(life, update(E).where(E.c.id == row.id).values(fire_at=row.nominal_at - MINUTE))


def set_the_row_forward(life: Life) -> None:
    row = life.world.task("a")
    following = row.next_nominal_at + 20 * MINUTE
    change(life, update(task_config).values(next_nominal_at=following, next_fire_at=following))


def set_the_row_back(life: Life) -> None:
    row = life.world.task("a")
    change(life, update(task_config).values(last_nominal_at=row.last_nominal_at - HOUR))


def end_the_schedule(life: Life) -> None:
    change(life, update(task_config).values(next_nominal_at=None, next_fire_at=None))


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (delete_a_fire, Fault.GAP),
        (delete_the_newest_fire, Fault.GAP),
        (shift_a_nominal_time, Fault.EXTRA),
        (record_a_fire_again, Fault.DOUBLE),
        (make_a_second_attempt, Fault.DOUBLE),
        (drop_an_attempt, Fault.GAP),
        (miscount_a_span, Fault.CONTRADICTION),
        (shorten_a_span, Fault.GAP),
        (lengthen_a_span, Fault.DOUBLE),
        (give_another_dispatch_id, Fault.CONTRADICTION),
        (start_under_another_id, Fault.CONTRADICTION),
        (leave_an_attempt_running, Fault.CONTRADICTION),
        (skip_what_ran, Fault.CONTRADICTION),
        (kill_without_a_reason, Fault.CONTRADICTION),
        (cancel_what_succeeded, Fault.CONTRADICTION),
        (count_a_loss, Fault.CONTRADICTION),
        (lose_the_last_attempt, Fault.CONTRADICTION),
        (end_before_the_beginning, Fault.CONTRADICTION),
        (end_never, Fault.CONTRADICTION),
        (write_a_state_that_is_none, Fault.CONTRADICTION),
        (fire_before_the_time, Fault.CONTRADICTION),
        (set_the_row_forward, Fault.CONTRADICTION),
        (set_the_row_back, Fault.CONTRADICTION),
        (end_the_schedule, Fault.CONTRADICTION),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_whatever_is_changed_in_the_books_is_found(
    life: Life, spoil: Callable[[Life], None], fault: Fault
) -> None:
    spoil(life)

    assert fault in kinds(life.audit())


def test_what_is_lost_under_at_most_once_is_done(database: Engine) -> None:
    life = Life(database, random.Random(1))
    policy = Policy(overlap=Overlap(OverlapMode.ALLOW), delivery=Delivery.AT_MOST_ONCE)
    life.declare(make_spec("a", schedule=Every(10 * MINUTE), policy=policy))
    life.pass_to_next(10 * MINUTE)
    life.fire()
    run(life)
    (attempt,) = life.world.executions()
    change(life, update(X).where(X.c.id == attempt.id).values(state="lost"))

    assert life.audit().ok


def test_what_the_row_would_leave_out_is_no_gap_before_its_time(life: Life) -> None:
    row = life.world.task("a")
    away = row.next_nominal_at + 20 * HOUR
    change(life, update(task_config).values(next_nominal_at=away, next_fire_at=away))

    verdict = life.audit()

    assert not verdict.gaps
    (finding,) = verdict.found[Fault.CONTRADICTION]
    assert finding.at == row.next_nominal_at
    assert finding.reason.startswith("the row says that the schedule goes on at ")


def test_a_gap_says_which_nominal_times_are_missing(life: Life) -> None:
    lost = fires(life)[1:3]
    change(life, delete(E).where(E.c.id.in_([row.id for row in lost])))

    (gap,) = life.audit().gaps

    assert (gap.task, gap.at, gap.until, gap.count) == ("a", lost[0].nominal_at, lost[1].nominal_at, 2)
    assert "any of 2 nominal times" in gap.reason


def test_a_gap_under_a_schedule_that_was_edited_since_is_found(life: Life) -> None:
    life.declare(make_spec("a", schedule=Every(7 * MINUTE), policy=ALL))
    life.pass_time(HOUR)
    life.fire()
    life.declare(make_spec("a", schedule=Manual(), policy=ALL))
    assert life.audit().ok
    under_the_first, under_the_second = fires(life)[2], fires(life, "published")[3]

    change(life, delete(E).where(E.c.id.in_([under_the_first.id, under_the_second.id])))

    assert {gap.at for gap in life.audit().gaps} == {under_the_first.nominal_at, under_the_second.nominal_at}


def test_a_gap_before_a_task_was_deleted_and_declared_again_is_found(life: Life) -> None:
    lost = fires(life)[2]
    spec = life.specs.pop("a")
    life.apply()
    life.pass_time(HOUR)
    life.declare(spec)
    assert life.audit().ok

    change(life, delete(E).where(E.c.id == lost.id))

    assert [gap.at for gap in life.audit().gaps] == [lost.nominal_at]


def test_what_a_pause_kept_from_firing_is_no_gap_and_a_wrong_count_of_it_is_found(life: Life) -> None:
    with writing(life.database) as connection:
        id_ = life.world.task("a").id
        pause_tasks(connection, [id_], Pause("tester", "why not", database_time(connection)))
    life.pass_time(3 * HOUR)
    assert life.audit().ok
    with writing(life.database) as connection:
        resume_tasks(connection, [id_])
    assert life.audit().ok

    change(life, update(E).where(E.c.reason == "paused").values(span_count=7))

    assert kinds(life.audit()) == {Fault.CONTRADICTION}


@pytest.mark.parametrize("old", [Old(age=2 * HOUR), Old(keep=4), Old(age=HOUR, keep=4)], ids=repr)
def test_what_was_purged_is_no_gap_and_what_is_lost_after_it_is_one(life: Life, old: Old) -> None:
    for _ in range(8):
        life.pass_to_next(10 * MINUTE)
        life.fire()
        run(life)
    assert sum(purged.events for purged in purge_old(life.database, old)) > 0
    assert life.audit().ok

    change(life, delete(E).where(E.c.id == fires(life)[-2].id))

    assert kinds(life.audit()) == {Fault.GAP}


def test_nothing_is_concluded_from_a_row_that_was_changed_by_hand_until_it_fires(life: Life) -> None:
    change(life, update(task_config).values(schedule={"every": 420}))
    life.pass_time(HOUR)
    assert life.audit().ok
    life.fire()
    life.pass_time(HOUR)
    life.fire()
    assert life.audit().ok


def test_what_is_older_than_asked_for_is_not_looked_at(life: Life) -> None:
    change(life, delete(E).where(E.c.id == fires(life)[0].id))

    assert life.audit(30 * MINUTE).ok
    assert not life.audit(5 * HOUR).ok


def test_what_should_have_gone_on_by_now_is_late(life: Life) -> None:
    life.declare(
        make_spec("a", schedule=Every(10 * MINUTE), policy=ALL), make_spec("b", schedule=Every(HOUR))
    )
    life.pass_time(2 * HOUR)
    world = life.world
    world.make_pass()
    life.pass_time(HOUR)

    late = audit_books(life.database, HOUR, Patience()).verdict.found[Fault.LATE]

    assert {(each.task, each.reason.split(",")[0]) for each in late} >= {
        ("a", "it is due"),
        ("a", "the fire is recorded"),
        ("b", "the fire is recorded"),
    }


def test_an_attempt_on_a_dead_worker_and_a_fire_that_nobody_starts_are_late(life: Life) -> None:
    life.declare(make_spec("a", schedule=Every(10 * MINUTE), policy=ALL))
    life.pass_to_next(10 * MINUTE, times=2)
    life.fire()
    started, unstarted = life.sent[0], life.sent[1:]
    life.deliver(started, 0)
    life.pass_time(2 * HOUR)
    life.end_worker()

    late = audit_books(life.database, 5 * HOUR, Patience()).verdict.found[Fault.LATE]

    reasons = {each.ids[0]: each.reason for each in late if each.ids}
    assert "worker that is dead" in reasons[started.event_id]
    assert all("nobody has started" in reasons[fire.event_id] for fire in unstarted)


def test_the_books_are_read_as_of_one_instant_though_others_write(life: Life) -> None:
    from taskcfg.store.audit import snapshot

    if life.database.dialect.name == "sqlite":
        pytest.skip("a read transaction of SQLite sees one instant by itself")
    count = select(E.c.id)
    with snapshot(life.database) as connection:
        before = len(connection.execute(count).all())
        life.world.change_events(reason="meanwhile")
        change(life, delete(X))
        change(life, delete(E))
        seen = connection.execute(select(E.c.reason)).scalars().all()

    assert len(seen) == before
    assert "meanwhile" not in seen
    with reading(life.database) as connection:
        assert connection.execute(count).all() == []

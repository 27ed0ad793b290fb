"""Workers die, hang and freeze in the middle of tasks."""

import os
import signal

import pytest

from acceptance.ledger import Event
from chaos.stage import Stage, freeze, of, pause, slay, thaw
from chaos.table import size

TIMES_AGAIN = 3
"""How often a fire whose worker died is dispatched again under `at_least_once`."""


def declare_both(stage: Stage, tasks: int, **params: object) -> None:
    """Declare tasks of both deliveries, due in a moment."""
    text = "{" + ", ".join(f"{name}: {value}" for name, value in params.items()) + "}"
    due = stage.soon()
    for prefix, delivery in (("least", "at_least_once"), ("most", "at_most_once")):
        stage.write(tasks, due, prefix=prefix, file=prefix, delivery=delivery, params=text)
    stage.apply()


def began(stage: Stage, event: Event) -> int:
    """Count how often the body of *event* began."""
    return sum(line[0] == "began" and line[2] == event.id for line in stage.books().lines)


@pytest.mark.row("worker killed in mid-task, parent and children")
def test_a_killed_workers_tasks_run_again_or_not_as_their_delivery_says(stage: Stage) -> None:
    declare_both(stage, size(6, 60), seconds=1.0)
    stage.scheduler()
    stage.until(lambda books: len(books.events) == size(12, 120))
    for number in range(size(2, 10)):
        victim = stage.worker()
        ran = len(stage.books().lines)
        stage.until(lambda books, ran=ran: len(books.lines) > ran + 2)
        pause(stage.chance.uniform(0, 0.5))
        slay(victim) if number % 2 else victim.kill()
    stage.worker()

    books = stage.settled(fires=size(12, 120), timeout=180)

    lost_once = [event for event in of(books, "most") if "lost" in event.executions]
    again = [event for event in of(books, "least") if "lost" in event.executions]
    stage.verdict(books, interval=None, unsuccessful=[event.id for event in lost_once])
    assert lost_once + again
    assert {event.executions for event in lost_once} <= {("lost",)}
    assert [event for event in lost_once if began(stage, event) > 1] == []
    assert all(event.executions[-1] == "succeeded" for event in again)


@pytest.mark.row("pool process killed in mid-task, every time")
def test_a_task_that_kills_its_process_is_dead_after_three_more_dispatches(stage: Stage) -> None:
    declare_both(stage, size(2, 10), how="die")
    stage.declare(4, stage.soon(), prefix="well", file="well")
    stage.scheduler()
    stage.worker()

    books = stage.settled(fires=size(8, 24), timeout=180)

    least, most = of(books, "least"), of(books, "most")
    stage.verdict(books, interval=None, unsuccessful=[event.id for event in least + most])
    assert {(event.state, event.executions) for event in least} == {("dead", ("lost",) * (1 + TIMES_AGAIN))}
    assert {(event.state, event.executions) for event in most} == {("done", ("lost",))}
    assert {event.executions for event in of(books, "well")} == {("succeeded",)}


@pytest.mark.row("task hung beyond its timeout, deaf to the soft limit")
def test_a_task_that_hangs_is_killed_and_the_others_go_on(stage: Stage) -> None:
    stage.declare(1, stage.soon(), prefix="hung", file="hung", timeout="1s", params="{how: hang}")
    stage.declare(2, "{every: 1s}", overlap="allow")
    stage.scheduler()
    stage.worker(2)

    stage.until(lambda books: any("timed_out" in event.executions for event in of(books, "hung")))
    stage.stop_firing()
    books = stage.settled()

    hung = of(books, "hung")
    stage.verdict(books, unsuccessful=[event.id for event in hung])
    assert [(event.state, event.executions) for event in hung] == [("done", ("timed_out",))]


@pytest.mark.row("worker frozen for longer than its lease, and thawed")
def test_a_frozen_workers_tasks_run_elsewhere_and_its_own_word_comes_too_late(stage: Stage) -> None:
    declare_both(stage, 2, seconds=2.0)
    stage.scheduler()
    stage.until(lambda books: len(books.events) == 4)
    frozen = stage.worker()
    stage.until(lambda books: len(books.lines) == 4, interval=0.05)

    freeze(frozen)
    stage.worker()
    books = stage.until(lambda books: all("lost" in event.executions for event in books.events))
    thaw(frozen)
    books = stage.settled(fires=4)

    most = of(books, "most")
    stage.verdict(books, interval=None, unsuccessful=[event.id for event in most])
    assert {event.executions for event in most} == {("lost",)}
    assert {event.executions for event in of(books, "least")} == {("lost", "succeeded")}
    assert [event for event in most if began(stage, event) > 1] == []


@pytest.mark.row("worker's parent frozen while its pool goes on, and thawed")
def test_a_body_that_was_given_up_for_lost_is_stopped_when_its_worker_wakes(stage: Stage) -> None:
    stage.declare(
        1, stage.soon(), prefix="most", file="most", delivery="at_most_once", params="{seconds: 90}"
    )
    stage.scheduler()
    worker = stage.worker(1)
    stage.until(lambda books: len(books.lines) == 1)

    os.kill(worker.pid, signal.SIGSTOP)
    stage.until(lambda books: books.events[0].executions == ("lost",))
    os.kill(worker.pid, signal.SIGCONT)
    worker.wait_for("execution.late")
    books = stage.settled(fires=1)

    stage.verdict(books, interval=None, unsuccessful=[event.id for event in books.events])
    assert "worker.taken_for_dead executions=1" in worker.err
    assert [line[0] for line in books.lines] == ["began"]
    [attempt] = stage.project.ok("history", "-o", "json").json["executions"]
    assert attempt["error"].endswith("; its body went on, and was stopped")

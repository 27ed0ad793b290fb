"""Schedulers and workers die at each failpoint: between any two steps that change something."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from acceptance.ledger import Event
from chaos.stage import Stage, slay
from chaos.table import WHOLE
from taskcfg.failpoints import KILLED, RECOVERY_FAILPOINTS, SCHEDULER_FAILPOINTS, WORKER_FAILPOINTS

PASSED_OFTEN = ("firing", "scheduling", "recording", "relay", "wire", "outbox")
BY_EVERY_HEIR = ("outbox.before_claimed", "relay.after_claim")
"""Passed by every scheduler that comes after one that died with fires in hand."""


def todays(points: Mapping[str, str], count: int, place: str) -> list[str]:
    """Return every point in full size; else a few, others each day and others on each database."""
    names = sorted(points)
    if WHOLE:
        return names
    first = datetime.now(UTC).toordinal() * count + (len(names) // 2 if place == "sqlite" else 0)
    return [names[(first + number) % len(names)] for number in range(count)]


@pytest.mark.row("scheduler killed at each failpoint")
def test_a_scheduler_that_dies_at_any_failpoint_loses_nothing_and_doubles_nothing(stage: Stage) -> None:
    points = todays(SCHEDULER_FAILPOINTS, 5, stage.place.database)
    stage.declare(10, "{every: 1s}", overlap="allow")
    stage.worker(2)

    for point in points:
        die_at(stage, point)
    for point in BY_EVERY_HEIR:
        die_at(stage, "firing.after_commit")
        die_at(stage, point)
    stage.scheduler()
    seen = len(stage.books().events)
    stage.until(lambda books: len(books.events) > seen + 20)
    stage.stop_firing()
    books = stage.settled()

    stage.verdict(books)
    assert set(BY_EVERY_HEIR) <= set(RECOVERY_FAILPOINTS)


def die_at(stage: Stage, point: str) -> None:
    """Run a scheduler until it comes by *point*, and dies there."""
    often = point.startswith(PASSED_OFTEN) and point not in BY_EVERY_HEIR
    nth = stage.chance.randint(1, 3) if often else 1
    scheduler = stage.scheduler(ready=False, env={"TASKCFG_FAILPOINTS": f"{point}=exit@{nth}"})
    assert scheduler.end(point, 90).code == KILLED, str(scheduler)


@pytest.mark.row("worker or pool process killed at each failpoint")
def test_a_worker_that_dies_at_any_failpoint_loses_nothing_and_doubles_nothing(stage: Stage) -> None:
    points = todays(WORKER_FAILPOINTS, 3, stage.place.database)
    stage.env["TASKCFG_UNCLAIMED_AFTER"] = "5s"  # who dies before anything is written leaves no other trace
    stage.declare(4, "{every: 1s}", overlap="allow")
    stage.scheduler()

    for point in points:
        worker = stage.worker(
            2, ready=False, env={"TASKCFG_FAILPOINTS": f"{point}=exit@{stage.chance.randint(2, 3)}"}
        )
        seen = len(stage.books().events)
        stage.until(lambda books, seen=seen: len(books.events) > seen + 12)
        if worker.running:
            slay(worker)
    stage.worker()
    stage.stop_firing()
    books = stage.settled(timeout=180)

    stage.verdict(books, unsuccessful=[event.id for event in books.events if given_up(event)])


def given_up(event: Event) -> bool:
    """Say whether the fire's worker died as often as is allowed."""
    return event.state == "dead" and event.executions == ("lost",) * 4

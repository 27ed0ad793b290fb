"""Schedulers die, freeze and come back while fires go out."""

import pytest

from chaos.stage import Stage, freeze, pause, thaw
from chaos.table import size


@pytest.mark.row("3 schedulers, each killed at random again and again")
def test_schedulers_that_are_killed_at_random_lose_nothing_and_double_nothing(stage: Stage) -> None:
    fires = size(1_000, 100_000)
    tasks = size(100, 1_000)
    stage.declare(tasks, "{every: 1s}", overlap="allow")
    stage.worker()
    running = [stage.scheduler() for _ in range(3)]

    while stage.fires()[0] < fires:
        pause(stage.chance.uniform(0.1, size(1, 5)))
        victim = stage.chance.randrange(3)
        running[victim].kill()
        running[victim] = stage.scheduler(ready=False)
    stage.stop_firing()
    books = stage.settled(timeout=size(120, 3_600))

    stage.verdict(books)


@pytest.mark.row("one of two schedulers frozen and thawed")
def test_a_scheduler_that_is_frozen_and_thawed_doubles_nothing(stage: Stage) -> None:
    stage.declare(20, "{every: 1s}", overlap="allow")
    stage.worker()
    first, _second = stage.scheduler(), stage.scheduler()
    stage.until(lambda books: len(books.events) > 40)

    for _ in range(size(1, 10)):
        freeze(first)
        pause(stage.chance.uniform(3, 5))
        thaw(first)
        pause(1)
    stage.stop_firing()

    stage.verdict(stage.settled())

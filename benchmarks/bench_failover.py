"""`kill -9` of one of two schedulers: how late fires are afterwards, and whether each went out, once.

Tasks fall due together every two seconds, so that the killed scheduler has fires of its own on their way.
A consumer notes when each message arrives. A message that the other scheduler sends again, since nobody
knows whether the dead one did, has the same id, and the gate refuses it: it is `sent again`, not doubled.
"""

from __future__ import annotations

import argparse
import math
import random
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg2

import contestants
import runner
import services
from burst import Setting
from filled import Filled, filled
from processes import Background
from queues import RabbitQueue, own_rabbit_queue
from runner import Benchmark, Column, Figures

MAIN = "late after the kill, max, s"
EVERY = 2.0
UP = 5.0
"""Seconds that two schedulers get to be up."""

BEFORE, AFTER = 4.0, 14.0
"""Seconds that we look on before the kill and after it."""

ENOUGH = 0.4
"""Seconds after the instant within which the kill falls: while what was due is recorded and published."""

EVENTS = """
SELECT schedule_event.celery_id::text, node_id::text, epoch, extract(epoch FROM nominal_at)::float
FROM schedule_event JOIN task_config ON task_config.id = task_config_id
WHERE task_config.name LIKE 't%%' AND nominal_at <= to_timestamp(%s)
"""
GROUPS = """
SELECT count(*), count(DISTINCT (task_config_id, nominal_at)) FROM schedule_event
WHERE nominal_at <= to_timestamp(%s)
"""
LIVING = "SELECT id::text FROM node WHERE kind = 'scheduler' AND pid = %s"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, default=1_500, help="tasks due every two seconds (default 1500)")


def benchmarks(options: argparse.Namespace, stack: ExitStack) -> list[Benchmark]:
    services.require_postgres()
    services.require_rabbitmq()
    redbeat = contestants.Redbeat(1.0)
    columns = [
        Column("taskcfg", partial(_ours, options.n)),
        Column("RedBeat, interval 1 s, lock 5 s", partial(_redbeat, redbeat), redbeat.missing()),
    ]
    return [
        Benchmark(
            title=f"kill -9 of one of two schedulers; {options.n:,} tasks due every {EVERY:g} s, RabbitMQ",
            main=MAIN,
            columns=columns,
            goal="below 5 s for the dead node's own fires, none of the others late; 0 lost, 0 doubled",
        )
    ]


@dataclass
class _Consumer:
    """Reads the queue in a thread of its own, and notes when which message came."""

    queue: RabbitQueue
    arrived: list[tuple[float, str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ended = False
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._ended:
            for moment, message in self.queue.arrivals(0.5):
                self.arrived.append((moment, message.properties["correlation_id"], message))

    def stop(self) -> None:
        self._ended = True
        self._thread.join()


def _ours(n: int) -> Figures:
    with ExitStack() as stack:
        full = stack.enter_context(filled(n, EVERY, spread=False))
        queue = full.queue
        assert isinstance(queue, RabbitQueue)
        start = float(math.ceil((time.time() + UP + 2.0) / EVERY) * EVERY)
        full.all_due_at(start)
        first, second = (
            stack.enter_context(full.project.start("scheduler", log=f"scheduler-{each}.log"))
            for each in range(2)
        )
        consumer = _Consumer(queue)
        try:
            killed_at = _kill_during(first, start + BEFORE)
            end = start + BEFORE + AFTER
            time.sleep(max(0.0, end - time.time()))
            second.check()
            second.stop()
        finally:
            time.sleep(1.0)
            consumer.stop()
        return _figures(full, first, consumer, killed_at, end - 1.0)


def _kill_during(process: Background, instant: float) -> float:
    time.sleep(max(0.0, instant + random.random() * ENOUGH - time.time()))
    process.check()
    process.kill()
    return time.time()


def _figures(full: Filled, dead: Background, consumer: _Consumer, killed_at: float, end: float) -> Figures:
    """Compare what was recorded with what arrived, for all that was due until *end*."""
    came: dict[str, float] = {}
    for moment, celery_id, _ in consumer.arrived:
        came.setdefault(celery_id, moment)
    connection = psycopg2.connect(full.database)
    try:
        with connection.cursor() as cursor:
            cursor.execute(LIVING, (dead.pid,))
            node = (cursor.fetchone() or ("",))[0]
            cursor.execute(EVENTS, (end,))
            events = cursor.fetchall()
            cursor.execute(GROUPS, (end,))
            recorded, distinct = cursor.fetchone() or (0, 0)
    finally:
        connection.close()
    instants = {due for *_, due in events}
    others, own, usual = [], [], []
    for celery_id, owner, epoch, due in events:
        if celery_id not in came:
            continue
        late = came[celery_id] - due
        # A fire that was taken over from the dead has another owner, under a later epoch.
        if came[celery_id] < killed_at:
            usual.append(late)
        elif owner == node or epoch > 0:
            own.append(late)
        else:
            others.append(late)
    return {
        MAIN: max([*own, *others], default=math.nan),
        "dead node's own": len(own),
        **({"own, max s": max(own)} if own else {}),
        "others, max s": max(others, default=math.nan),
        "before, max s": max(usual, default=math.nan),
        "fires": len(events),
        "lost": len(instants) * full.n - len({each[0] for each in events} & set(came)),
        "doubled": recorded - distinct,
        "sent again": len(consumer.arrived) - len(came),
    }


def _redbeat(peer: contestants.Redbeat) -> Figures:
    """One schedule a second: how long nothing came after the kill, and how many seconds have no fire."""
    with ExitStack() as stack:
        queue = stack.enter_context(own_rabbit_queue())
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="taskcfg-bench-")))
        setting = Setting(math.ceil(time.time() + 1.0), 1, queue, "", folder)
        options = {"max_interval": 1, "lock_timeout": 5}
        stack.callback(peer.clean, setting)
        peer.fill(setting, **options)
        first = stack.enter_context(peer.start(setting))
        time.sleep(UP)
        second = stack.enter_context(peer.start(setting))
        consumer = _Consumer(queue)
        try:
            time.sleep(UP)
            killed_at = _kill_during(first, time.time() + 1.0)
            time.sleep(AFTER)
            second.check()
        finally:
            consumer.stop()
    moments = [moment for moment, _, _ in consumer.arrived]
    after = [moment for moment in moments if moment > killed_at]
    if not after:
        return {MAIN: math.nan, "fires": len(moments), "lost": AFTER}
    gap = after[0] - max([moment for moment in moments if moment <= killed_at], default=killed_at)
    return {MAIN: gap - 1.0, "own, max s": gap - 1.0, "fires": len(moments), "lost": round(gap) - 1}


def main(argv: Sequence[str] | None = None) -> list[dict[str, object]]:
    return runner.main(benchmarks, rounds=5, arguments=arguments, argv=argv, description=__doc__)


if __name__ == "__main__":
    main()

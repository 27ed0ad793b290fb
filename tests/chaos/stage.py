"""A stage: a project on one database and one broker, what is done to it, and the verdict at the end."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import NullPool, create_engine, func, select

from acceptance.ledger import Event, Ledger, read_ledger
from acceptance.project import Background, Project, command
from chaos.bodies import WORK
from chaos.brokers import BrokerControl
from chaos.table import note
from taskcfg.store.tables import schedule_event
from waiting import eventually

SECOND = timedelta(seconds=1)
MOST_IN_A_FILE = 10_000
"""Tasks. A file has at most 500,000 keys and values."""


@dataclass(frozen=True)
class Place:
    """A database and a broker to play on."""

    database: str
    broker: str

    def __str__(self) -> str:
        return f"{self.database}-{self.broker}"


EMBEDDED = Place("sqlite", "embedded")
PRODUCTION = Place("postgres", "rabbitmq")
REDIS = Place("postgres", "redis")
SQLITE_REDIS = Place("sqlite", "redis")
NODE = Place("postgres", "rabbitmq-node")
"""A RabbitMQ of the row's own, which may be killed: its start costs seconds."""


def on(*places: Place) -> pytest.MarkDecorator:
    """Run a row on each of *places*; without it, on EMBEDDED and PRODUCTION."""
    return pytest.mark.parametrize("stage", [marked(place) for place in places], indirect=True)


def marked(place: Place) -> Any:
    """Return *place* as a parameter, marked with the services it needs."""
    marks = {"postgres": pytest.mark.postgres, "rabbitmq": pytest.mark.rabbitmq, "redis": pytest.mark.redis}
    needed = [marks[name] for name in (place.database, place.broker.partition("-")[0]) if name in marks]
    return pytest.param(place, id=str(place), marks=needed)


class Stage:
    """A project with the type `work`, whose tasks write a ledger, and the few acts that rows are made of.

    `env` is what every command sees. Leases are short, so that the dead are found within a test.
    `chance` is seeded by the row: what is random is the same in every run. `broker` takes the
    broker away, and gives it back.
    """

    def __init__(
        self, project: Project, place: Place, broker: BrokerControl, request: pytest.FixtureRequest
    ) -> None:
        self.project = project
        self.place = place
        self.broker = broker
        self.watched = "%"  # names of the tasks that the books are about, in the manner of LIKE
        self.chance = random.Random(request.node.originalname)
        self._request = request
        self._began = time.monotonic()
        self._slowest = 0.0
        self._backgrounds: list[Background] = []
        note(request, database=place.database, broker=place.broker)

    @property
    def env(self) -> dict[str, str]:
        return self.project.env

    @property
    def log(self) -> Path:
        """The ledger that the bodies of the tasks write."""
        return self.project.folder / "ledger"

    def prepare(self) -> None:
        """Write the project's files and make its tables."""
        self.project.write("taskcfg.toml", 'types = ["work"]\n')
        self.project.write("work.py", WORK)
        self.env.update(LEDGER=str(self.log), TASKCFG_WORKER_HEARTBEAT="0.5s", TASKCFG_WORKER_LEASE="4s")
        self.env["TASKCFG_CONFIRM_TIMEOUT"] = "2s"
        if self.place.broker == "redis":  # a Redis that stops can take what it was just handing out with it
            self.env["TASKCFG_UNCLAIMED_AFTER"] = "15s"
        began = time.monotonic()
        self.project.ok("db", "upgrade")
        self._slowest = time.monotonic() - began
        self._database = create_engine(self.database_url, poolclass=NullPool)

    def declare(
        self, tasks: int, schedule: str, *, prefix: str = "t", file: str = "work", **fields: Any
    ) -> None:
        """Apply *tasks* tasks of type `work` on *schedule*, beside those of other files."""
        self.write(tasks, schedule, prefix=prefix, file=file, **fields)
        self.apply()

    def write(self, tasks: int, schedule: str, *, prefix: str, file: str, **fields: Any) -> None:
        """Write the same without applying it."""
        extra = "".join(f"    {name}: {value}\n" for name, value in fields.items())
        names = [f"{prefix}{number:05d}" for number in range(tasks)]
        entries = [f"  {name}:\n    type: work\n    schedule: {schedule}\n{extra}" for name in names]
        for first in range(0, len(entries) or 1, MOST_IN_A_FILE):
            part = f"{file}-{first}" if first else file
            text = "tasks:\n" + "".join(entries[first : first + MOST_IN_A_FILE])
            self.project.write(f"tasks.d/{part}.yaml", text)

    def apply(self) -> None:
        began = time.monotonic()
        self.project.ok("apply", "--yes", "--max-delete", "1000000")
        self._slowest = max(self._slowest, time.monotonic() - began)

    def soon(self, applies: int = 1) -> str:
        """Return the schedule of an instant that comes when so many applies have surely ended."""
        lead = 3 + 3 * applies * max(self._slowest, 0.7)
        return f"{{at: '{(datetime.now(UTC) + timedelta(seconds=lead)).isoformat()}'}}"

    def rewrite(self, old: str, new: str, *, file: str) -> None:
        """Edit a task file, without applying it."""
        path = f"tasks.d/{file}.yaml"
        self.project.write(path, self.project.read(path).replace(old, new))

    def stop_firing(self, schedule: str = "{every: 1s}") -> None:
        """Let no further fire come due; what is recorded still goes out, since an edit cancels nothing."""
        for path in (self.project.folder / "tasks.d").glob("*.yaml"):
            path.write_text(path.read_text().replace(schedule, "manual"))
        self.apply()

    def scheduler(
        self, *, ready: bool = True, env: Mapping[str, str] | None = None, under: Sequence[str] = ()
    ) -> Background:
        """Start a scheduler, by the command *under* if there is one; with *ready* wait until it has begun."""
        program, *words = *under, command(), "scheduler"
        background = self.project.start(*words, env=env, program=program)
        self._backgrounds.append(background)
        if ready:
            background.wait_for("scheduler.started")
        return background

    def worker(
        self, concurrency: int = 4, *, ready: bool = True, env: Mapping[str, str] | None = None
    ) -> Background:
        """Start a worker, which may print tracebacks; with *ready* wait until it takes messages."""
        background = self.project.start(
            "worker", "--concurrency", str(concurrency), env=env, traceback_ok=True
        )
        self._backgrounds.append(background)
        if ready:
            background.wait_for("ready")
        return background

    def books(self) -> Ledger:
        """Read all three witnesses as they are now."""
        return read_ledger(self.database_url, self.log, self.watched)

    @property
    def database_url(self) -> str:
        return self.env["TASKCFG_DATABASE_URL"]

    def until(self, what: Callable[[Ledger], Any], *, timeout: float = 90, interval: float = 0.25) -> Ledger:
        """Wait until *what* is true of the books, and return them."""

        def reached() -> Ledger | None:
            books = self.books()
            return books if what(books) else None

        return eventually(reached, timeout=timeout, interval=interval, message=self._state)

    def _state(self) -> str:
        """Return what a failure should show: what has not ended, and each process's last words."""
        last = [f"{each.args} → {each.process.poll()}\n{each.err[-1500:]}" for each in self._backgrounds]
        return "\n".join([summary(self.books()), *last])

    def fires(self) -> tuple[int, int]:
        """Count the recorded fires, and those of them that have not ended: far cheaper than the books."""
        live = schedule_event.c.state.in_(("pending", "waiting", "published"))
        with self._database.connect() as connection:
            recorded = connection.scalar(select(func.count()).select_from(schedule_event))
            unfinished = connection.scalar(select(func.count()).where(live).select_from(schedule_event))
        return recorded or 0, unfinished or 0

    def settled(self, *, fires: int = 1, timeout: float = 90) -> Ledger:
        """Wait until at least *fires* fires are recorded and every one has ended, and return the books."""

        def ended() -> bool:
            recorded, unfinished = self.fires()
            return recorded >= fires and not unfinished

        eventually(ended, timeout=timeout, interval=0.5, message=self._state)
        return self.books()

    def verdict(
        self, books: Ledger, *, interval: timedelta | None = SECOND, unsuccessful: Sequence[str] = ()
    ) -> None:
        """Write the checker's verdict into the table, and fail unless nothing is lost and nothing doubled.

        The checker is that of `taskcfg doctor --audit`, over all schedules that the tasks ever had; a
        fire that was to run and did not succeed is a gap besides, but for *unsuccessful*, the ids of
        those that were not meant to. Where there is an *interval*, fires are expected.
        """
        gaps = books.gaps()
        assert interval is None or books.events
        meant = [event for event in books.without_success() if event.id not in unsuccessful]
        gaps += [f"no success: {event}" for event in meant]
        doubles = books.doubles()
        attempts = [state for event in books.events for state in event.executions]
        note(
            self._request,
            fires=len(books.events),
            attempts=len(attempts),
            gaps=len(gaps),
            doubles=len(doubles),
            lost=attempts.count("lost"),
            dead=sum(event.state == "dead" for event in books.events),
            seconds=time.monotonic() - self._began,
        )
        assert gaps[:10] == []
        assert doubles[:10] == []
        assert books.contradictions()[:10] == []


def of(books: Ledger, prefix: str) -> list[Event]:
    """Return the fires of the tasks whose names begin with *prefix*."""
    return [event for event in books.events if event.task.startswith(prefix)]


def summary(books: Ledger) -> str:
    unfinished = books.unfinished()
    return (
        f"{len(books.events)} fires, {len(unfinished)} unfinished, {len(books.lines)} lines: {unfinished[:5]}"
    )


def family(background: Background) -> list[psutil.Process]:
    """Return a command's process and all that descend from it."""
    parent = psutil.Process(background.pid)
    return [parent, *parent.children(recursive=True)]


def slay(victim: Background) -> None:
    """`kill -9` a worker with all its pool processes, as a machine that loses power does."""
    for process in family(victim):
        process.send_signal(signal.SIGKILL)
    victim.kill()


def freeze(victim: Background) -> None:
    """Stop a command and its children where they stand, as a suspended machine does."""
    for process in family(victim):
        os.kill(process.pid, signal.SIGSTOP)


def thaw(victim: Background) -> None:
    """Let a frozen one go on."""
    for process in family(victim):
        os.kill(process.pid, signal.SIGCONT)


def pause(seconds: float) -> None:
    """Let time pass: rows are about *when*, and there is nothing to wait for."""
    time.sleep(seconds)

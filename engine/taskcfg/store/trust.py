"""When the database's clock may be acted on: asked in the very transaction that does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, Engine, select

from taskcfg.store.columns import db_now
from taskcfg.store.database import database_time, writing
from taskcfg.store.postgres import Limits


class Timekeeper(Protocol):
    """Compares the database's clock with this machine's.

    `moment` is called before a transaction begins; `trusts` within it, with the database's time in it
    and that moment. False: nothing that depends on the time may be decided now.
    """

    def moment(self) -> float: ...
    def trusts(self, now: datetime, since: float) -> bool: ...


class Unwatched:
    """Trusts every clock: for commands that end by themselves, and have nothing to compare it with."""

    def moment(self) -> float:
        return 0.0

    def trusts(self, now: datetime, since: float) -> bool:
        return True


UNWATCHED = Unwatched()


@dataclass(frozen=True, slots=True)
class Confidence:
    """How far the rows of nodes and attempts may be judged by the database's clock.

    `undisturbed`: the seconds for which whoever lives could renew its row, and the clock ran evenly;
    `steady`: those for which the clock is known not to have jumped. None: for as long as it takes.
    """

    undisturbed: float | None = None
    steady: float | None = None
    timekeeper: Timekeeper = UNWATCHED


class Untimely(Exception):
    """What was about to be decided must not be decided now; its transaction is rolled back."""


@contextmanager
def deciding(database: Engine, timekeeper: Timekeeper, limits: Limits | None = None) -> Iterator[Connection]:
    """A writing transaction that decides by the database's clock. Raises Untimely where it may not, too.

    SQLite's clock goes on within a transaction, so there it is asked at the end once more.
    """
    since = timekeeper.moment()
    with writing(database, limits) as connection:
        if not timekeeper.trusts(database_time(connection), since):
            raise Untimely
        yield connection
        if connection.dialect.name == "sqlite":
            since = timekeeper.moment()
            if not timekeeper.trusts(connection.execute(select(db_now())).scalar_one(), since):
                raise Untimely

"""Nothing is shared across a fork: a child opens connections of its own.

With SQLite it is not enough that the child leaves its parent's connections alone. It inherits
SQLite's bookkeeping for the file, and so believes to hold locks that the kernel never gave to
it, even on a connection it opens itself: another process may then remove the log under it, and
what it committed is gone. So a fork waits until no transaction is open in this process, and
every connection is closed before it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, event

LONGEST_WAIT = 15.0
"""Seconds a fork waits for open transactions. Ours are far shorter; a thread that forks within its own
would wait for itself."""

_opened: WeakKeyDictionary[Engine, list[Any]] = WeakKeyDictionary()
_inherited: list[Any] = []
_gate = threading.Condition(threading.Lock())
_in_use = 0


def keep_from_forks(database: Engine) -> None:
    """See to it that no connection of *database* is ever used by two processes."""
    connections: list[Any] = []

    @event.listens_for(database, "connect")
    def _connected(connection: Any, record: Any) -> None:
        connections.append(connection)

    @event.listens_for(database, "close")
    def _closed(connection: Any, record: Any) -> None:
        connections[:] = [other for other in connections if other is not connection]

    _opened[database] = connections


def open_connections(database: Engine) -> list[Any]:
    """Return the driver's connections of *database* that are open in this process, in use or not."""
    return list(_opened.get(database, ()))


@contextmanager
def in_use(database: Engine) -> Iterator[None]:
    """Keep this process from forking as long as a transaction of *database* is open."""
    global _in_use
    if database.dialect.name != "sqlite":
        yield
        return
    with _gate:
        _in_use += 1
    try:
        yield
    finally:
        with _gate:
            _in_use -= 1
            _gate.notify_all()


def after_fork(database: Engine) -> None:
    """Forget, in a child process, the connections it inherited. `os.fork` calls it by itself."""
    _inherited.extend(_opened.get(database, ()))
    database.dispose(close=False)


def _before() -> None:
    _gate.acquire()
    _gate.wait_for(lambda: _in_use == 0, timeout=LONGEST_WAIT)
    for database in list(_opened):
        if database.dialect.name == "sqlite":
            # The pool's own, which closes what is idle and leaves what is in use its pool to return to.
            database.pool.dispose()


def _after_in_parent() -> None:
    _gate.release()


def _after_in_child() -> None:
    global _gate, _in_use
    _gate, _in_use = threading.Condition(threading.Lock()), 0
    for database in list(_opened):
        after_fork(database)


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)

"""The embedded broker's file, used safely by many processes and threads.

One lock for the whole process guards every use, and no connection is ever open across a
fork. A child that inherits SQLite's bookkeeping believes that its process holds locks which
the kernel never gave to it, even on a connection the child opens itself: another process may
then remove the write-ahead log under it, and committed messages are gone.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

from taskcfg.clock import Clock, SystemClock
from taskcfg.errors import BrokerUnavailable
from taskcfg.transport.schema import prepare

BUSY_TIMEOUT = 10.0  # seconds to wait for another process's write
RESERVE = 8 * 2**20  # bytes of the disk that publishers leave to consumers, who make room

_lock = threading.RLock()
_files: weakref.WeakSet[BrokerFile] = weakref.WeakSet()

_REASONS = {
    sqlite3.SQLITE_FULL: ("there is no room left", "free some space on the disk"),
    sqlite3.SQLITE_BUSY: ("other processes kept it locked for too long", "try again"),
    sqlite3.SQLITE_READONLY: ("it cannot be written", "check the permissions of the file and of its folder"),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "check that its folder exists and can be written"),
    sqlite3.SQLITE_NOTADB: ("it is no broker file", "point the broker URL at another file"),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", "stop everything that uses it and move it away"),
}
_TRANSIENT = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR}  # the last: a full disk, too


class BrokerFileError(BrokerUnavailable, sqlite3.OperationalError):
    """The broker's file cannot be used as asked; nothing was changed by the call.

    `transient` tells that the same file may well work in a moment: it is locked, or the
    disk is full.
    """

    def __init__(self, path: Path, reason: str, *, hint: str | None = None, transient: bool = False) -> None:
        self.path = path
        self.reason = reason
        self.transient = transient
        super().__init__(f"embedded broker {path}: {reason}", hint=hint)


class BrokerFile:
    """One process's way into the file; made, and opened again after a fork, on first use.

    `busy_timeout` is in seconds. `max_bytes` bounds the file: what would make it grow
    further fails as on a full disk. Every method may be called from any thread.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock | None = None,
        busy_timeout: float = BUSY_TIMEOUT,
        max_bytes: int | None = None,
    ) -> None:
        self.path = path.absolute()
        self.clock = clock or SystemClock()
        self._busy_timeout = busy_timeout
        self._max_bytes = max_bytes
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._openings = 0
        self._own_writes = 0
        self._unusable: str | None = None
        _files.add(self)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for single reads. Raises BrokerFileError."""
        with _lock, self._translated():
            yield self._opened()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection inside a write transaction: committed at the end, all or nothing.

        Once it is left without an error, what was written outlives a kill of any process.
        Raises BrokerFileError.
        """
        with _lock, self._translated():
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.rollback()
                raise
            self._own_writes += 1

    def keep_reserve(self, size: int) -> None:
        """Raise BrokerFileError if *size* bytes more would leave consumers no room to make some.

        A message is written to the log first and from there to the file, and so is every step of its
        consumer: on a disk that publishers had filled to the last byte nobody could take one any more.
        """
        try:
            disk = os.statvfs(self.path.parent)
        except OSError:
            return  # opening the file tells what is wrong
        log = 0
        with contextlib.suppress(FileNotFoundError):
            log = os.stat(f"{self.path}-wal").st_size
        if disk.f_bavail * disk.f_frsize < RESERVE + log + 2 * size:
            reason, hint = _REASONS[sqlite3.SQLITE_FULL]
            raise BrokerFileError(
                self.path,
                f"{reason} (the last {RESERVE >> 20} MiB are for consumers)",
                hint=hint,
                transient=True,
            )

    def change_token(self) -> tuple[int, int, int]:
        """Return something that differs whenever anybody may have written since it last was asked for.

        This is what an idle worker spends its time on: it does not look whether the file was moved.
        """
        with _lock:
            try:
                connection = self._connection or self._opened()
                (version,) = connection.execute("PRAGMA data_version").fetchone()
            except BrokerFileError:
                raise
            except sqlite3.Error as error:
                raise self._explained(error) from error
            return (self._openings, self._own_writes, version)

    @property
    def is_usable(self) -> bool:
        """False once it was closed, or found to be moved or deleted."""
        return self._unusable is None

    def close(self) -> None:
        """Let the file go for good; any later use raises BrokerFileError."""
        with _lock:
            self._unusable = "it was closed"
            self._shut()

    def _shut(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _opened(self) -> sqlite3.Connection:
        if self._inode is not None and self._inode != _inode(self.path):
            self._unusable = "it was moved or deleted while in use"
            self._shut()
        if self._unusable is not None:
            raise BrokerFileError(self.path, self._unusable)
        return self._connection or self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise BrokerFileError(self.path, f"its folder cannot be made: {error.strerror}") from error
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        try:
            prepare(connection, self.clock, busy_timeout=self._busy_timeout)
            if self._max_bytes is not None:
                (page_size,) = connection.execute("PRAGMA page_size").fetchone()
                connection.execute(f"PRAGMA max_page_count = {self._max_bytes // page_size}")
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._inode = _inode(self.path)
        self._openings += 1
        return connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (BrokerFileError, sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError):
            raise
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _explained(self, error: sqlite3.Error) -> BrokerFileError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        reason, hint = _REASONS.get(code, ("it failed", None))
        return BrokerFileError(self.path, f"{reason} ({error})", hint=hint, transient=code in _TRANSIENT)


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


def _before_fork() -> None:
    _lock.acquire()
    for file in list(_files):
        file._shut()


def _after_fork_in_parent() -> None:
    _lock.release()


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.RLock()  # its waiters stayed behind in the parent


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)

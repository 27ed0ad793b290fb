"""Notices that something under the folders of task files and calendars may have changed.

An event only says *dirty*: what changed is found out by reading the folder again. Editors and
ConfigMaps replace files, so the folder is watched and not the files; and since a watcher can
miss a change (network file systems, a replaced folder), whoever uses this reads the folder
every so often anyway.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from taskcfg.clock import Clock

logger = logging.getLogger("taskcfg.source")

SETTLE = 0.3
"""Seconds without a further event after which a change is taken to be complete."""

LONGEST_SETTLE = 2.0
"""Seconds after the first event when it is read in any case."""

LOOK_EVERY = 1.0
"""Seconds between two looks at whether the folder is still the one that is watched."""

_HARMLESS = ("opened", "closed_no_write")
"""What reading a file emits: to take it for a change would make us read for ever."""


class FolderWatcher:
    """Watches *folders* and everything below them; survives that one comes, goes or is replaced."""

    def __init__(self, folders: Sequence[Path], clock: Clock) -> None:
        self._clock = clock
        self._dirty = threading.Event()
        self._closed = False
        self._watches = [_Watch(folder, self._dirty) for folder in folders]
        self._arm()
        self._dirty.clear()

    def wait(self, seconds: float) -> bool:
        """Wait at most that long for a change, and then until it has settled. True: read the folders."""
        end = self._clock.monotonic() + seconds
        while not self._dirty.is_set():
            self._arm()
            left = end - self._clock.monotonic()
            if self._closed or left <= 0:
                return False
            self._dirty.wait(min(left, LOOK_EVERY))
        deadline = self._clock.monotonic() + LONGEST_SETTLE
        while self._dirty.is_set() and self._clock.monotonic() < deadline:
            self._dirty.clear()
            self._dirty.wait(SETTLE)
        self._dirty.clear()
        return not self._closed

    def close(self) -> None:
        self._closed = True
        self._dirty.set()
        for watch in self._watches:
            watch.disarm()

    def _arm(self) -> None:
        for watch in self._watches:
            if not self._closed:
                watch.arm()


class _Watch:
    """The watch over one folder, which need not be there."""

    def __init__(self, folder: Path, dirty: threading.Event) -> None:
        self._folder = folder
        self._dirty = dirty
        self._observer: BaseObserver | None = None
        self._watched: tuple[int, int] | None = None

    def arm(self) -> None:
        """Watch the folder that is there now; a folder that was replaced is another one."""
        identity = _identity(self._folder)
        if identity == self._watched:
            return
        self.disarm()
        if identity is not None:
            observer = Observer()
            try:
                observer.schedule(_Marker(self._dirty), str(self._folder), recursive=True)
                observer.start()
            except OSError as error:
                logger.warning("watch.unavailable folder=%s reason=%s", self._folder, error)
            else:
                self._observer = observer
        self._watched = identity
        self._dirty.set()

    def disarm(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None


class _Marker(FileSystemEventHandler):
    def __init__(self, dirty: threading.Event) -> None:
        self._dirty = dirty

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in _HARMLESS:
            self._dirty.set()


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino

"""Waking whoever waits for messages, from any thread: a sleeping thread, or an event loop."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any


class Doorbell:
    """Rung when there may be something to do. Rings before anybody waits are kept, as one."""

    def __init__(self) -> None:
        self._rung = threading.Event()
        self._loop: Any = None
        self._pipe: tuple[int, int] | None = None
        self._pid = os.getpid()

    def ring(self) -> None:
        """Wake who waits."""
        self._rung.set()
        pipe = self._pipe
        if pipe is not None:
            with contextlib.suppress(OSError):  # full: it will be answered anyway; closed: nobody is at home
                os.write(pipe[1], b"\0")

    def wait(self, seconds: float) -> None:
        """Sleep until it rings, at most *seconds*."""
        self._rung.wait(seconds)
        self._rung.clear()

    def answer_in(self, loop: Any, callback: Callable[[], None]) -> None:
        """Have kombu's event loop *loop* call *callback* when it rings, from now on."""
        self.silence()
        self._loop = loop
        self._pipe = read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        os.set_blocking(write_end, False)
        loop.add_reader(read_end, self._answer, read_end, callback)
        self.ring()

    def silence(self) -> None:
        """Take `answer_in` back."""
        loop, self._loop = self._loop, None
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            if self._pid == os.getpid():  # a forked child would take it from its parent's poller
                loop.remove_reader(pipe[0])
            os.close(pipe[0])
            os.close(pipe[1])

    def _answer(self, read_end: int, callback: Callable[[], None]) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(read_end, 4096)
        callback()

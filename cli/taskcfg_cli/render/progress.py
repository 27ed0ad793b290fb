"""That long work goes on: one line on a terminal's stderr, gone when the work is done."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

AFTER = 0.7
"""Seconds before anything is shown: what is quicker needs no word."""

EVERY = 0.25

CLEAR = "\r\x1b[K"

Say = Callable[[str], None]


@contextmanager
def progress(what: str, *, quiet: bool = False, after: float = AFTER) -> Iterator[Say]:
    """Show *what* is being done, and for how long, while the block runs.

    Yields a function that says how far it is (`300 of 2,000`). Without a terminal at stderr, or when
    *quiet*, nothing happens at all. Ask nothing and print nothing inside the block.
    """
    if quiet or not _on_terminal():
        yield _say_nothing
        return
    line = _Line(what, after)
    line.thread.start()
    try:
        yield line.say
    finally:
        line.ended.set()
        line.thread.join()


class _Line:
    def __init__(self, what: str, after: float) -> None:
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, name="taskcfg-progress", daemon=True)
        self._what = what
        self._after = after
        self._far = ""

    def say(self, far: str) -> None:
        self._far = far

    def _run(self) -> None:
        if self.ended.wait(self._after):
            return
        seconds = self._after
        while not self.ended.wait(EVERY):
            seconds += EVERY
            _write(f"{CLEAR}{self._what} … {self._far + ', ' if self._far else ''}{seconds:.0f}s")
        _write(CLEAR)


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _write(text: str) -> None:
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _say_nothing(far: str) -> None:
    """Nobody is looking."""

"""Progress: a line on a terminal while long work goes on, and nothing anywhere else."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from taskcfg_cli.render.progress import CLEAR, progress
from waiting import eventually


class Screen:
    """What a terminal was sent so far."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._seen = b""

    @property
    def text(self) -> str:
        with suppress(BlockingIOError):
            self._seen += os.read(self._descriptor, 10_000)
        return self._seen.decode()


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stderr, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        patch.setenv("TERM", "xterm")
        yield Screen(ours)
    os.close(ours)


def at_work() -> bool:
    return "taskcfg-progress" in {thread.name for thread in threading.enumerate()}


def test_long_work_is_shown_with_how_far_it_is_and_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as screen:
        with progress("Removing", after=0.01) as say:
            say("300 of 2,000")
            eventually(lambda: "Removing … 300 of 2,000, 0s" in screen.text, timeout=10)

        eventually(lambda: screen.text.endswith(CLEAR), timeout=10)


def test_quick_work_quiet_work_and_work_without_a_terminal_show_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with terminal(monkeypatch) as screen:
        with progress("Removing", after=60) as say:
            say("1 of 1")
        with progress("Removing", quiet=True, after=0):
            assert not at_work()
        assert screen.text == ""

    with (tmp_path / "log").open("w") as log, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", log)
        with progress("Removing", after=0):
            assert not at_work()
    assert (tmp_path / "log").read_text() == ""

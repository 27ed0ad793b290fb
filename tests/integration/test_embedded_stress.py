"""The embedded broker under stress: many processes on one file, killed at random, on a disk that fills up.

What a publisher was told is stored comes to a consumer, whole transactions or nothing; nothing comes
twice but what a consumer that was killed had not acknowledged. `TASKCFG_TEST_STRESS=60` makes it longer.
"""

from __future__ import annotations

import itertools
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from services import children
from waiting import eventually

SECONDS = float(os.environ.get("TASKCFG_TEST_STRESS", "5"))
PROGRAM = Path(__file__).with_name("embedded_stress.py")
DISK = 40 * 2**20


class Crowd:
    """Publishers and consumers on one broker file, and what each of them wrote down."""

    def __init__(self, folder: Path, disk: Path) -> None:
        self.broker = disk / "broker.db"
        self._journals = folder / "journals"
        self._journals.mkdir()
        self._log = folder / "log"
        self._numbers = itertools.count()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.killed: set[str] = set()

    def start(self, what: str, *arguments: object) -> str:
        name = f"{what}{next(self._numbers)}"
        command = [sys.executable, PROGRAM, what, self.broker, self._journals / name, *map(str, arguments)]
        self._running[name] = children.start(command, log=self._log, cwd=self._journals)
        return name

    def running(self, what: str) -> list[str]:
        return [n for n, each in self._running.items() if n.startswith(what) and each.poll() is None]

    def kill(self, name: str) -> None:
        self._running[name].kill()
        self._running[name].wait()
        self.killed.add(name)

    def close(self) -> None:
        for process in self._running.values():
            children.stop(process)

    def lines(self, what: str) -> Iterator[tuple[str, list[str]]]:
        for path in sorted(self._journals.glob(f"{what}*")):
            for line in path.read_text().splitlines():
                yield path.name, line.split()

    def transactions(self) -> dict[tuple[str, str], tuple[str, set[str]]]:
        """Return how each transaction ended, `begin` where nobody knows, and its messages' ids."""
        found: dict[tuple[str, str], tuple[str, set[str]]] = {}
        for name, (word, number, *ids) in self.lines("publish"):
            known = found.get((name, number), ("", set(ids)))[1]
            found[name, number] = (word, known)
        return found

    def done(self) -> Counter[str]:
        return Counter(words[1] for _, words in self.lines("consume") if words[0] == "did")

    def unacknowledged(self) -> set[str]:
        """Return what a consumer had begun and not seen acknowledged when it was killed or sent away."""
        left: dict[str, set[str]] = {}
        interrupted: set[str] = set()
        for name, (word, *rest) in self.lines("consume"):
            mine = left.setdefault(name, set())
            match word:
                case "took":
                    mine.add(rest[0])
                case "acked":
                    mine.discard(rest[0])
                case "away":
                    interrupted |= mine
                    mine.clear()
        return interrupted.union(*left.values())

    def waiting(self) -> int:
        database = sqlite3.connect(self.broker, timeout=30)
        try:
            return int(database.execute("SELECT count(*) FROM message").fetchone()[0])
        finally:
            database.close()

    def check(self) -> None:
        """Hold the journals against each other, once no message is left."""
        done = self.done()
        for transaction, (end, ids) in self.transactions().items():
            came = ids & done.keys()
            assert end != "stored" or came == ids, f"{transaction}: lost {ids - came}"
            assert end != "refused" or not came, f"{transaction}: refused, and {came} came"
            assert came in (set(), ids), f"{transaction}: only {came} of {ids}"
        twice = {id_ for id_, count in done.items() if count > 1}
        assert twice <= self.unacknowledged()
        assert self._said() == ""

    def _said(self) -> str:
        """Return what nobody may say: no traceback, and nothing but that somebody died or a disk is full."""
        known = (
            "broker.consumer_dead", "broker.ack_delayed", "broker.take_delayed", "broker.beat_delayed",
            "broker.trouble", "broker.recovered",
        )  # fmt: skip
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(line for line in lines if not line.startswith(known))


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    crowd = Crowd(tmp_path, tmp_path)
    yield crowd
    crowd.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of which little is left."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def drained(crowd: Crowd) -> None:
    while len(crowd.running("consume")) < 2:
        crowd.start("consume")
    eventually(lambda: not crowd.running("publish"), timeout=60 + SECONDS)
    eventually(lambda: crowd.waiting() == 0, timeout=120, interval=0.5)


def test_nothing_is_lost_or_comes_half_while_publishers_and_consumers_are_killed(crowd: Crowd) -> None:
    chance = random.Random(1)
    end = time.monotonic() + SECONDS
    for _ in range(3):
        crowd.start("publish", SECONDS)
        crowd.start("consume")
    while time.monotonic() < end:
        time.sleep(0.3 + chance.random() * 0.5)
        what = chance.choice(["publish", "consume"])
        if victims := [name for name in crowd.running(what) if any(crowd.lines(name))]:
            crowd.kill(chance.choice(victims))
        crowd.start(what, *([max(0.0, end - time.monotonic())] if what == "publish" else []))

    drained(crowd)
    crowd.close()

    assert crowd.killed
    assert sum(crowd.done().values()) > 100
    crowd.check()


def test_a_disk_that_fills_up_refuses_whole_transactions_and_stops_nobody(
    tmp_path: Path, small_disk: Path
) -> None:
    crowd = Crowd(tmp_path, small_disk)
    try:
        for _ in range(2):
            crowd.start("publish", SECONDS)
        eventually(lambda: crowd.broker.exists() and crowd.waiting() > 10)
        for _ in range(2):
            crowd.start("consume")
        for _ in range(max(2, int(SECONDS / 2))):
            fill(small_disk / "filler", for_seconds=0.7)
            time.sleep(0.3)
        eventually(lambda: not crowd.running("publish"), timeout=60 + SECONDS)
        refused = [end for end, _ in crowd.transactions().values() if end == "refused"]

        drained(crowd)
    finally:
        crowd.close()

    assert refused
    assert sum(crowd.done().values()) > 100
    crowd.check()


def fill(path: Path, *, for_seconds: float) -> None:
    """Take what is left of the disk for a while."""
    end = time.monotonic() + for_seconds
    with path.open("wb", buffering=0) as filler:
        while time.monotonic() < end:
            try:
                filler.write(bytes(64 * 1024))
            except OSError:
                time.sleep(0.02)
    path.unlink()

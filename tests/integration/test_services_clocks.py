"""A wrong clock for a test: that of a process, and that of a PostgreSQL server."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from services import postgres
from services.faketime import FakeTime
from services.required import resolve_or_skip
from waiting import eventually

HOUR = timedelta(hours=1)
NEAR = timedelta(minutes=5)
TELL = "import sys, time\nfor line in sys.stdin:\n    print(time.time(), time.monotonic(), flush=True)\n"


def test_a_processs_clock_is_moved_while_it_runs_and_time_passes_as_ever(
    fake_time: Callable[..., FakeTime],
) -> None:
    clock = fake_time(HOUR)
    with subprocess.Popen(
        [sys.executable, "-c", TELL], env={**os.environ, **clock.env},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as teller:  # fmt: skip

        def told() -> tuple[timedelta, float]:
            assert teller.stdin and teller.stdout
            teller.stdin.write("\n")
            teller.stdin.flush()
            wall, monotonic = map(float, teller.stdout.readline().split())
            return timedelta(seconds=wall - time.time()), monotonic - time.monotonic()

        ahead = told()
        clock.shift(-HOUR)
        behind = told()

    assert abs(ahead[0] - HOUR) < NEAR
    assert abs(behind[0] + HOUR) < NEAR
    assert abs(ahead[1]) < 60 and abs(behind[1]) < 60


@pytest.mark.postgres
def test_a_servers_clock_is_moved_while_it_runs(fake_time: Callable[..., FakeTime]) -> None:
    clock = fake_time()

    def offset(server: postgres.Server) -> timedelta:
        ((there,),) = postgres.execute(server.url, "SELECT extract(epoch FROM clock_timestamp())::float8")
        return datetime.fromtimestamp(float(str(there)), UTC) - datetime.now(UTC)

    def run() -> list[timedelta]:
        with postgres.own_server(clock.env) as server:
            offsets = [offset(server)]
            for shift in (HOUR, -HOUR):
                clock.shift(shift)
                eventually(lambda shift=shift: abs(offset(server) - shift) < NEAR)
                offsets.append(offset(server))
            return offsets

    found = resolve_or_skip("postgres", run)

    assert all(abs(there - meant) < NEAR for there, meant in zip(found, [0 * HOUR, HOUR, -HOUR], strict=True))

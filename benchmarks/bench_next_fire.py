"""The next fire of a cron expression: taskcfg beside cronsim, APScheduler, croniter and Celery's crontab."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import peers
import runner
from processes import PROGRAMS, PYTHON, run
from runner import Benchmark, Column, Figures

MAIN = "mean, µs"
CRONSIM = "cronsim"
PEERS = {
    "cronsim": "cronsim",
    "apscheduler": "APScheduler",
    "croniter": "croniter",
    "celery": "Celery crontab",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, default=300, help="fires in a row (default 300)")


def benchmarks(options: argparse.Namespace, stack: ExitStack) -> list[Benchmark]:
    columns = [Column("taskcfg", _walk(PYTHON, "taskcfg", options.steps))]
    columns += [
        Column(name, _walk(peers.PYTHON, module, options.steps), peers.missing(module))
        for module, name in PEERS.items()
    ]
    return [
        Benchmark(
            title=f"one next fire in Europe/Berlin, µs; {options.steps} in a row from 2026-01-01",
            main=MAIN,
            columns=columns,
            against=(CRONSIM, "taskcfg"),
            goal="at most 15 µs for common expressions",
        )
    ]


def _walk(python: str, library: str, steps: int) -> Callable[[], Figures]:
    def measure() -> Figures:
        said = run([python, str(PROGRAMS / "next_fire.py"), library, str(steps)])
        microseconds: dict[str, float] = json.loads(said)
        return {MAIN: sum(microseconds.values()) / len(microseconds), **microseconds}

    return measure


def main(argv: Sequence[str] | None = None) -> list[dict[str, object]]:
    return runner.main(benchmarks, rounds=7, arguments=arguments, argv=argv, description=__doc__)


if __name__ == "__main__":
    main()

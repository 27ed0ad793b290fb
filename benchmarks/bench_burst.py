"""10,000 tasks due in the same second, on PostgreSQL and RabbitMQ: taskcfg, the limit, and the peers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import contestants
import runner
import services
from burst import MAIN, Allowance, Contestant, measure
from runner import Benchmark, Column

LIMIT = "limit"
TASKCFG = "taskcfg scheduler"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, default=10_000, help="tasks due at once (default 10000)")
    parser.add_argument("--beat", action="store_true", help="also celery beat (minutes a round)")


def benchmarks(options: argparse.Namespace, stack: ExitStack) -> list[Benchmark]:
    services.require_postgres()
    services.require_rabbitmq()
    columns = [
        _column(TASKCFG, contestants.Taskcfg(), options.n),
        _column(LIMIT, contestants.Limit(), options.n),
    ]
    rivals: dict[str, contestants.Peer] = {
        "APScheduler, memory": contestants.ApschedulerMemory(),
        "APScheduler, PostgreSQL": contestants.ApschedulerPostgres(),
        "RedBeat": contestants.Redbeat(),
    }
    if options.beat:
        rivals["celery beat"] = contestants.Beat()
    columns += [_column(name, peer, options.n, peer.missing()) for name, peer in rivals.items()]
    return [
        Benchmark(
            title=f"{options.n:,} tasks due in the same second; PostgreSQL, RabbitMQ, one scheduler process",
            main=MAIN,
            columns=columns,
            against=(LIMIT, TASKCFG),
            goal="taskcfg at most 2.5 x the limit, best peer at least 2.5 x taskcfg, none doubled or lost",
        )
    ]


def _column(name: str, contestant: Contestant, n: int, missing: str | None = None) -> Column:
    return Column(name, partial(measure, contestant, n, Allowance(n)), missing)


def main(argv: Sequence[str] | None = None) -> list[dict[str, object]]:
    return runner.main(benchmarks, rounds=5, arguments=arguments, argv=argv, description=__doc__)


if __name__ == "__main__":
    main()

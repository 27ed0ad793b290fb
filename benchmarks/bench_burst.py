"""10,000 tasks due in the same second, PostgreSQL with RabbitMQ and with Redis: taskcfg, limit, peers."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial

import contestants
import runner
import services
from burst import MAIN, Allowance, Contestant, measure
from runner import Benchmark, Column

LIMIT = "limit"
TASKCFG = "taskcfg scheduler"
TWO = "two taskcfg schedulers"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, default=10_000, help="tasks due at once (default 10000)")
    parser.add_argument("--broker", choices=("rabbitmq", "redis"), help="only on this broker (default: both)")
    parser.add_argument("--beat", action="store_true", help="also celery beat (minutes a round)")


def benchmarks(options: argparse.Namespace, stack: ExitStack) -> list[Benchmark]:
    services.require_postgres()
    made = []
    if options.broker != "redis":
        services.require_rabbitmq()
        made.append(_on_rabbitmq(options))
    if options.broker != "rabbitmq":
        made.append(_on_redis(options))
    return made


def _on_rabbitmq(options: argparse.Namespace) -> Benchmark:
    rivals: dict[str, contestants.Peer] = {
        "APScheduler, memory": contestants.ApschedulerMemory(),
        "APScheduler, PostgreSQL": contestants.ApschedulerPostgres(),
        "RedBeat": contestants.Redbeat(),
    }
    if options.beat:
        rivals["celery beat"] = contestants.Beat()
    ours: dict[str, Contestant] = {
        TASKCFG: contestants.Taskcfg(),
        TWO: contestants.TwoSchedulers(),
        LIMIT: contestants.Limit(),
    }
    return Benchmark(
        title=f"{options.n:,} tasks due in the same second; PostgreSQL, RabbitMQ",
        main=MAIN,
        columns=[*_columns(ours, rivals, "rabbitmq", options.n)],
        against=(LIMIT, TASKCFG),
        goal="taskcfg at most 2.5 x the limit, best peer at least 2.5 x taskcfg, none doubled or lost; "
        "two schedulers at least 0.85 x as fast as one (at most 1.18 x its time)",
    )


def _on_redis(options: argparse.Namespace) -> Benchmark:
    ours: dict[str, Contestant] = {TASKCFG: contestants.Taskcfg(), LIMIT: contestants.Limit()}
    rivals: dict[str, contestants.Peer] = {
        "APScheduler, memory": contestants.ApschedulerMemory(),
        "RedBeat": contestants.Redbeat(),
    }
    return Benchmark(
        title=f"{options.n:,} tasks due in the same second; PostgreSQL, Redis",
        main=MAIN,
        columns=[*_columns(ours, rivals, "redis", options.n, services.redis_missing())],
        against=(LIMIT, TASKCFG),
        goal="APScheduler's memory store at least 4 x taskcfg, none doubled or lost",
    )


def _columns(
    ours: Mapping[str, Contestant],
    rivals: Mapping[str, contestants.Peer],
    broker: str,
    n: int,
    missing: str | None = None,
) -> list[Column]:
    columns = [_column(name, each, broker, n, missing) for name, each in ours.items()]
    return columns + [
        _column(name, peer, broker, n, missing or peer.missing()) for name, peer in rivals.items()
    ]


def _column(name: str, contestant: Contestant, broker: str, n: int, missing: str | None) -> Column:
    return Column(name, partial(measure, contestant, n, broker, Allowance(n)), missing)


def main(argv: Sequence[str] | None = None) -> list[dict[str, object]]:
    return runner.main(benchmarks, rounds=5, arguments=arguments, argv=argv, description=__doc__)


if __name__ == "__main__":
    main()

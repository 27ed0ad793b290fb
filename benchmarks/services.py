"""The services that benchmarks run on, each used under names of its own, cleaned up afterwards.

`TASKCFG_BENCH_POSTGRES_URL`, `TASKCFG_BENCH_RABBITMQ_URL` and `TASKCFG_BENCH_REDIS_URL` say where they
are; without them, 127.0.0.1 with each service's own port.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import kombu
import psycopg2

from runner import Missing

POSTGRES_URL = os.environ.get("TASKCFG_BENCH_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
RABBITMQ_URL = os.environ.get("TASKCFG_BENCH_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")
REDIS_URL = os.environ.get("TASKCFG_BENCH_REDIS_URL", "redis://127.0.0.1:6379/9")

PREFIX = "taskcfg_bench"
_numbers = itertools.count(1)


def own_name() -> str:
    return f"{PREFIX}_{os.getpid()}_{next(_numbers)}"


def require_postgres() -> None:
    try:
        psycopg2.connect(POSTGRES_URL, connect_timeout=3).close()
    except psycopg2.OperationalError as error:
        raise Missing(f"PostgreSQL does not answer (TASKCFG_BENCH_POSTGRES_URL): {_line(error)}") from error


def require_rabbitmq() -> None:
    with kombu.Connection(RABBITMQ_URL, connect_timeout=3) as connection:
        try:
            connection.connect()
        except (OSError, *connection.connection_errors) as error:
            raise Missing(f"RabbitMQ does not answer (TASKCFG_BENCH_RABBITMQ_URL): {_line(error)}") from error


def redis_missing() -> str | None:
    """Return why Redis cannot be used, or None when it can."""
    import redis

    try:
        with redis.Redis.from_url(REDIS_URL, socket_connect_timeout=3) as client:
            client.ping()
    except redis.RedisError as error:
        return f"Redis does not answer (TASKCFG_BENCH_REDIS_URL): {_line(error)}"
    return None


def forget_redis(prefix: str) -> None:
    """Delete every key that begins with *prefix*."""
    import redis

    with redis.Redis.from_url(REDIS_URL) as client:
        for key in client.scan_iter(match=f"{prefix}*", count=5000):
            client.delete(key)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


@contextmanager
def own_database() -> Iterator[str]:
    """Make an empty PostgreSQL database, yield its URL, and drop it."""
    name = own_name()
    _administer(f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(urlsplit(POSTGRES_URL)._replace(path=f"/{name}"))
    finally:
        _administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _administer(statement: str) -> None:
    connection = psycopg2.connect(POSTGRES_URL)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def settle(database_url: str) -> None:
    """Vacuum and analyse, so that no background work of the database's falls into the measurement."""
    connection = psycopg2.connect(database_url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("CHECKPOINT")
    finally:
        connection.close()

"""Fixtures for tests on real databases."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from stored import World, opened


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    """A database with this version's tables; the test runs once on SQLite and once on PostgreSQL."""
    with opened(database_url) as database:
        yield database


@pytest.fixture
def world(database: Engine) -> World:
    return World(database)


@pytest.fixture
def postgres_world(postgres_url: str) -> Iterator[World]:
    """The same for what only PostgreSQL can do or refuse."""
    with opened(postgres_url) as database:
        yield World(database)

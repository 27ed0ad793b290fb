"""Which environment the database belongs to, for `taskcfg doctor`."""

from __future__ import annotations

from collections.abc import Iterator

from taskcfg.control.findings import Finding, failed, ok
from taskcfg.errors import WrongEnvironment
from taskcfg.settings import Settings
from taskcfg.store.database import Engine, reading
from taskcfg.store.settings_table import check_environment, environment


def environment_agrees(database: Engine, settings: Settings) -> Iterator[Finding]:
    """The database is that of the environment that is set; of no environment there is nothing to say."""
    with reading(database) as connection:
        stamped = environment(connection)
        try:
            check_environment(connection, settings.env)
        except WrongEnvironment as error:
            yield failed("environment", error)
            return
    if stamped is not None:
        yield ok("environment", stamped)
    elif settings.env is not None:
        yield ok("environment", f"none yet: the first apply makes the database that of {settings.env}")

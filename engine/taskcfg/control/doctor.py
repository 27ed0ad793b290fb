"""`taskcfg doctor`: the checks in their order, each by itself, and those of database and broker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from taskcfg.celery import make_app
from taskcfg.celery.fitness import short_visibility
from taskcfg.clock import Clock
from taskcfg.control.broker_findings import messages_kept, priorities_kept
from taskcfg.control.celery_app import DefaultQueues, celery_app
from taskcfg.control.drifting import drifted_tasks
from taskcfg.control.environment_check import environment_agrees
from taskcfg.control.findings import (
    Finding,
    fail,
    failed,
    ok,
    settings_found,
    types_loaded,
    warn,
    zone_data,
)
from taskcfg.control.history_check import history
from taskcfg.control.source_findings import files_found, sources_in_sync
from taskcfg.dispatch.reach import reach_broker
from taskcfg.errors import DatabaseUnavailable, SchemaMismatch, TaskcfgError, count
from taskcfg.settings import Settings
from taskcfg.source.zone_data import is_newer, zone_database
from taskcfg.spec.fires import is_gated
from taskcfg.spec.secrets import secret_names
from taskcfg.spec.task import TaskSpec
from taskcfg.store import rezoning, schema
from taskcfg.store.database import Engine, database_time, open_database, reading
from taskcfg.store.hints import why_deaf
from taskcfg.store.nodes import SCHEDULER, WORKER, NodeRow, known_nodes
from taskcfg.store.revisions import read_sources
from taskcfg.store.settings_table import read_setting
from taskcfg.store.task_list import TaskRow, task_rows
from taskcfg.types.registry import Registry

CLOCK_APART = 2.0
CLOCK_BROKEN = 60.0
"""Seconds between the machine's clock and the database's: worth a look, and not to be left so."""

MEND_APP = "mend the settings of the Celery app"
START_SCHEDULER = "start `taskcfg scheduler`, or everything on one machine with `taskcfg up`"
START_WORKER = "start `taskcfg worker`, or everything on one machine with `taskcfg up`"


def examine(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Yield what each check found. What only a working database could tell is left out without one."""
    yield settings_found(settings)
    yield zone_data()
    yield types_loaded(settings)
    app = None
    if settings.celery_app is not None:
        app, findings = celery_app(settings)
        yield from findings
    yield from files_found(settings, clock)
    reached = broker(settings)
    yield reached
    if reached.ok:
        yield from messages_kept(app or make_app(settings, Registry()))
    yield from _database(settings, clock, app)


def _database(settings: Settings, clock: Clock, app: Any) -> Iterator[Finding]:
    try:
        database = open_database(settings.database_url, role="doctor")
    except TaskcfgError as error:
        yield failed("database", error)
        return
    try:
        reached = reachable(database)
        yield reached
        if not reached.ok:
            return
        yield clock_agrees(database, clock)
        yield hints_heard(database, settings.database_direct_url)
        tables = schema_matches(database)
        yield tables
        if tables.ok:
            yield from environment_agrees(database, settings)
            yield from _living(database, app, settings)
    finally:
        database.dispose()


def _living(database: Engine, app: Any, settings: Settings) -> Iterator[Finding]:
    with reading(database) as connection:
        tasks = task_rows(connection)
        schedulers = known_nodes(connection, SCHEDULER)
        workers = known_nodes(connection, WORKER)
        known_zones = read_setting(connection, rezoning.SETTING)
        sources = read_sources(connection)
        yield from sources_in_sync(
            sources, lambda: drifted_tasks(connection, [each.name for each in sources])
        )
    yield from zones_agree(zone_database(), known_zones)
    yield schedulers_alive(schedulers, live=len(tasks))
    yield from versions_agree([*schedulers, *workers])
    try:
        yield workers_alive(workers, _by_queue(tasks, app))
    except Exception as error:  # noqa: BLE001  # a router of the user's own can raise anything
        yield fail("workers", f"the app's routing failed: {type(error).__name__}: {error}", MEND_APP)
    yield from history(database, settings, tasks)
    yield from secrets_used(task.spec for task in tasks if task.spec)
    if app is not None:
        yield from visibility(app, tasks)
    yield from _priorities(app, settings, [task.spec for task in tasks if task.spec])


def _priorities(app: Any, settings: Settings, live: Sequence[TaskSpec]) -> Iterator[Finding]:
    try:
        used = make_app(settings, Registry()) if app is None else app
    except TaskcfgError:
        return  # the check of the broker itself says why
    yield from priorities_kept(used, app is not None, live)


def secrets_used(live: Iterable[TaskSpec]) -> Iterator[Finding]:
    """Which secrets the workers need. Whether they have them, only they know."""
    names = sorted(frozenset[str]().union(*(secret_names(dict(spec.params)) for spec in live)))
    if names:
        yield ok("secrets", f"workers need {count(len(names), 'secret')}: {', '.join(names)}")


def visibility(app: Any, tasks: Sequence[TaskRow]) -> Iterator[Finding]:
    """Redis does not hand out again what may still run."""
    timeouts = [task.spec.policy.timeout for task in tasks if task.spec and task.spec.policy.timeout]
    longest = max((timeout.total_seconds() for timeout in timeouts), default=0.0)
    remark = short_visibility(app, longest)
    if remark is not None:
        yield warn(f"app_{remark.about}", remark.reason, remark.hint)


def broker(settings: Settings) -> Finding:
    """The broker can be reached."""
    try:
        return ok("broker", reach_broker(make_app(settings, Registry())))
    except TaskcfgError as error:
        return failed("broker", error)


def reachable(database: Engine) -> Finding:
    """The database answers."""
    try:
        with reading(database) as connection:
            database_time(connection)
    except (DatabaseUnavailable, SchemaMismatch) as error:
        return failed("database", error)
    return ok("database", database.url.render_as_string(hide_password=True))


def clock_agrees(database: Engine, clock: Clock) -> Finding:
    """This machine's clock agrees with the database's, which decides what is due."""
    before = clock.now()
    with reading(database) as connection:
        there = database_time(connection)
    return clocks_compared(before + (clock.now() - before) / 2, there)


def clocks_compared(here: datetime, there: datetime) -> Finding:
    apart = (here - there).total_seconds()
    which = "ahead of" if apart > 0 else "behind"
    reason = f"this machine is {abs(apart):.1f} s {which} the database"
    hint = "synchronise both clocks (NTP); fires follow the database's"
    if abs(apart) > CLOCK_BROKEN:
        return fail("clock", reason, hint)
    return warn("clock", reason, hint) if abs(apart) > CLOCK_APART else ok("clock", reason)


def zones_agree(here: str | None, known: str | None) -> Iterator[Finding]:
    """Whether this machine's time zone database is the one that fire times were worked out with."""
    if here is None or known is None or here == known or is_newer(here, known):
        return
    reason = f"this machine's are {here}, and fire times come from {known}"
    yield warn("zone_versions", reason, "update tzdata, so that all machines have the same")


def hints_heard(database: Engine, direct_url: str | None) -> Finding:
    """Schedulers hear at once of what changes in the database."""
    try:
        reason = why_deaf(database, direct_url)
    except TaskcfgError as error:
        return failed("hints", error)
    if reason is None:
        return ok("hints", "schedulers hear at once of changes in the database")
    return warn(
        "hints",
        f"{reason}: schedulers see changes within 1 s, not at once",
        "set database_direct_url to the URL of the server itself, with the same database, for LISTEN",
    )


def schema_matches(database: Engine) -> Finding:
    """The tables are those this version works with."""
    try:
        schema.check_whole(database)
    except SchemaMismatch as error:
        return failed("schema", error)
    version = schema.current(database)
    if version != schema.NEWEST:
        return ok("schema", f"version {version}, newer than this version's {schema.NEWEST}, which it serves")
    return ok("schema", f"version {version}")


def versions_agree(nodes: Sequence[NodeRow]) -> Iterator[Finding]:
    """All that is alive is of one version, unless an upgrade is going on."""
    alive = [node for node in nodes if node.alive]
    if len({node.version for node in alive}) > 1:
        each = ", ".join(f"{node.kind} {node.name} {node.version}" for node in alive)
        yield warn(
            "versions", f"several are alive: {each}", "restart the older ones, unless an upgrade goes on"
        )


def schedulers_alive(nodes: Sequence[NodeRow], *, live: int) -> Finding:
    """Somebody fires what is due."""
    alive = [node for node in nodes if node.alive]
    if alive:
        return ok("schedulers", f"{len(alive)} alive: {', '.join(node.name for node in alive)}")
    if not live:
        return warn("schedulers", "none is alive; no task is live yet either", START_SCHEDULER)
    return fail("schedulers", f"none is alive: {count(live, 'live task')} will not fire", START_SCHEDULER)


def workers_alive(nodes: Sequence[NodeRow], tasks: Mapping[str, Sequence[str]]) -> Finding:
    """Every queue that live tasks go to is served. *tasks* are their names, by queue."""
    alive = [node for node in nodes if node.alive]
    if not alive and not tasks:
        return warn("workers", "none is alive; no task is live yet either", START_WORKER)
    if not alive:
        return fail("workers", "none is alive: nothing that fires will run", START_WORKER)
    served = {queue for node in alive for queue in node.queues or tasks}
    unserved = sorted(tasks.keys() - served)
    if unserved:
        first = tasks[unserved[0]][0]
        return fail(
            "workers",
            f"nobody serves {', '.join(f'`{queue}`' for queue in unserved)}, where `{first}` goes",
            f"start `taskcfg worker --queues {','.join(unserved)}`",
        )
    return ok("workers", f"{len(alive)} alive: {', '.join(node.name for node in alive)}")


def _by_queue(tasks: Sequence[TaskRow], app: Any = None) -> dict[str, list[str]]:
    """Return the names of the tasks by the queue their fires go to; without those of foreign workers."""
    queue_of = DefaultQueues(app)
    queues: dict[str, list[str]] = {}
    for task in tasks:
        if task.spec is None or is_gated(task.spec.type, task.spec.params):
            queues.setdefault(queue_of(task.spec), []).append(task.name)
    return queues

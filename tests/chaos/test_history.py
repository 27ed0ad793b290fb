"""A long history is deleted while fires go out."""

import pytest
from sqlalchemy import create_engine, text

from chaos.stage import Stage
from chaos.table import WHOLE, size

FIRST = 1_700_000_000_000
"""When the history begins, in milliseconds; a fire each 5 s from then on."""

IDS = {
    "postgresql": "CAST(lpad(to_hex({ms}), 12, '0') || '7000' || '8' || lpad(to_hex(i), 15, '0') AS uuid)",
    "sqlite": "printf('%012x70008%015x', {ms}, i)",
}
NUMBERS = {
    "postgresql": "generate_series(0, {last}) AS n(i)",
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
    " SELECT i FROM n)",
}
INSTANTS = {"postgresql": "to_timestamp({ms} / 1000.0)", "sqlite": "{ms} * 1000"}

EVENTS = """
    INSERT INTO schedule_event (id, task_config_id, kind, dedupe_key, nominal_at, fire_at, config_version,
                                state, created_at, done_at)
    SELECT {id}, (SELECT id FROM task_config WHERE name = 'old'), 'manual', 'm:' || i, {at}, {at}, 1,
           CASE WHEN i % 10 = 1 THEN 'done' ELSE 'skipped' END, {at}, {at}
    FROM {numbers}
"""
ATTEMPTS = """
    INSERT INTO task_execution (id, task_config_id, schedule_event_id, dispatch_no, attempt, celery_id, state,
                                started_at, finished_at)
    SELECT {id}, (SELECT id FROM task_config WHERE name = 'old'), {id}, 1, 1, {id}, 'succeeded', {at}, {at}
    FROM {numbers} WHERE i % 10 = 1
"""


def remember(stage: Stage, fires: int) -> None:
    """Give the task `old` a history of so many *fires*, years long."""
    stage.project.write("tasks.d/old.yaml", "tasks:\n  old:\n    type: work\n    schedule: manual\n")
    stage.apply()
    database = create_engine(stage.database_url)
    kind = database.dialect.name
    ms = f"({FIRST} + CAST(i AS bigint) * 5000)"
    words = {
        "id": IDS[kind].format(ms=ms),
        "at": INSTANTS[kind].format(ms=ms),
        "numbers": NUMBERS[kind].format(last=fires - 1),
    }
    with database.begin() as connection:
        if kind == "postgresql":  # no need to look up the same task millions of times
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in (EVENTS, ATTEMPTS):
            connection.execute(text(statement.format(**words)))
    database.dispose()


def remembered(stage: Stage) -> int:
    database = create_engine(stage.database_url)
    try:
        with database.connect() as connection:
            query = "SELECT count(*) FROM schedule_event WHERE kind = 'manual'"
            return int(connection.execute(text(query)).scalar_one())
    finally:
        database.dispose()


def lateness(stage: Stage) -> list[float]:
    """Return how many seconds after its time each fire was recorded."""
    books = stage.books()
    return sorted((each.created_at - each.nominal_at).total_seconds() for each in books.events)


@pytest.mark.row("10 million events present while purging")
def test_a_long_history_goes_while_fires_go_out_in_time(stage: Stage) -> None:
    before = size(20_000, 10_000_000 if stage.place.database == "postgres" else 2_000_000)
    stage.watched = "t%"
    remember(stage, before)
    stage.env["TASKCFG_RETENTION"] = '{"all": "7d", "keep": 0}'
    stage.declare(20, "{every: 1s}", overlap="allow")
    stage.worker()
    stage.scheduler(), stage.scheduler()

    stage.until(lambda books: len(books.events) > 20 * size(20, 180), timeout=300)
    if not WHOLE:
        stage.until(lambda _: remembered(stage) == 0)
    after = remembered(stage)
    stage.stop_firing()
    books = stage.settled(timeout=size(90, 1_800))

    late = lateness(stage)
    middle, most = late[len(late) // 2], late[-1]
    print(f"{stage.place}: {before:,} fires, {after:,} left; lateness {middle:.3f} s, at most {most:.3f} s")
    stage.verdict(books)
    assert after < before
    assert [event for event in books.events if event.state == "missed"] == []  # as after 30 s of lateness

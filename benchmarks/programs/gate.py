"""What the gate adds to each execution: DATABASE N; prints JSON, microseconds an execution.

One task with an empty body is run by Celery's own tracer, as a pool process does it: N times for a
message of a fire, and N times, in turns of a hundred, for one that carries none of our headers. The
limit, in the same turns: two single-row statements that commit, on one psycopg2 connection.
"""

import json
import sys
import time
import uuid
from collections.abc import Callable

import psycopg2
from celery import Celery
from celery.app.trace import build_tracer

from taskcfg.dispatch.gate import Gate
from taskcfg.dispatch.gated import gate_tasks
from taskcfg.store.database import open_database
from taskcfg.store.executions import ExecutionRecords

Fire = tuple[str, str]
Way = Callable[[Fire], None]

TURN = 100
WARM_UP = 50
TASK = "bench.noop"
FIRES = """
INSERT INTO schedule_event (id, task_config_id, kind, dedupe_key, nominal_at, fire_at, config_version,
                            message, state, celery_id, created_at, published_at)
SELECT gen_random_uuid(), min(id), 'manual', 'm:' || number, now(), now(), 1,
       '{"task": "bench.noop", "args": [], "kwargs": {}}', 'published', gen_random_uuid(), now(), now()
FROM task_config, generate_series(1, %s) AS number GROUP BY number
RETURNING id, celery_id
"""
PLAIN_TABLES = """
CREATE TABLE plain_event (id uuid PRIMARY KEY, state text NOT NULL, done_at timestamptz);
CREATE TABLE plain_execution (id uuid PRIMARY KEY, event uuid NOT NULL, state text, started_at timestamptz)
"""


def main() -> None:
    url, count = sys.argv[1], int(sys.argv[2])
    connection = psycopg2.connect(url)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute(FIRES, (count + WARM_UP,))
    fires = cursor.fetchall()
    cursor.execute(PLAIN_TABLES)
    cursor.execute("INSERT INTO plain_event SELECT id, 'published' FROM schedule_event")
    cursor.execute("ANALYZE")
    deliver = _deliver(url)

    def gated(fire: Fire) -> None:
        deliver(fire[1], {"taskcfg_event": fire[0], "taskcfg_dispatch": 1})

    def plain(fire: Fire) -> None:
        deliver(fire[1], {})

    def commits(fire: Fire) -> None:
        execution = str(uuid.uuid4())
        cursor.execute("INSERT INTO plain_execution VALUES (%s, %s, 'running', now())", (execution, fire[0]))
        cursor.execute("UPDATE plain_event SET state = 'done', done_at = now() WHERE id = %s", (fire[0],))

    ways: list[Way] = [gated, plain, commits]
    spent, used = _in_turns(ways, fires)
    cursor.execute("SELECT count(*) FROM task_execution WHERE state = 'succeeded'")
    with_gate, without, two_commits = (seconds / count * 1e6 for seconds in spent)
    print(
        json.dumps(
            {
                "gate": with_gate - without,
                "gate_cpu": (used[0] - used[1]) / count * 1e6,
                "commits": two_commits,
                "commits_cpu": used[2] / count * 1e6,
                "recorded": (cursor.fetchone() or (0,))[0] - WARM_UP,
            }
        )
    )


def _in_turns(ways: list[Way], fires: list[Fire]) -> tuple[list[float], list[float]]:
    """Return the seconds that each way took for all *fires* but the first few, and those of CPU time."""
    spent, used = [0.0] * len(ways), [0.0] * len(ways)
    for start in (0, *range(WARM_UP, len(fires), TURN)):
        turn = fires[start : start + (TURN if start else WARM_UP)]
        for place, way in enumerate(ways):
            began, before = time.perf_counter(), time.process_time()
            for fire in turn:
                way(fire)
            if start:
                spent[place] += time.perf_counter() - began
                used[place] += time.process_time() - before
    return spent, used


def _deliver(url: str) -> Callable[[str, dict[str, object]], None]:
    app = Celery("bench", broker="memory://", set_as_current=False)
    app.conf.task_ignore_result = True

    @app.task(name=TASK, shared=False)
    def noop() -> None:
        pass

    records, boot_id = ExecutionRecords(open_database(url, role="worker")), uuid.uuid4()
    gate_tasks(app, Gate(lambda: records, lambda: boot_id), hostname="bench@here")
    trace = build_tracer(TASK, app.tasks[TASK], app=app)
    common = {
        "task": TASK,
        "retries": 0,
        "hostname": "bench@here",
        "is_eager": False,
        "delivery_info": {"exchange": "", "routing_key": "celery"},
        "headers": None,
    }

    def deliver(celery_id: str, headers: dict[str, object]) -> None:
        verdict = trace(celery_id, [], {}, {**common, "id": celery_id, **headers})
        if verdict.info is not None:
            raise SystemExit(f"the attempt ended as {verdict.info.state}: {verdict.retval}")

    return deliver


main()

"""What goes wrong around us and must not go wrong with us: frozen servers, crowded hosts, bad rows."""

import time
from collections.abc import Callable

from sqlalchemy import create_engine, text

from acceptance.ledger import WORK
from acceptance.project import Project
from services.proxy import Proxy
from waiting import eventually


def prepare(project: Project, tasks: str) -> None:
    project.write("taskcfg.toml", 'types = ["work"]\n')
    project.write("work.py", WORK)
    project.write("tasks.d/work.yaml", tasks)
    project.env |= {
        "LEDGER": str(project.folder / "ledger"),
        "TASKCFG_WORKER_HEARTBEAT": "0.5s",
        "TASKCFG_WORKER_LEASE": "4s",
    }
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")


def task(name: str, schedule: str = "manual", more: str = "") -> str:
    return f"  {name}: {{type: work, schedule: {schedule}, overlap: allow{more}}}\n"


def alive_workers(project: Project) -> int:
    workers = project.ok("status", "--format", "json").json["workers"]
    return sum(worker["alive"] for worker in workers)


def by_hand(project: Project, sql: str) -> None:
    database = create_engine(project.env["TASKCFG_DATABASE_URL"])
    with database.begin() as connection:
        connection.execute(text(sql))
    database.dispose()


def test_two_workers_on_one_host_work_side_by_side(production: Project) -> None:
    prepare(production, "tasks:\n" + task("a"))
    for _ in range(2):
        production.start("worker", "--concurrency", "1").wait_for("ready")
    production.start("scheduler")

    eventually(lambda: alive_workers(production) == 2)
    production.ok("run", "a", "--wait", "--timeout", "60s")


def test_a_worker_whose_broker_is_frozen_is_not_taken_for_dead(
    production: Project, tcp_proxy: Callable[[str], Proxy]
) -> None:
    prepare(production, "tasks:\n" + task("a"))
    broker = tcp_proxy(production.env["TASKCFG_BROKER_URL"])
    through = broker.url_for(production.env["TASKCFG_BROKER_URL"])
    worker = production.start("worker", env={"TASKCFG_BROKER_URL": through}, traceback_ok=True)
    worker.wait_for("ready")
    eventually(lambda: alive_workers(production) == 1)

    broker.freeze()
    elsewhere = "".join(task(f"b{n}", more=f", queue: q{n}") for n in range(4))
    production.write("tasks.d/more.yaml", "tasks:\n" + elsewhere)
    production.ok("apply", "--yes")
    end = time.monotonic() + 6
    while time.monotonic() < end:
        assert alive_workers(production) == 1
    broker.restore()


def test_a_queue_name_that_no_broker_takes_harms_no_other_task(production: Project) -> None:
    prepare(production, "tasks:\n" + task("a") + task("b"))
    by_hand(production, "UPDATE task_config SET queue = repeat('q', 300) WHERE name = 'b'")
    production.start("scheduler")
    worker = production.start("worker")
    worker.wait_for("queue.refused")

    production.ok("run", "a", "--wait", "--timeout", "60s")
    assert alive_workers(production) == 1


def test_a_frozen_database_is_ridden_out(production: Project, tcp_proxy: Callable[[str], Proxy]) -> None:
    prepare(production, "tasks:\n" + task("a", "{every: 1s}"))
    database = tcp_proxy(production.env["TASKCFG_DATABASE_URL"])
    through = {"TASKCFG_DATABASE_URL": database.url_for(production.env["TASKCFG_DATABASE_URL"])}
    scheduler = production.start("scheduler", env=through)
    scheduler.wait_for("scheduler.started")

    database.freeze()
    scheduler.wait_for("database.unavailable", timeout=90)
    database.restore()
    scheduler.wait_for("database.recovered")

    def fires() -> int:
        return len(production.ok("events", "a", "--limit", "1000", "--format", "json").json["events"])

    before = fires()
    eventually(lambda: fires() > before + 2, interval=0.5)
    assert scheduler.running


def test_one_row_spoiled_by_hand_hides_no_other(production: Project) -> None:
    prepare(production, "tasks:\n" + task("a", '{cron: "0 3 * * *"}') + task("b", '{cron: "0 4 * * *"}'))
    by_hand(production, """UPDATE task_config SET schedule = '{"cron": "99 99 * * *"}' WHERE name = 'b'""")

    coming = production.ok("next", "--format", "json").json["fires"]

    assert {fire["task"] for fire in coming} == {"a"}
